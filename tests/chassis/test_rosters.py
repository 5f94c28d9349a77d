"""The lines of roster acts: outcomes, reasons and versions."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chassis import rosters
from chassis.errors import Conflict, Refused
from chassis.rosters import LineOutcome, LineReason, LineRepeated
from chassis.texts import Text


class SeatTaken(Conflict):
    title = Text("Kursi sudah terisi", "The seat is taken")
    field = "seat"


class Unfit(Refused):
    pass


@dataclass(frozen=True)
class Seat:
    id: str = "seat"
    version: int = 3


def test_a_refused_line_names_every_reason_of_every_error() -> None:
    """An error names itself, or its reasons: codes, or codes with their texts."""
    coded = Unfit(reasons=["TOO_LATE"])
    described = Unfit(reasons=[{"code": "TOO_FAR", "message": Text("Terlalu jauh", "Too far")}])
    line = rosters.refused("a", SeatTaken(), coded, described)
    assert (line.key, line.outcome) == ("a", LineOutcome.REFUSED)
    assert line.reasons == (
        LineReason(code="seat_taken", title="Kursi sudah terisi", field="seat"),
        LineReason(code="TOO_LATE"),
        LineReason(code="TOO_FAR", title="Terlalu jauh"),
    )


def test_a_line_of_another_version_has_an_error() -> None:
    assert rosters.version_errors(Seat(), 3) == []
    [error] = rosters.version_errors(Seat(), 2)
    assert (error.code, error.facts) == ("version_differs", {"current_version": 3})


def test_two_lines_of_one_key_are_refused() -> None:
    rosters.require_distinct(["a", "b"])
    with pytest.raises(LineRepeated):
        rosters.require_distinct(["a", "b", "a"])


def test_outcomes_are_counted_with_those_that_no_line_has() -> None:
    lines = [rosters.applied("a", Seat()), rosters.refused("b", SeatTaken())]
    assert rosters.count_outcomes(lines) == {"applied": 1, "repeated": 0, "refused": 1}
