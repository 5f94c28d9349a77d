"""Rules of dates in a list: forms of a mapping, century of two digits, bounds.

Not here: which cell holds which date (row_reader).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from services.training.mappings.parsed_file import DATE, TEXT, RawRow
from services.training.mappings.rules import DATE_FIELDS, EXCEL_DATE, FileMapping
from services.training.text import fold, normalise

EARLIEST_BIRTH = date(1910, 1, 1)
EARLIEST_ADMISSION = date(1950, 1, 1)
LATEST = date(2100, 12, 31)
MIN_AGE_YEARS = 12
_LAST_MONTH = 12
_CENTURIES = (1900, 2000)
_TWO_DIGITS = 2
_NUMERIC = re.compile(r"([0-9]{1,2})([/.\-])(?:[1-9]|0[1-9]|1[0-2])\2(?:[0-9]{2}|[0-9]{4})")
_PATTERNS = {
    "d": r"(?P<day>[0-9]{1,2})",
    "dd": r"(?P<day>[0-9]{1,2})",
    "mm": r"(?P<month>[0-9]{1,2})",
    "mmm": r"(?P<month>[^\W\d_]+)\.?",
    "month": r"(?P<month>[^\W\d_]+)\.?",
    "yy": r"(?P<year>[0-9]{2})",
    "yyyy": r"(?P<year>[0-9]{4})",
}


@dataclass(frozen=True, slots=True)
class DateBounds:
    """The first and the last day that a date may have."""

    earliest: date
    latest: date


def admission_bounds(taken_on: date) -> DateBounds:
    """Return the bounds of an admission; `taken_on` is the list's local day."""
    return DateBounds(EARLIEST_ADMISSION, taken_on)


def birth_bounds(admitted_on: date) -> DateBounds:
    """Return the bounds of a birth: nobody is admitted before the age of twelve."""
    # a leap day of these centuries is one twelve years before, too
    return DateBounds(EARLIEST_BIRTH, admitted_on.replace(year=admitted_on.year - MIN_AGE_YEARS))


def later_bounds(admitted_on: date) -> DateBounds:
    """Return the bounds of a release, planned or not: not before the admission."""
    return DateBounds(admitted_on, LATEST)


# after a transfer the two-thirds date may lie before the admission to this facility
TWO_THIRDS_BOUNDS = DateBounds(EARLIEST_ADMISSION, LATEST)


def parse(
    cell: tuple[str, str], name: str, mapping: FileMapping, taken_on: date, bounds: DateBounds
) -> date | None:
    """Return the date of a cell; None when it is no date of the mapping's forms within bounds.

    A number without a date format is no date.
    """
    kind, text = cell
    if kind == DATE:
        dates = [date.fromisoformat(text)] if EXCEL_DATE in mapping.date_formats else []
    elif kind == TEXT:
        dates = list(_read_text(text, name, mapping, taken_on, bounds))
    else:
        dates = []
    within = [value for value in dates if bounds.earliest <= value <= bounds.latest]
    return within[0] if within else None


def are_mixed(rows: Sequence[RawRow]) -> bool:
    """Return whether a date column looks half converted: months and days exchanged.

    A program that expects the month first turns the texts with days 1–12 into real dates of other
    days, and leaves those with days 13–31 as texts.
    """
    return any(_is_column_mixed(name, rows) for name in DATE_FIELDS)


def _is_column_mixed(name: str, rows: Iterable[RawRow]) -> bool:
    real: set[int] = set()
    written: set[int] = set()
    for row in rows:
        kind, text = row["cells"].get(name, ("", ""))
        if kind == DATE:
            real.add(date.fromisoformat(text).day)
        numeric = _NUMERIC.fullmatch(text) if kind == TEXT else None
        if numeric is not None:
            written.add(int(numeric[1]))
    if not real or not written:
        return False
    return max(real) <= _LAST_MONTH < min(written)


def _read_text(
    text: str, name: str, mapping: FileMapping, taken_on: date, bounds: DateBounds
) -> Iterator[date]:
    for day, month, year in _split(text, mapping):
        if len(year) > _TWO_DIGITS:
            possible = [_make(int(year), month, day)]
        else:
            possible = [_make(century + int(year), month, day) for century in _CENTURIES]
        dates = [value for value in possible if value is not None]
        if len(year) == _TWO_DIGITS:
            dates = _choose_century(
                dates, taken_on, bounds, is_planned=name in mapping.future_years
            )
        yield from dates


def _choose_century(
    dates: Sequence[date], taken_on: date, bounds: DateBounds, *, is_planned: bool
) -> list[date]:
    """Return the one date that two digits mean.

    A planned date is of this century. Any other is the latest that is not after the list, or the
    next one where that lies before everything possible: a release that is entered ahead.
    """
    this_century = [value for value in dates if value.year >= _CENTURIES[-1]]
    if is_planned:
        return this_century
    past = [value for value in dates if value <= taken_on]
    if past and past[-1] >= bounds.earliest:
        return past[-1:]
    return this_century or past[-1:]


def _make(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _split(text: str, mapping: FileMapping) -> Iterator[tuple[int, int, str]]:
    """Yield day, month and digits of the year for each form of the mapping that the text has."""
    for date_format in mapping.date_formats:
        matched = _pattern(date_format).fullmatch(normalise(text))
        if matched is None:
            continue
        month_text = matched["month"]
        month = int(month_text) if month_text.isdigit() else mapping.months.get(fold(month_text))
        if month is not None:
            yield int(matched["day"]), month, matched["year"]


@cache
def _pattern(date_format: str) -> re.Pattern[str]:
    """Return the pattern of a form, e.g. `dd/mm/yyyy` or `d mmm yyyy`."""
    tokens = re.split(r"([a-z]+)", date_format)
    return re.compile("".join(_PATTERNS.get(token, re.escape(token)) for token in tokens))
