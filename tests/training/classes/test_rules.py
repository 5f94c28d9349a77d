"""Rules of classes alone: their seats, and when they may be closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.classes import rules
from services.training.classes.rules import (
    ClassFull,
    ClassSeats,
    ClassState,
    ClassStateRefuses,
    ClosingReasonNeeded,
    SeatsBelowTaken,
    TrainingClass,
)

LAST_DAY = date(2026, 11, 30)
RUNNING = TrainingClass(
    id="c",
    facility_id="f",
    programme_id="p",
    edition=1,
    title="Las",
    batch_no="1",
    starts_on=date(2026, 11, 1),
    ends_on=LAST_DAY,
    state=ClassState.RUNNING,
)


@given(
    total=st.integers(1, 20),
    steps=st.lists(st.sampled_from(["take", "back", "bulk", "more", "less"]), max_size=60),
)
def test_taken_seats_stay_between_zero_and_the_total(total: int, steps: list[str]) -> None:
    seats = ClassSeats(id="c", facility_id="f", total=total)
    for step in steps:
        before = seats
        try:
            match step:
                case "take":
                    seats = rules.take_seats(seats)
                case "bulk":
                    seats = rules.take_seats(seats, 3)
                case "back" if seats.taken:
                    seats = rules.return_seat(seats)
                case "more":
                    seats = rules.resize(seats, seats.total + 1)
                case "less":
                    seats = rules.resize(seats, max(0, seats.total - 2))
                case _:
                    continue
        except (ClassFull, SeatsBelowTaken):
            assert seats is before
        assert 0 <= seats.taken <= seats.total


@pytest.mark.scenario("T21/resize")
def test_a_quota_below_the_seats_taken_is_refused() -> None:
    with pytest.raises(SeatsBelowTaken):
        rules.resize(ClassSeats(id="c", facility_id="f", total=20, taken=15), 12)
    assert rules.resize(ClassSeats(id="c", facility_id="f", total=20, taken=15), 25).total == 25


@pytest.mark.parametrize(("days_before", "sessions_left"), [(1, 0), (0, 1), (1, 1)])
def test_an_early_closing_needs_a_reason(days_before: int, sessions_left: int) -> None:
    today = LAST_DAY - timedelta(days=days_before)
    with pytest.raises(ClosingReasonNeeded):
        rules.close(RUNNING, "", today, sessions_left)
    closed = rules.close(RUNNING, "instruktur pindah", today, sessions_left)
    assert (closed.state, closed.closed_because) == (ClassState.CLOSED, "instruktur pindah")


def test_a_class_that_is_over_is_closed_without_a_reason() -> None:
    for days_after in (0, 1):
        today = LAST_DAY + timedelta(days=days_after)
        assert rules.close(RUNNING, "", today, 0).state is ClassState.CLOSED


@pytest.mark.parametrize("state", sorted(set(ClassState) - {ClassState.RUNNING}))
def test_only_a_running_class_is_closed(state: ClassState) -> None:
    with pytest.raises(ClassStateRefuses):
        rules.close(replace(RUNNING, state=state), "alasan", LAST_DAY, 0)
