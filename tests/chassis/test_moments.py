"""Moments and days of requests: text within the years 1900 to 2200, moments with a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from chassis.http.problems import field_text
from chassis.moments import Day, Moment
from chassis.texts import TEXTS

MOMENTS: TypeAdapter[datetime] = TypeAdapter(Moment)
DAYS: TypeAdapter[date] = TypeAdapter(Day)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1764000000, "datetime_type"),
        ("1764000000", "datetime_type"),
        ("-1", "datetime_type"),
        ("inf", "datetime_type"),
        (True, "datetime_type"),
        ("2026-11-30", "datetime_type"),
        ("2026-11-30T10:00:00", "timezone_aware"),
        ("1899-12-31T23:59:59Z", "year_outside"),
        ("2201-01-01T00:00:00Z", "year_outside"),
        ("2200-12-31T23:59:59-12:00", "year_outside"),
        ("9999-12-31T23:59:59-12:00", "year_outside"),
        ("9999-12-31T23:59:59Z", "year_outside"),
        ("0001-01-01T00:00:00+14:00", "year_outside"),
    ],
)
def test_a_moment_that_cannot_be_meant_is_refused(value: Any, code: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        MOMENTS.validate_python(value)
    assert [error["type"] for error in refusal.value.errors()] == [code]
    assert field_text({"type": code}) != TEXTS["fields.other"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (20_000, "date_type"),
        ("1764028800", "date_type"),
        ("2026-11-30T00:00:00", "date_type"),
        ("1899-12-31", "year_outside"),
        ("2201-01-01", "year_outside"),
        ("9999-12-31", "year_outside"),
        ("0001-01-01", "year_outside"),
    ],
)
def test_a_day_that_cannot_be_meant_is_refused(value: Any, code: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        DAYS.validate_python(value)
    assert [error["type"] for error in refusal.value.errors()] == [code]


@pytest.mark.parametrize("value", ["1900-01-01T00:00:00Z", "2200-12-31T23:59:59.999Z"])
def test_a_moment_within_the_bounds_is_taken(value: str) -> None:
    assert MOMENTS.validate_python(value) == datetime.fromisoformat(value)


def test_a_moment_is_given_in_utc_and_whole_milliseconds() -> None:
    moment = MOMENTS.validate_python("2026-11-30T16:30:00.123456+07:00")
    assert moment.isoformat() == "2026-11-30T09:30:00.123000+00:00"
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("value", ["1900-01-01", "2200-12-31"])
def test_a_day_within_the_bounds_is_taken(value: str) -> None:
    assert DAYS.validate_python(value) == date.fromisoformat(value)
