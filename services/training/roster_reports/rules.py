"""Rules of roster acts: one request about up to 500 lines, with an outcome for each line.

Not here: what a line does (the noun that it changes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from chassis.errors import DomainError, NotFound, Refused

MAX_LINES = 500


class ReportUnknown(NotFound):
    title = "Laporan tidak ditemukan"


class LineRepeated(Refused):
    """`key` is the one that two lines have."""

    title = "Satu orang hanya boleh tercantum sekali dalam satu daftar"
    field = "lines"


class LineOutcome(StrEnum):
    """What became of a line: done now, done before, or refused with its reasons."""

    APPLIED = "applied"
    REPEATED = "repeated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReason:
    """One reason against a line: its code, the title of its error, and the field, if any."""

    code: str
    title: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterLine:
    """One line: the person or enrolment that it names, and what it made or changed."""

    key: str
    outcome: LineOutcome
    result_id: str = ""
    version: int = 0
    reasons: tuple[LineReason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterReport:
    """The report of a roster act; it is stored, so that the same request gives it again."""

    id: str
    version: int = 0
    act: str
    facility_id: str
    subject: str
    lines: tuple[RosterLine, ...]
    made_at: datetime
    made_by: str

    @property
    def counts(self) -> dict[str, int]:
        """The number of lines by outcome."""
        counted = Counter(line.outcome for line in self.lines)
        return {outcome.value: counted[outcome] for outcome in LineOutcome}


def require_distinct(keys: Sequence[str]) -> None:
    """Raise LineRepeated when two lines have one key."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise LineRepeated(key=key)
        seen.add(key)


def applied(key: str, aggregate: Any) -> RosterLine:
    """Return the line that made or changed this aggregate."""
    return RosterLine(
        key=key, outcome=LineOutcome.APPLIED, result_id=aggregate.id, version=aggregate.version
    )


def repeated(key: str, aggregate: Any) -> RosterLine:
    """Return the line whose effect this aggregate had before."""
    return RosterLine(
        key=key, outcome=LineOutcome.REPEATED, result_id=aggregate.id, version=aggregate.version
    )


def refused(key: str, error: DomainError) -> RosterLine:
    """Return the line that an error refused, with every reason that the error names."""
    codes: list[str] = [str(code) for code in error.facts.get("reasons", ())]
    reasons = [LineReason(code=code) for code in codes]
    if not codes:
        reasons = [LineReason(code=error.code, title=error.title, field=error.field or "")]
    return RosterLine(key=key, outcome=LineOutcome.REFUSED, reasons=tuple(reasons))
