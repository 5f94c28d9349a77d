"""Use cases of snapshots: receive or quarantine, release, retry stopped rows, read.

Not here: applying the rows step by step (chunks).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.training.facilities.rules import Facility, RosterMode
from services.training.mappings import usecases as mappings
from services.training.mappings.parsed_file import ParsedFile, RawRow, SkippedSheet
from services.training.mappings.rules import FileMapping
from services.training.participants.rules import SnapshotContext
from services.training.raw_cells import usecases as raw_cells
from services.training.raw_cells.rules import RawCell
from services.training.snapshot_rows import known_people, references, row_errors
from services.training.snapshot_rows import usecases as rows
from services.training.snapshot_rows.references import ReadRow
from services.training.snapshot_rows.row_reader import read_row
from services.training.snapshots import chunks, rules, taken_at
from services.training.snapshots.rules import (
    ChunkKind,
    Guard,
    JudgedList,
    Roster,
    Snapshot,
    SnapshotState,
)
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A file as it was judged: the guard that fails, and its rows, raw and read."""

    guard: Guard | None
    raw: Sequence[RawRow] = ()
    read: Sequence[ReadRow] = ()
    headings: tuple[str, ...] = ()
    skipped_sheets: tuple[SkippedSheet, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceivedSnapshot:
    """The snapshot of an upload, and whether its bytes were known before."""

    snapshot: Snapshot
    is_duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityLists:
    """A facility, its mapping in force and its last accepted list."""

    facility: Facility
    mapping: FileMapping
    roster: Roster
    accepted: Snapshot | None


async def plan_upload(upload: Upload, tx: Transaction) -> UploadPlan:
    """Return how the file is read. Raises FacilityUnknown, MappingUnknown, TakenAtInFuture."""
    taken_at.require_possible(upload.taken_at, tx.now)
    lists = await _read_lists(upload.facility_id, tx)
    version = lists.mapping.version
    is_known = rules.is_last_list(lists.accepted, upload.checksum, version)
    return UploadPlan(mapping=lists.mapping, is_known=is_known)


async def receive_snapshot(
    upload: Upload, file: ParsedFile | Guard | None, tx: Transaction
) -> Snapshot:
    """Accept or quarantine a file; the bytes of the last accepted list only are a sign of life.

    `file` is the guard that fails for a file that cannot be read, None for known bytes.
    """
    taken_at.require_possible(upload.taken_at, tx.now)
    lists = await _read_lists(upload.facility_id, tx)
    roster = lists.roster
    version = lists.mapping.version
    if lists.accepted and rules.is_last_list(lists.accepted, upload.checksum, version):
        _save_roster(roster, replace(roster, seen_at=tx.now, repeated_at=tx.now), tx)
        return lists.accepted
    facility = lists.facility
    same = await tx.snapshots.find_same(facility.id, upload.checksum, upload.taken_at, version)
    judged = await _judge(upload, rules.require_read(file), lists, tx)
    if same is not None and not rules.is_judged_otherwise(same, judged.guard):
        _save_roster(roster, replace(roster, repeated_at=tx.now), tx)
        await _hold_again(same, judged, tx)
        return same
    snapshot = Snapshot(
        id=same.id if same else new_id(),
        version=same.version if same else 0,
        facility_id=facility.id,
        taken_at=upload.taken_at,
        received_at=tx.now,
        checksum=upload.checksum,
        mapping_version=version,
        mode=facility.roster_mode,
        row_count=len(judged.read),
        state=SnapshotState.APPLYING if judged.guard is None else SnapshotState.QUARANTINED,
        reason=judged.guard or "",
        also=judged.headings,
        skipped_sheets=judged.skipped_sheets,
        uploaded_by=tx.caller.subject,
        uploaded_for=tx.caller.on_behalf_of,
    )
    stored = tx.snapshots.save(same, snapshot) if same else tx.snapshots.add(snapshot)
    if judged.guard is None:
        await _resolve_quarantine(stored, "accepted_later", tx)
        await _accept(stored, judged.raw, judged.read, roster, tx)
    else:
        await _quarantine(stored, judged.guard, judged.raw, facility, tx)
    return stored


async def view_received_snapshot(snapshot: Snapshot, tx: Transaction) -> ReceivedSnapshot:
    """Return the snapshot, and whether this upload only repeated known bytes.

    Such an upload is noted in the roster without adding a snapshot. A request that is repeated
    under its Idempotency-Key is not, and gets the response of the first one.
    """
    roster = await tx.rosters.seek(snapshot.facility_id)
    is_repeated = roster is not None and roster.repeated_at == tx.now
    return ReceivedSnapshot(snapshot, is_duplicate=is_repeated)


async def release_snapshot(
    snapshot_id: str, reason: str, if_match: int, tx: Transaction
) -> Snapshot:
    """Release a quarantined snapshot as a second person; its rows are then applied.

    Raises GuardsRefuse when another guard fails by now.
    """
    before = await tx.snapshots.get(snapshot_id, if_match=if_match)
    released = rules.release(before, tx.caller.actor, reason)
    lists = await _read_lists(before.facility_id, tx)
    raw = await _take_held_rows(before, tx)
    read = await _read_rows(raw, before.taken_at, lists, tx)
    file = ParsedFile.held(raw, before.facility_id)
    guard = rules.find_failed_guard(
        JudgedList(
            file=file,
            rows=[row for row, _ in read],
            taken_at=before.taken_at,
            transfers_in=0,
            is_full_list=before.mode is RosterMode.FULL,
            limit_percent=lists.facility.row_guard_percent,
            waived=rules.WAIVABLE_GUARDS,
        ),
        before.facility_id,
        lists.roster,
    )
    rules.require_no_guard(guard)
    await _resolve_quarantine(before, "released", tx)
    saved = tx.snapshots.save(before, released)
    await _accept(saved, raw, read, lists.roster, tx)
    return saved


async def retry_stopped_rows(snapshot_id: str, if_match: int, tx: Transaction) -> Snapshot:
    """Apply stopped rows of the facility's newest snapshot that its mapping can read now.

    Raises SnapshotOutdated when there is a newer snapshot, or when this one is not applied yet.
    """
    before = await tx.snapshots.get(snapshot_id, if_match=if_match)
    lists = await _read_lists(before.facility_id, tx)
    facility = lists.facility
    rules.require_newest(before, lists.roster)
    at = chunks.build_snapshot_context(before, facility)
    counts: Counter[str] = Counter()
    for chunk in await tx.chunks.list_by_facility(facility.id, ChunkKind.STOPPED):
        raw: list[RawRow] = chunks.decrypt(chunk, tx)
        listed = [row for row, _ in await _read_rows(raw, before.taken_at, lists, tx)]
        readable = [row for row in listed if not row.stopped]
        if not readable:
            continue
        counts += await rows.apply_rows(readable, at, lists.mapping, lists.roster.refs, tx)
        await tasks.resolve_stopped_rows(facility.id, {row.source_ref for row in readable}, tx)
        tx.chunks.remove(chunk)
        still_stopped = [raw_row for raw_row, row in zip(raw, listed, strict=True) if row.stopped]
        chunks.store_stopped(before, still_stopped, tx)
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


async def _read_lists(facility_id: str, tx: Transaction) -> FacilityLists:
    """Read what an upload is judged by. Raises FacilityUnknown, MappingUnknown."""
    facility = await tx.facilities.get(facility_id)
    mapping = await mappings.read_mapping(facility, tx)
    roster = await tx.rosters.seek(facility.id) or Roster(id=facility.id)
    accepted = await tx.snapshots.seek(roster.snapshot_id) if roster.snapshot_id else None
    return FacilityLists(facility=facility, mapping=mapping, roster=roster, accepted=accepted)


async def _judge(
    upload: Upload, file: ParsedFile | Guard, lists: FacilityLists, tx: Transaction
) -> Judged:
    """Return the rows of a file as they were read, and the guard that fails."""
    if isinstance(file, Guard):
        return Judged(guard=file)
    summary = file.summary
    raw = [] if summary["missing"] or summary["twice"] else file.rows
    read = await _read_rows(raw, upload.taken_at, lists, tx)
    listed = [row for row, _ in read]
    facility = lists.facility
    at = SnapshotContext(
        snapshot_id="",
        facility_id=facility.id,
        as_of=upload.taken_at,
        taken_on=facility.local_date(upload.taken_at),
    )
    guard = rules.find_failed_guard(
        JudgedList(
            file=file,
            rows=listed,
            taken_at=upload.taken_at,
            transfers_in=await known_people.count_transfers_in(listed, at, tx),
            is_full_list=facility.roster_mode is RosterMode.FULL,
            limit_percent=facility.row_guard_percent,
            is_read_again=lists.accepted is not None and lists.accepted.checksum == upload.checksum,
        ),
        facility.id,
        lists.roster,
    )
    return Judged(
        guard=guard,
        raw=raw,
        read=read,
        headings=tuple(summary["missing"] or summary["twice"]),
        skipped_sheets=file.skipped_sheets,
    )


async def _read_rows(
    raw: Sequence[RawRow], as_of: datetime, lists: FacilityLists, tx: Transaction
) -> list[ReadRow]:
    """Return the rows read by the mapping in force; those of mistyped references are stopped."""
    taken_on = lists.facility.local_date(as_of)
    read = [read_row(row, lists.mapping, taken_on) for row in raw]
    refs = {row.source_ref for row, _ in read} - {""}
    known = lists.roster.refs | await known_people.find_known_refs(refs - lists.roster.refs, tx)
    return references.stop_other_spellings(read, known, lists.mapping.columns["source_ref"])


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
    at = chunks.build_snapshot_context(snapshot, await tx.facilities.get(snapshot.facility_id))
    cells: list[RawCell] = []
    for row, errors in read:
        cells += await row_errors.add(row, errors, at, tx)
    raw_cells.store(cells, snapshot.id, snapshot.facility_id, tx)
    applicable = [row for row, _ in read if not row.stopped]
    stopped = [original for original, (row, _) in zip(raw, read, strict=True) if row.stopped]
    chunks.store_rows(snapshot, sorted(applicable, key=lambda row: bool(row.merged_into)), tx)
    chunks.store_roster(snapshot, sorted(refs), tx)
    chunks.store_stopped(snapshot, stopped, tx)
    tx.wake(chunks.APPLY_JOB)


async def _remove_outdated_chunks(snapshot: Snapshot, tx: Transaction) -> None:
    """Remove what is left of earlier lists: stopped rows, held rows and raw cells."""
    for kind in (ChunkKind.STOPPED, ChunkKind.HELD):
        for chunk in await tx.chunks.list_by_facility(snapshot.facility_id, kind):
            tx.chunks.remove(chunk)
    await raw_cells.remove_earlier(snapshot.facility_id, snapshot.id, tx)


async def _take_held_rows(snapshot: Snapshot, tx: Transaction) -> list[RawRow]:
    """Remove the held rows of a quarantined snapshot and return them. Raises HeldRowsGone."""
    held = rules.require_held(await tx.chunks.list_by_snapshot(snapshot.id, ChunkKind.HELD))
    raw: list[RawRow] = []
    for chunk in held:
        raw += chunks.decrypt(chunk, tx)
        tx.chunks.remove(chunk)
    return raw


async def _hold_again(snapshot: Snapshot, judged: Judged, tx: Transaction) -> None:
    """Keep the rows of a quarantined file that came again after its rows were removed."""
    if judged.guard not in rules.WAIVABLE_GUARDS:
        return
    if not await tx.chunks.list_by_snapshot(snapshot.id, ChunkKind.HELD):
        chunks.store_held(snapshot, judged.raw, tx)


async def _quarantine(
    snapshot: Snapshot, guard: Guard, raw: Sequence[RawRow], facility: Facility, tx: Transaction
) -> None:
    """Open a task about the snapshot; keep its rows only if it can be released."""
    for chunk in await tx.chunks.list_by_snapshot(snapshot.id, ChunkKind.HELD):
        tx.chunks.remove(chunk)
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


async def _resolve_quarantine(snapshot: Snapshot, resolution: str, tx: Transaction) -> None:
    key = task_rules.dedupe_key(TaskKind.QUARANTINE, snapshot.facility_id, "", snapshot.id)
    await tasks.resolve_open_task(key, resolution, tx)


def _save_roster(before: Roster, after: Roster, tx: Transaction) -> None:
    if before.version:
        tx.rosters.save(before, after)
    else:
        tx.rosters.add(after)
