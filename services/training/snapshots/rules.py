"""Rules of snapshots: which are accepted, quarantined, released and applied.

Not here: what their rows say or change (snapshot_rows).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, NotFound, Refused
from chassis.persistence.field_encryption import EncryptedField
from services.training.facilities.rules import RosterMode
from services.training.mappings.parsed_file import ParsedFile, SkippedSheet
from services.training.participants.rules import Participant
from services.training.settings import TEXTS
from services.training.snapshot_rows.dates import are_mixed
from services.training.snapshot_rows.rules import ListedRow
from services.training.snapshots.taken_at import TakenAtCorrection


class SnapshotUnknown(NotFound):
    title = TEXTS["errors.snapshot_unknown"]


class NotQuarantined(Conflict):
    title = TEXTS["errors.not_quarantined"]


class NotReleasable(Refused):
    """Only WAIVABLE_GUARDS can be released; `reason` is the guard that quarantined the file."""

    title = TEXTS["errors.not_releasable"]


class SamePersonReleases(Refused):
    title = TEXTS["errors.same_person_releases"]


class SnapshotOutdated(Conflict):
    title = TEXTS["errors.snapshot_outdated"]


class HeldRowsGone(Conflict):
    """The rows of a quarantined file are removed when the facility's next list is accepted."""

    title = TEXTS["errors.held_rows_gone"]


class GuardsRefuse(Refused):
    """Another guard fails at the release; `reason` is that guard."""

    title = TEXTS["errors.guards_refuse"]


class Guard(StrEnum):
    """Why a whole snapshot is quarantined, in the order in which the guards are checked."""

    UNREADABLE = "UNREADABLE"
    TOO_LARGE = "TOO_LARGE"
    COLUMN_MISSING = "COLUMN_MISSING"
    COLUMN_TWICE = "COLUMN_TWICE"
    FACILITY_MISMATCH = "FACILITY_MISMATCH"
    TAKEN_AT_NOT_AFTER_LAST = "TAKEN_AT_NOT_AFTER_LAST"
    SOURCE_REF_DUPLICATE = "SOURCE_REF_DUPLICATE"
    DATES_MIXED = "DATES_MIXED"
    ROW_COUNT_DOWN = "ROW_COUNT_DOWN"
    ROW_COUNT_UP = "ROW_COUNT_UP"
    TRANSFERS_IN = "TRANSFERS_IN"
    PEOPLE_GONE = "PEOPLE_GONE"


WAIVABLE_GUARDS = frozenset(
    {Guard.ROW_COUNT_DOWN, Guard.ROW_COUNT_UP, Guard.TRANSFERS_IN, Guard.PEOPLE_GONE}
)
# what may be usual for a prison: the percentage and the number must both be exceeded
MAX_MORE_ROWS_PERCENT = 10
MAX_MORE_ROWS = 20
MAX_TRANSFERS_PERCENT = 3
MAX_TRANSFERS = 10


class SnapshotState(StrEnum):
    """Whether a snapshot is quarantined, being applied, or applied."""

    QUARANTINED = "QUARANTINED"
    APPLYING = "APPLYING"
    APPLIED = "APPLIED"


class ChunkKind(StrEnum):
    """What a chunk contains: rows to apply, people missing, all references listed, or raw rows.

    HELD are the raw rows of a quarantined file, STOPPED the raw rows that stopped.
    """

    ROWS = "rows"
    MISSING = "missing"
    ROSTER = "roster"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The last accepted snapshot of a facility, with which the next one is compared.

    Its id is the facility. `seen_at` is when it was last sent; `repeated_at` is the last upload of
    a file that changed nothing.
    """

    id: str
    version: int = 0
    snapshot_id: str = ""
    taken_at: datetime | None = None
    row_count: int = 0
    refs: frozenset[str] = frozenset()
    seen_at: datetime | None = None
    repeated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One file of a facility's whole population, as of `taken_at`.

    `counts` say what it changed. Its rows lie in chunks, encrypted, until they are applied.
    """

    id: str
    version: int = 0
    facility_id: str
    taken_at: datetime
    received_at: datetime
    checksum: str
    mapping_version: int
    mode: RosterMode
    row_count: int
    state: SnapshotState
    reason: str = ""
    also: tuple[str, ...] = ()
    skipped_sheets: tuple[SkippedSheet, ...] = ()
    uploaded_by: str
    uploaded_for: str = ""
    released_by: str = ""
    release_reason: str = ""
    missing_listed: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    applied_at: datetime | None = None
    correction: TakenAtCorrection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a snapshot, encrypted; the transaction that applies it removes it."""

    id: str
    version: int = 0
    facility_id: str
    snapshot_id: str
    kind: ChunkKind
    number: int
    sealed: EncryptedField


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedList:
    """What the guards judge: the file, its rows as they were read, and when its data was taken.

    `transfers_in` is how many people the list would move here from other facilities. `waived` are
    the guards that a second person released.
    """

    file: ParsedFile
    rows: Sequence[ListedRow]
    taken_at: datetime
    transfers_in: int
    is_full_list: bool
    limit_percent: int
    is_read_again: bool = False
    waived: frozenset[Guard] = frozenset()


def find_failed_guard(judged: JudgedList, facility_id: str, last: Roster) -> Guard | None:
    """Return the first guard that fails, or None when the snapshot may be applied."""
    checks = (
        _find_failed_file_guard(judged, facility_id),
        _find_failed_order_guard(judged, last),
        _find_failed_row_guard(judged),
        _find_failed_count_guard(judged, last),
    )
    return next((guard for guard in checks if guard is not None), None)


def _find_failed_file_guard(judged: JudgedList, facility_id: str) -> Guard | None:
    summary = judged.file.summary
    if summary["missing"]:
        return Guard.COLUMN_MISSING
    if summary["twice"]:
        return Guard.COLUMN_TWICE
    named = {name.casefold() for name in summary["facilities"]}
    if named - {facility_id.casefold()}:
        return Guard.FACILITY_MISMATCH
    if judged.rows and not named:
        return Guard.FACILITY_MISMATCH
    return None


def _find_failed_order_guard(judged: JudgedList, last: Roster) -> Guard | None:
    """Return the guard of the list's time; the last list read again may have the same time."""
    if last.taken_at is None or judged.taken_at > last.taken_at:
        return None
    if judged.is_read_again and judged.taken_at == last.taken_at:
        return None
    return Guard.TAKEN_AT_NOT_AFTER_LAST


