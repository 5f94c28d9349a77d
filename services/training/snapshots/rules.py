"""What makes a snapshot acceptable. Not here: what its rows say or change (rows)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.training.rows.rules import Listed
from services.training.snapshots.reader import Sheets


class Guard(StrEnum):
    """Why a whole snapshot is set aside; in the order in which they are asked."""

    UNREADABLE = "UNREADABLE"
    COLUMN_MISSING = "COLUMN_MISSING"
    FACILITY_MISMATCH = "FACILITY_MISMATCH"
    TAKEN_AT_NOT_AFTER_LAST = "TAKEN_AT_NOT_AFTER_LAST"
    SOURCE_REF_DUPLICATE = "SOURCE_REF_DUPLICATE"
    ROW_COUNT_DOWN = "ROW_COUNT_DOWN"
    PEOPLE_GONE = "PEOPLE_GONE"


WAIVABLE = frozenset({Guard.ROW_COUNT_DOWN, Guard.PEOPLE_GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The last accepted snapshot of a facility: what the next one is compared with. Its id is the facility."""

    id: str
    version: int = 0
    snapshot_id: str = ""
    taken_at: datetime | None = None
    row_count: int = 0
    refs: frozenset[str] = frozenset()
    seen_at: datetime | None = None


def guard(
    sheets: Sheets | None, rows: Sequence[Listed], facility_id: str, taken_at: datetime, last: Roster, *, limit_percent: int, full: bool, waived: frozenset[Guard] = frozenset()
) -> Guard | None:
    """The first guard that holds against these rows, None when the snapshot may be applied. `sheets` is None when the file could not be read."""
    if sheets is None:
        return Guard.UNREADABLE
    if sheets["missing"]:
        return Guard.COLUMN_MISSING
    if any(named.casefold() != facility_id.casefold() for named in sheets["facilities"]) or (rows and not sheets["facilities"]):
        return Guard.FACILITY_MISMATCH
    if last.taken_at is not None and taken_at <= last.taken_at:
        return Guard.TAKEN_AT_NOT_AFTER_LAST
    refs = Counter(row.source_ref for row in rows if row.source_ref)
    if any(count > 1 for count in refs.values()):
        return Guard.SOURCE_REF_DUPLICATE
    if full and Guard.ROW_COUNT_DOWN not in waived and (last.row_count - len(rows)) * 100 > limit_percent * last.row_count:
        return Guard.ROW_COUNT_DOWN
    if full and Guard.PEOPLE_GONE not in waived and len(last.refs - refs.keys()) * 100 > limit_percent * len(last.refs):
        return Guard.PEOPLE_GONE
    return None
