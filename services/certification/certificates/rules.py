"""What is allowed: certificates from their reservation to their end (certification section 9, R10)."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta, timezone

WESTERN_INDONESIA = timezone(timedelta(hours=7))


def begins_on(day: date) -> datetime:
    """The moment from which a certificate decided on that day holds: 00:00 in Asia/Jakarta, for every facility."""
    return datetime(day.year, day.month, day.day, tzinfo=WESTERN_INDONESIA)


def ends_after(day: date, months: int) -> datetime:
    """The first moment at which it no longer holds, by the calendar: 29 February + 36 months is 28 February."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return begins_on(date(year, month, min(day.day, calendar.monthrange(year, month)[1])))