def _find_failed_row_guard(judged: JudgedList) -> Guard | None:
    refs = [row.source_ref for row in judged.rows if row.source_ref and not row.written_ref]
    if len(set(refs)) < len(refs):
        return Guard.SOURCE_REF_DUPLICATE
    return Guard.DATES_MIXED if are_mixed(judged.file.rows) else None


def _find_failed_count_guard(judged: JudgedList, last: Roster) -> Guard | None:
    """Return the first waivable guard that fails and is not waived."""
    refs = {row.source_ref for row in judged.rows}
    more_rows = len(judged.rows) - last.row_count
    lost_people = len(last.refs - refs)
    is_full_list = judged.is_full_list
    failed = {
        Guard.ROW_COUNT_DOWN: is_full_list
        and _exceeds(-more_rows, judged.limit_percent, last.row_count),
        Guard.ROW_COUNT_UP: is_full_list
        and last.taken_at is not None
        and more_rows > MAX_MORE_ROWS
        and _exceeds(more_rows, MAX_MORE_ROWS_PERCENT, last.row_count),
        Guard.TRANSFERS_IN: judged.transfers_in > MAX_TRANSFERS
        and _exceeds(judged.transfers_in, MAX_TRANSFERS_PERCENT, len(judged.rows)),
        Guard.PEOPLE_GONE: is_full_list
        and _exceeds(lost_people, judged.limit_percent, len(last.refs)),
    }
    return next(
        (guard for guard, fails in failed.items() if fails and guard not in judged.waived), None
    )


def _exceeds(part: int, percent: int, whole: int) -> bool:
    return part * 100 > percent * whole


def require_read(file: ParsedFile | Guard | None) -> ParsedFile | Guard:
    """Return what was read. Raises SnapshotOutdated when the file was taken for a known one.

    Another list has been accepted since then.
    """
    if file is None:
        raise SnapshotOutdated
    return file


def is_judged_otherwise(snapshot: Snapshot, guard: Guard | None) -> bool:
    """Return whether a quarantined file that came again is judged otherwise than before."""
    return snapshot.state is SnapshotState.QUARANTINED and snapshot.reason != (guard or "")


def is_last_list(accepted: Snapshot | None, checksum: str, mapping_version: int) -> bool:
    """Return whether these bytes are the last accepted list, read by the same mapping."""
    if accepted is None:
        return False
    return (accepted.checksum, accepted.mapping_version) == (checksum, mapping_version)


def require_held(held: list[Chunk]) -> list[Chunk]:
    """Return the held rows of a quarantined file. Raises HeldRowsGone when there are none."""
    if not held:
        raise HeldRowsGone
    return held


def require_no_guard(guard: Guard | None) -> None:
    """Raise GuardsRefuse when a guard fails at the release."""
    if guard is not None:
        raise GuardsRefuse(reason=guard)


def require_newest(snapshot: Snapshot, roster: Roster) -> None:
    """Raise SnapshotOutdated unless this is the facility's newest snapshot, and applied."""
    if roster.snapshot_id != snapshot.id or snapshot.state is not SnapshotState.APPLIED:
        raise SnapshotOutdated


def release(snapshot: Snapshot, by: Actor, reason: str) -> Snapshot:
    """Return the snapshot released from quarantine by a second person.

    Raises NotQuarantined, NotReleasable, SamePersonReleases.
    """
    if snapshot.state is not SnapshotState.QUARANTINED:
        raise NotQuarantined
    if snapshot.reason not in WAIVABLE_GUARDS:
        raise NotReleasable(reason=snapshot.reason)
    uploader = Actor(snapshot.uploaded_by, snapshot.uploaded_for)
    if by.conflicts_with(uploader):
        raise SamePersonReleases
    return replace(snapshot, state=SnapshotState.APPLYING, released_by=by.by, release_reason=reason)


def add_counts(snapshot: Snapshot, more: Counter[str]) -> Snapshot:
    """Return the snapshot with these counts added; counts of zero are left out."""
    return replace(snapshot, counts=dict(Counter(snapshot.counts) + more))


def find_missing(people: Sequence[Participant], listed_refs: Collection[str]) -> list[str]:
    """Return the ids of those people of whom no reference is listed."""
    listed = frozenset(listed_refs)
    return [person.id for person in people if not listed & {person.source_ref, *person.other_refs}]


def must_list_missing(snapshot: Snapshot) -> bool:
    """Return whether the people that a full list leaves out are still to be found."""
    return snapshot.mode is RosterMode.FULL and not snapshot.missing_listed


def finish(snapshot: Snapshot, now: datetime) -> Snapshot:
    """Return the snapshot as applied."""
    return replace(snapshot, state=SnapshotState.APPLIED, applied_at=now)
