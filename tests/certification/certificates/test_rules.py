"""Rules of certificates: the period of validity."""

from __future__ import annotations

from datetime import date

import pytest

from services.certification.certificates.rules import end_of_validity, start_of_validity


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        (date(2028, 2, 29), 36, "2031-02-28"),
        (date(2026, 11, 24), 36, "2029-11-24"),
        (date(2026, 8, 31), 6, "2027-02-28"),
        (date(2026, 12, 1), 1, "2027-01-01"),
        (date(2024, 2, 29), 48, "2028-02-29"),
    ],
)
def test_validity_is_calendar_arithmetic_in_one_zone(day: date, months: int, end: str) -> None:
    assert start_of_validity(day).isoformat() == f"{day}T00:00:00+07:00"
    assert end_of_validity(day, months).isoformat() == f"{end}T00:00:00+07:00"
