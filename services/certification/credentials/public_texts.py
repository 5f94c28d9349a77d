"""Texts of public documents, and dates as people write them.

Not here: the texts themselves (texts.toml of the service).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from chassis.texts import Text
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.settings import TEXTS


def format_date(day: date) -> str:
    """Return a date as Indonesians write it, such as 24 Desember 2026."""
    month = TEXTS[f"month.{day.month}"].id
    return f"{day.day} {month} {day.year}"


def format_english_date(day: date) -> str:
    """Return a date as people write it in English, such as 24 December 2026."""
    month = TEXTS[f"month.{day.month}"].en
    return f"{day.day} {month} {day.year}"


def first_day(valid_from: datetime) -> date:
    """Return the first day of a validity, in the zone of all certificates."""
    return valid_from.astimezone(WESTERN_INDONESIA).date()


def last_day(valid_until: datetime) -> date:
    """Return the last day of a validity that ends just before `valid_until`."""
    return (valid_until - timedelta(microseconds=1)).astimezone(WESTERN_INDONESIA).date()


def format_period(code: str, valid_from: datetime, valid_until: datetime) -> Text:
    """Return the text of this code with the first and the last day of a validity."""
    first = first_day(valid_from)
    last = last_day(valid_until)
    return TEXTS[code].format(start=_date_text(first), end=_date_text(last))


def _date_text(day: date) -> Text:
    return Text(id=format_date(day), en=format_english_date(day))
