"""Use cases of snapshots: receive or quarantine, release, retry stopped rows, read.

Not here: applying the rows step by step (chunks).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.training.facilities.rules import Facility, RosterMode
from services.training.mappings import usecases as mappings
from services.training.mappings.reader import ParsedFile, RawRow
from services.training.mappings.rules import FileMapping
from services.training.snapshot_rows import rules as row_rules
from services.training.snapshot_rows import usecases as rows
from services.training.snapshot_rows.row_reader import read_row
from services.training.snapshot_rows.rules import ListedRow, ReportedError, RowError
from services.training.snapshots import chunks, rules
from services.training.snapshots.rules import ChunkKind, Guard, Roster, Snapshot, SnapshotState
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction

ReadRow: TypeAlias = tuple[ListedRow, list[RowError]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An uploaded file: its facility, when its data was taken, and the SHA-256 of its bytes."""

    facility_id: str
    taken_at: datetime
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """What an upload needs before the file is read: the mapping, and whether it is a duplicate."""

    mapping: FileMapping
    is_known: bool


@dataclass(frozen=True, slots=True)
class ReceivedSnapshot:
    """The snapshot of an upload, and whether its bytes were known before."""

    snapshot: Snapshot
    is_duplicate: bool


async def plan_upload(upload: Upload, tx: Transaction) -> UploadPlan:
    """Return how the file is read. Raises FacilityUnknown, MappingUnknown."""
    facility = await tx.facilities.get(upload.facility_id)
    known = await tx.snapshots.find_by_checksum(facility.id, upload.checksum)
    mapping = await mappings.read_mapping(facility, tx)
    return UploadPlan(mapping=mapping, is_known=known is not None)


async def receive_snapshot(upload: Upload, parsed: ParsedFile | None, tx: Transaction) -> Snapshot:
    """Accept or quarantine a file; known bytes only set the time of the last contact.

    `parsed` is None for a file that is unreadable or known.
    """
    facility = await tx.facilities.get(upload.facility_id)
    roster = await tx.rosters.seek(facility.id) or Roster(id=facility.id)
    known = await tx.snapshots.find_by_checksum(facility.id, upload.checksum)
    if known is not None:
        _save_roster(roster, replace(roster, seen_at=tx.now), tx)
        return known
    mapping = await mappings.read_mapping(facility, tx)
    raw = parsed["rows"] if parsed is not None and not parsed["missing"] else []
    taken_on = facility.local_date(upload.taken_at)
    read = [read_row(row, mapping, taken_on) for row in raw]
    guard = rules.find_failed_guard(
        parsed,
        [row for row, _ in read],
        facility.id,
        upload.taken_at,
        roster,
        limit_percent=facility.row_guard_percent,
        is_full_list=facility.roster_mode is RosterMode.FULL,
    )
    snapshot = Snapshot(
        id=new_id(),
        facility_id=facility.id,
        taken_at=upload.taken_at,
        received_at=tx.now,
        checksum=upload.checksum,
        mapping_version=mapping.version,
        mode=facility.roster_mode,
        row_count=len(read),
        state=SnapshotState.APPLYING if guard is None else SnapshotState.QUARANTINED,
        reason=guard or "",
        also=tuple(parsed["missing"]) if parsed is not None else (),
        uploaded_by=tx.caller.subject,
        uploaded_for=tx.caller.on_behalf_of,
    )
    added = tx.snapshots.add(snapshot)
    if guard is None:
        await _accept(added, raw, read, roster, tx)
    else:
        await _quarantine(added, guard, raw, facility, tx)
    return added


async def view_received_snapshot(snapshot: Snapshot, tx: Transaction) -> ReceivedSnapshot:
    """Return the snapshot, and whether this upload only repeated known bytes.

    Such an upload sets the contact time of the roster without adding a snapshot. A request that is
    repeated under its Idempotency-Key does neither, and gets the response of the first one.
    """
    roster = await tx.rosters.seek(snapshot.facility_id)
    has_made_contact = roster is not None and roster.seen_at == tx.now
    is_added = snapshot.received_at == tx.now
    return ReceivedSnapshot(snapshot, is_duplicate=has_made_contact and not is_added)


async def release_snapshot(
    snapshot_id: str, reason: str, if_match: int, tx: Transaction
) -> Snapshot:
    """Release a quarantined snapshot as a second person; its rows are then applied.

    Raises GuardsRefuse when another guard fails by now.
    """
    before = await tx.snapshots.get(snapshot_id, if_match=if_match)
    released = rules.release(before, tx.caller.actor, reason)
    facility = await tx.facilities.get(before.facility_id)
    roster = await tx.rosters.seek(facility.id) or Roster(id=facility.id)
    mapping = await mappings.read_mapping(facility, tx)
    raw = await _take_held_rows(before, tx)
    taken_on = facility.local_date(before.taken_at)
    read = [read_row(row, mapping, taken_on) for row in raw]
    guard = rules.find_failed_guard(
        {"rows": raw, "missing": [], "facilities": [facility.id]},
        [row for row, _ in read],
        facility.id,
        before.taken_at,
        roster,
        limit_percent=facility.row_guard_percent,
        is_full_list=True,
        waived=rules.WAIVABLE_GUARDS,
    )
    rules.require_no_guard(guard)
    key = task_rules.dedupe_key(TaskKind.QUARANTINE, facility.id, "", before.id)
    await tasks.resolve_open_task(key, "released", tx)
    saved = tx.snapshots.save(before, released)
    await _accept(saved, raw, read, roster, tx)
    return saved


