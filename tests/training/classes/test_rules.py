"""Rules of classes alone: their seats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.classes import rules
from services.training.classes.rules import ClassFull, ClassSeats, SeatsBelowTaken


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
