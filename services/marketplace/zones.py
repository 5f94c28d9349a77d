"""Local days of a facility: what people read as "today" and "this month".

Not here: stored moments, which are UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from services.marketplace.settings import TEXTS

# Computed once, because available_timezones() reads the tzdata folders, which takes milliseconds.
_KNOWN_ZONES = frozenset(available_timezones())


def _require_known_zone(name: str) -> str:
    if name not in _KNOWN_ZONES:
        raise ValueError(TEXTS["details.zone_unknown"])
    return name


Zone = Annotated[str, AfterValidator(_require_known_zone)]
"""An IANA zone name such as Asia/Jakarta (WIB)."""


def local_day(at: datetime, zone: str) -> date:
    """Return the calendar date in that zone at this moment."""
    return at.astimezone(ZoneInfo(zone)).date()


def month_of(day: date) -> str:
    """Return the month of a day as `2026-11`."""
    return f"{day:%Y-%m}"
