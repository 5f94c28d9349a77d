"""Moments and days in requests: text in ISO 8601, within the years that can be meant.

Not here: the time now (ids), and what a moment means.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError, PydanticKnownError

FIRST_YEAR = 1900
LAST_YEAR = 2200
_MOMENT_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")
_DAY_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}")


def _require_moment_text(value: Any) -> Any:
    """Refuse numbers, which pydantic would read as seconds since 1970."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _MOMENT_TEXT.match(value.strip()):
        raise PydanticKnownError("datetime_type")
    return value


def _require_day_text(value: Any) -> Any:
    """Refuse numbers and moments, which pydantic would read as days."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY_TEXT.fullmatch(value.strip()):
        raise PydanticKnownError("date_type")
    return value


def _bounded_moment(moment: datetime) -> datetime:
    """Return the moment in UTC, truncated to milliseconds, which is what MongoDB keeps."""
    _require_year(moment.year)  # before the conversion, which overflows in the years 1 and 9999
    in_utc = moment.astimezone(UTC)
    _require_year(in_utc.year)
    return in_utc.replace(microsecond=in_utc.microsecond // 1000 * 1000)


def _bounded_day(day: date) -> date:
    _require_year(day.year)
    return day


def _require_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise PydanticCustomError("year_outside", "the year must be 1900 to 2200")


MomentBounds = AfterValidator(_bounded_moment)
DayBounds = AfterValidator(_bounded_day)
Moment = Annotated[AwareDatetime, BeforeValidator(_require_moment_text), MomentBounds]
Day = Annotated[date, BeforeValidator(_require_day_text), DayBounds]