async def retry_stopped_rows(snapshot_id: str, if_match: int, tx: Transaction) -> Snapshot:
    """Apply stopped rows of the facility's newest snapshot that its mapping can read now.

    Raises SnapshotOutdated when there is a newer snapshot, or when this one is not applied yet.
    """
    before = await tx.snapshots.get(snapshot_id, if_match=if_match)
    facility = await tx.facilities.get(before.facility_id)
    roster = await tx.rosters.get(facility.id)
    rules.require_newest(before, roster)
    mapping = await mappings.read_mapping(facility, tx)
    at = chunks.build_snapshot_context(before, facility)
    counts: Counter[str] = Counter()
    for chunk in await tx.chunks.list_by_facility(facility.id, ChunkKind.STOPPED):
        raw: list[RawRow] = chunks.decrypt(chunk, tx)
        read = [(row, read_row(row, mapping, at.taken_on)[0]) for row in raw]
        readable = [listed for _, listed in read if not listed.stopped]
        if not readable:
            continue
        counts += await rows.apply_rows(readable, at, mapping, roster.refs, tx)
        await tasks.resolve_stopped_rows(facility.id, {row.source_ref for row in readable}, tx)
        tx.chunks.remove(chunk)
        chunks.store_stopped(before, [row for row, listed in read if listed.stopped], tx)
    return tx.snapshots.save(before, rules.add_counts(before, counts)) if counts else before


async def read_snapshot(snapshot_id: str, tx: Transaction) -> Snapshot:
    """Return one snapshot in the caller's scope."""
    return await tx.snapshots.get(snapshot_id)


async def list_snapshots(
    facility_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Snapshot]:
    """Return a page of a facility's snapshots, newest first."""
    await tx.facilities.get(facility_id)
    return await tx.snapshots.list_page(facility_id, cursor, limit)


async def list_row_errors(
    snapshot_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[ReportedError]:
    """Return a page of the errors of a snapshot's rows."""
    await tx.snapshots.get(snapshot_id)
    return await tx.row_errors.list_page(snapshot_id, cursor, limit)


async def _accept(
    snapshot: Snapshot,
    raw: Sequence[RawRow],
    read: Sequence[ReadRow],
    roster: Roster,
    tx: Transaction,
) -> None:
    """Make this the facility's newest list and store its rows to be applied, merges last."""
    refs = frozenset(row.source_ref for row, _ in read if row.source_ref)
    newest = replace(
        roster,
        snapshot_id=snapshot.id,
        taken_at=snapshot.taken_at,
        row_count=len(read),
        refs=refs,
        seen_at=tx.now,
    )
    _save_roster(roster, newest, tx)
    await _remove_outdated_chunks(snapshot, tx)
    for row, errors in read:
        for error in errors:
            reported = row_rules.build_reported_error(snapshot.id, snapshot.facility_id, error)
            tx.row_errors.add(reported)
        if row.stopped:
            await rows.open_stopped_row_tasks(row, errors, snapshot.facility_id, tx)
    applicable = [row for row, _ in read if not row.stopped]
    stopped = [original for original, (row, _) in zip(raw, read, strict=True) if row.stopped]
    chunks.store_rows(snapshot, sorted(applicable, key=lambda row: bool(row.merged_into)), tx)
    chunks.store_roster(snapshot, sorted(refs), tx)
    chunks.store_stopped(snapshot, stopped, tx)
    tx.wake(chunks.APPLY_JOB)


async def _remove_outdated_chunks(snapshot: Snapshot, tx: Transaction) -> None:
    """Remove earlier stopped rows, and held rows of quarantined lists older than this one."""
    stopped = await tx.chunks.list_by_facility(snapshot.facility_id, ChunkKind.STOPPED)
    held = await tx.chunks.list_by_facility(snapshot.facility_id, ChunkKind.HELD)
    quarantined = await tx.snapshots.many(chunk.snapshot_id for chunk in held)
    outdated = [
        chunk for chunk in held if quarantined[chunk.snapshot_id].taken_at <= snapshot.taken_at
    ]
    for chunk in (*stopped, *outdated):
        tx.chunks.remove(chunk)


async def _take_held_rows(snapshot: Snapshot, tx: Transaction) -> list[RawRow]:
    """Remove the held rows of a quarantined snapshot and return them."""
    raw: list[RawRow] = []
    for chunk in await tx.chunks.list_by_snapshot(snapshot.id, ChunkKind.HELD):
        raw += chunks.decrypt(chunk, tx)
        tx.chunks.remove(chunk)
    return raw


async def _quarantine(
    snapshot: Snapshot, guard: Guard, raw: Sequence[RawRow], facility: Facility, tx: Transaction
) -> None:
    """Open a task about the snapshot; keep its rows only if it can be released."""
    if guard in rules.WAIVABLE_GUARDS:
        chunks.store_held(snapshot, raw, tx)
    task = task_rules.open_task(
        TaskKind.QUARANTINE,
        facility.id,
        tx.now,
        facility.local_date(tx.now),
        subject=snapshot.id,
        facts={"reason": guard.value, "taken_at": snapshot.taken_at.isoformat()},
    )
    await tasks.open_task(task, tx)


def _save_roster(before: Roster, after: Roster, tx: Transaction) -> None:
    if before.version:
        tx.rosters.save(before, after)
    else:
        tx.rosters.add(after)
