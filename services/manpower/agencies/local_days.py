"""Rules of local days: where a regency lies, and when its day ends. Not here: any agency."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_CENTRAL_PROVINCES = frozenset(
    {"51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"}
)
_EASTERN_PROVINCES = frozenset({"81", "82", "91", "92", "93", "94", "95", "96", "97"})


def zone_of(regency_code: str) -> ZoneInfo:
    """Return the time zone of a regency: WIB, WITA or WIT, by its province (Keppres 41/1987)."""
    province = regency_code[:2]
    if province in _CENTRAL_PROVINCES:
        return ZoneInfo("Asia/Makassar")
    if province in _EASTERN_PROVINCES:
        return ZoneInfo("Asia/Jayapura")
    return ZoneInfo("Asia/Jakarta")


def end_of_day(day: date, regency_code: str) -> datetime:
    """Return the first moment (UTC) after this whole local day."""
    next_midnight = datetime.combine(day + timedelta(days=1), time.min, zone_of(regency_code))
    return next_midnight.astimezone(UTC)
