"""What is allowed: which snapshots are taken, set aside and released. Not here: what their rows say or change (rows)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, NotFound, Refused
from services.training.facilities.rules import RosterMode
from services.training.snapshot_rows.rules import ListedRow
from services.training.snapshots.reader import ParsedFile
from services.training.vault import EncryptedField


class SnapshotUnknown(NotFound):
    title = "Berkas daftar penghuni tidak ditemukan"


class NotQuarantined(Conflict):
    title = "Berkas ini tidak sedang dikarantina"


class NotReleasable(Refused):
    """Only what a person can vouch for may be released; a wrong or unreadable file is sent again."""

    title = "Karantina dengan alasan ini tidak dapat dilepas; kirim berkas yang benar"


class SamePersonReleases(Refused):
    title = "Karantina harus dilepas oleh orang lain, bukan oleh pengunggah"


class SnapshotOutdated(Conflict):
    title = "Sudah ada daftar yang lebih baru dari UPT ini; daftar itu yang menentukan"


class GuardsRefuse(Refused):
    """At its release the snapshot fails another guard, `reason`."""

    title = "Berkas ini tidak dapat diterapkan lagi"


class Guard(StrEnum):
    """Why a whole snapshot is set aside; in the order in which they are asked."""

    UNREADABLE = "UNREADABLE"
    COLUMN_MISSING = "COLUMN_MISSING"
    FACILITY_MISMATCH = "FACILITY_MISMATCH"
    TAKEN_AT_NOT_AFTER_LAST = "TAKEN_AT_NOT_AFTER_LAST"
    SOURCE_REF_DUPLICATE = "SOURCE_REF_DUPLICATE"
    ROW_COUNT_DOWN = "ROW_COUNT_DOWN"
    PEOPLE_GONE = "PEOPLE_GONE"


WAIVABLE_GUARDS = frozenset({Guard.ROW_COUNT_DOWN, Guard.PEOPLE_GONE})


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


def find_failed_guard(
    sheets: ParsedFile | None,
    rows: Sequence[ListedRow],
    facility_id: str,
    taken_at: datetime,
    last: Roster,
    *,
    limit_percent: int,
    is_full_list: bool,
    waived: frozenset[Guard] = frozenset(),
) -> Guard | None:
    """The first guard that holds against these rows, None when the snapshot may be applied. `sheets` is None when the file could not be read."""
    if sheets is None:
        return Guard.UNREADABLE
    if sheets["missing"]:
        return Guard.COLUMN_MISSING
    if any(named.casefold() != facility_id.casefold() for named in sheets["facilities"]) or (
        rows and not sheets["facilities"]
    ):
        return Guard.FACILITY_MISMATCH
    if last.taken_at is not None and taken_at <= last.taken_at:
        return Guard.TAKEN_AT_NOT_AFTER_LAST
    refs = Counter(row.source_ref for row in rows if row.source_ref)
    if any(count > 1 for count in refs.values()):
        return Guard.SOURCE_REF_DUPLICATE
    if (
        is_full_list
        and Guard.ROW_COUNT_DOWN not in waived
        and (last.row_count - len(rows)) * 100 > limit_percent * last.row_count
    ):
        return Guard.ROW_COUNT_DOWN
    if (
        is_full_list
        and Guard.PEOPLE_GONE not in waived
        and len(last.refs - refs.keys()) * 100 > limit_percent * len(last.refs)
    ):
        return Guard.PEOPLE_GONE
    return None


class SnapshotState(StrEnum):
    """How far a snapshot is."""

    QUARANTINED = "QUARANTINED"
    APPLYING = "APPLYING"
    APPLIED = "APPLIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One file of a facility's whole population, as of `taken_at`. Counts say what it changed; rows are kept elsewhere, encrypted, until they are applied."""

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


def release(snapshot: Snapshot, by: Actor, reason: str) -> Snapshot:
    """The snapshot let out of quarantine by a second person; NotQuarantined, NotReleasable or SamePersonReleases otherwise."""
    if snapshot.state is not SnapshotState.QUARANTINED:
        raise NotQuarantined
    if snapshot.reason not in WAIVABLE_GUARDS:
        raise NotReleasable(reason=snapshot.reason)
    if by.conflicts_with(Actor(snapshot.uploaded_by, snapshot.uploaded_for)):
        raise SamePersonReleases
    return replace(snapshot, state=SnapshotState.APPLYING, released_by=by.by, release_reason=reason)


def add_counts(snapshot: Snapshot, more: Counter[str]) -> Snapshot:
    """The snapshot with these counts added."""
    return replace(snapshot, counts=dict(Counter(snapshot.counts) + more))


class ChunkKind(StrEnum):
    """What a chunk keeps: the rows to apply, the people to miss, all references listed, raw rows of a quarantined file, raw rows that stopped."""

    ROWS = "rows"
    MISSING = "missing"
    ROSTER = "roster"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a snapshot, encrypted; it is removed by the transaction that applies it."""

    id: str
    version: int = 0
    facility_id: str
    snapshot_id: str
    kind: ChunkKind
    number: int
    sealed: EncryptedField
