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
from services.training.facilities.rules import RosterMode
from services.training.mappings.reader import ParsedFile
from services.training.participants.rules import Participant
from services.training.snapshot_rows.rules import ListedRow
from services.training.vault import EncryptedField


class SnapshotUnknown(NotFound):
    title = "Berkas daftar penghuni tidak ditemukan"


class NotQuarantined(Conflict):
    title = "Berkas ini tidak sedang dikarantina"


class NotReleasable(Refused):
    """Only WAIVABLE_GUARDS can be released; `reason` is the guard that quarantined the file."""

    title = "Karantina dengan alasan ini tidak dapat dilepas; kirim berkas yang benar"


class SamePersonReleases(Refused):
    title = "Karantina harus dilepas oleh orang lain, bukan oleh pengunggah"


class SnapshotOutdated(Conflict):
    title = "Sudah ada daftar yang lebih baru dari UPT ini; daftar itu yang menentukan"


class GuardsRefuse(Refused):
    """Another guard fails at the release; `reason` is that guard."""

    title = "Berkas ini tidak dapat diterapkan lagi"


class Guard(StrEnum):
    """Why a whole snapshot is quarantined, in the order in which the guards are checked."""

    UNREADABLE = "UNREADABLE"
    COLUMN_MISSING = "COLUMN_MISSING"
    FACILITY_MISMATCH = "FACILITY_MISMATCH"
    TAKEN_AT_NOT_AFTER_LAST = "TAKEN_AT_NOT_AFTER_LAST"
    SOURCE_REF_DUPLICATE = "SOURCE_REF_DUPLICATE"
    ROW_COUNT_DOWN = "ROW_COUNT_DOWN"
    PEOPLE_GONE = "PEOPLE_GONE"


WAIVABLE_GUARDS = frozenset({Guard.ROW_COUNT_DOWN, Guard.PEOPLE_GONE})


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

    Its id is the facility. `seen_at` is the last contact, also by a file that changed nothing.
    """

    id: str
    version: int = 0
    snapshot_id: str = ""
    taken_at: datetime | None = None
    row_count: int = 0
    refs: frozenset[str] = frozenset()
    seen_at: datetime | None = None


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
    uploaded_by: str
    uploaded_for: str = ""
    released_by: str = ""
    release_reason: str = ""
    missing_listed: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    applied_at: datetime | None = None


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


def find_failed_guard(
    parsed: ParsedFile | None,
    rows: Sequence[ListedRow],
    facility_id: str,
    taken_at: datetime,
    last: Roster,
    *,
    limit_percent: int,
    is_full_list: bool,
    waived: frozenset[Guard] = frozenset(),
) -> Guard | None:
    """Return the first guard that fails, or None when the snapshot may be applied.

    `parsed` is None for a file that is unreadable.
    """
    guard = _find_failed_file_guard(parsed, facility_id, has_rows=bool(rows))
    if guard is not None:
        return guard
    if last.taken_at is not None and taken_at <= last.taken_at:
        return Guard.TAKEN_AT_NOT_AFTER_LAST
    counts = Counter(row.source_ref for row in rows if row.source_ref)
    if any(count > 1 for count in counts.values()):
        return Guard.SOURCE_REF_DUPLICATE
    if not is_full_list:
        return None
    lost_rows = last.row_count - len(rows)
    is_row_count_down = lost_rows * 100 > limit_percent * last.row_count
    if is_row_count_down and Guard.ROW_COUNT_DOWN not in waived:
        return Guard.ROW_COUNT_DOWN
    lost_people = len(last.refs - counts.keys())
    are_people_gone = lost_people * 100 > limit_percent * len(last.refs)
    if are_people_gone and Guard.PEOPLE_GONE not in waived:
        return Guard.PEOPLE_GONE
    return None


def _find_failed_file_guard(
    parsed: ParsedFile | None, facility_id: str, *, has_rows: bool
) -> Guard | None:
    if parsed is None:
        return Guard.UNREADABLE
    if parsed["missing"]:
        return Guard.COLUMN_MISSING
    named = {name.casefold() for name in parsed["facilities"]}
    if named - {facility_id.casefold()}:
        return Guard.FACILITY_MISMATCH
    if has_rows and not named:
        return Guard.FACILITY_MISMATCH
    return None


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
