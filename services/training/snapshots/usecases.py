"""What happens: a file is taken in or set aside, released by a second person, applied chunk by chunk, and its stopped rows are tried again.

A chunk is removed by the transaction that applies it, so a killed process goes on where it was and each movement happens once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from chassis import telemetry
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.persistence.mongo import MongoError
from chassis.persistence.store import Page
from chassis.persistence.transactions import Runner
from services.training.facilities.rules import Facility, RosterMode
from services.training.mappings import usecases as mappings
from services.training.mappings.rules import FileMapping
from services.training.participants.rules import SnapshotContext
from services.training.snapshot_rows import rules as row_rules
from services.training.snapshot_rows import usecases as rows
from services.training.snapshot_rows.rules import (
    Effect,
    ListedRow,
    ReportedError,
    RowError,
    RowReason,
)
from services.training.snapshots import rules
from services.training.snapshots.reader import ParsedFile, RawRow
from services.training.snapshots.rules import (
    Chunk,
    ChunkKind,
    Guard,
    GuardsRefuse,
    Roster,
    Snapshot,
    SnapshotOutdated,
    SnapshotState,
)
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction
from services.training.vault import FieldCipher

ROWS_PER_CHUNK, RAW_PER_CHUNK, FIRST_MISSING_NUMBER = 100, 500, 1_000_000
APPLY_JOB = "apply-snapshots"
_LISTED_ROWS: TypeAdapter[list[ListedRow]] = TypeAdapter(list[ListedRow])
log = telemetry.log(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as it came: whose it is, when its content was taken, and the SHA-256 of its bytes."""

    facility_id: str
    taken_at: datetime
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """What must be known before a file is read: how, and whether its bytes were here before."""

    mapping: FileMapping
    is_known: bool


async def intake(upload: Upload, tx: Transaction) -> UploadPlan:
    """How the facility's files are read; FacilityUnknown or MappingUnknown."""
    facility = await tx.facilities.get(upload.facility_id)
    known = await tx.snapshots.find_by_checksum(facility.id, upload.checksum)
    return UploadPlan(mapping=await mappings.read_mapping(facility, tx), is_known=known is not None)


async def receive_snapshot(
    upload: Upload, sheets: ParsedFile | None, tx: Transaction
) -> tuple[Snapshot, bool]:
    """(the snapshot, whether its bytes were here before). The same bytes are a sign of life and nothing else; others are guarded, then applied or set aside."""
    facility = await tx.facilities.get(upload.facility_id)
    roster = await tx.rosters.seek(facility.id) or Roster(id=facility.id)
    known = await tx.snapshots.find_by_checksum(facility.id, upload.checksum)
    if known is not None:
        _save_roster(roster, replace(roster, seen_at=tx.now), tx)
        return known, True
    mapping = await mappings.read_mapping(facility, tx)
    raw = sheets["rows"] if sheets is not None and not sheets["missing"] else []
    read = [row_rules.read_row(row, mapping, facility.local_date(upload.taken_at)) for row in raw]
    reason = rules.find_failed_guard(
        sheets,
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
        state=SnapshotState.APPLYING if reason is None else SnapshotState.QUARANTINED,
        reason=reason or "",
        also=tuple(sheets["missing"]) if sheets is not None else (),
        uploaded_by=tx.caller.subject,
        uploaded_for=tx.caller.on_behalf_of,
    )
    added = tx.snapshots.add(snapshot)
    if reason is None:
        await _accept(added, raw, read, roster, tx)
    else:
        await _quarantine(added, reason, raw, facility, tx)
    return added, False


async def release_snapshot(
    snapshot_id: str, reason: str, if_match: int | None, tx: Transaction
) -> Snapshot:
    """A second person vouches for a quarantined snapshot: it is applied unless another guard holds by now (GuardsRefuse)."""
    before = await tx.snapshots.get(snapshot_id, if_match=if_match)
    after = rules.release(before, tx.caller.actor, reason)
    facility = await tx.facilities.get(before.facility_id)
    roster = await tx.rosters.seek(facility.id) or Roster(id=facility.id)
    mapping = await mappings.read_mapping(facility, tx)
    held = await tx.chunks.list_by_snapshot(before.id, ChunkKind.HELD)
    raw: list[RawRow] = [row for chunk in held for row in json.loads(_decrypt_chunk(chunk, tx))]
    read = [row_rules.read_row(row, mapping, facility.local_date(before.taken_at)) for row in raw]
    sheets: ParsedFile = {"rows": raw, "missing": [], "facilities": [facility.id]}
    other = rules.find_failed_guard(
        sheets,
        [row for row, _ in read],
        facility.id,
        before.taken_at,
        roster,
        limit_percent=facility.row_guard_percent,
        is_full_list=True,
        waived=rules.WAIVABLE_GUARDS,
    )
    if other is not None:
        raise GuardsRefuse(reason=other)
    for chunk in held:
        tx.chunks.remove(chunk)
    await inbox.resolve_open_task(
        items.dedupe_key(TaskKind.QUARANTINE, facility.id, "", before.id), "released", tx
    )
    saved = tx.snapshots.save(before, after)
    await _accept(saved, raw, read, roster, tx)
    return saved


async def retry_stopped_rows(snapshot_id: str, tx: Transaction) -> Snapshot:
    """The rows of the facility's last snapshot that stopped are read again with what the mapping knows now. SnapshotOutdated when a newer list decides."""
    before = await tx.snapshots.get(snapshot_id)
    facility = await tx.facilities.get(before.facility_id)
    roster = await tx.rosters.get(facility.id)
    if roster.snapshot_id != before.id or before.state is not SnapshotState.APPLIED:
        raise SnapshotOutdated
    mapping = await mappings.read_mapping(facility, tx)
    at = build_snapshot_context(before, facility)
    counts: Counter[str] = Counter()
    for chunk in await tx.chunks.list_by_facility(facility.id, ChunkKind.STOPPED):
        raw: list[RawRow] = json.loads(_decrypt_chunk(chunk, tx))
        read = [(row, row_rules.read_row(row, mapping, at.taken_on)[0]) for row in raw]
        mended = [row for _, row in read if not row.stopped]
        if mended:
            counts += await rows.apply_rows(mended, at, mapping, roster.refs, tx)
            await inbox.resolve_stopped_rows(facility.id, {row.source_ref for row in mended}, tx)
            tx.chunks.remove(chunk)
            _store_chunk(
                before, ChunkKind.STOPPED, 0, [row for row, listed in read if listed.stopped], tx
            )
    return tx.snapshots.save(before, rules.add_counts(before, counts)) if counts else before


async def snapshot(snapshot_id: str, tx: Transaction) -> Snapshot:
    """One snapshot of the caller's facilities."""
    return await tx.snapshots.get(snapshot_id)


async def snapshots(
    facility_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Snapshot]:
    """A facility's snapshots, newest first."""
    await tx.facilities.get(facility_id)
    return await tx.snapshots.list_page(facility_id, cursor, limit)


async def row_errors(
    snapshot_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[ReportedError]:
    """What was wrong with a snapshot's rows."""
    await tx.snapshots.get(snapshot_id)
    return await tx.row_errors.list_page(snapshot_id, cursor, limit)


def build_snapshot_context(snapshot: Snapshot, facility: Facility) -> SnapshotContext:
    """The snapshot as the rules of custody see it."""
    return SnapshotContext(
        snapshot_id=snapshot.id,
        facility_id=facility.id,
        as_of=snapshot.taken_at,
        taken_on=facility.local_date(snapshot.taken_at),
    )


async def _accept(
    snapshot: Snapshot,
    raw: Sequence[RawRow],
    read: Sequence[tuple[ListedRow, list[RowError]]],
    roster: Roster,
    tx: Transaction,
) -> None:
    """From now on this is the facility's list; its rows wait, encrypted, to be applied: those that merge last."""
    refs = frozenset(row.source_ref for row, _ in read if row.source_ref)
    _save_roster(
        roster,
        replace(
            roster,
            snapshot_id=snapshot.id,
            taken_at=snapshot.taken_at,
            row_count=len(read),
            refs=refs,
            seen_at=tx.now,
        ),
        tx,
    )
    for _, errors in read:
        for error in errors:
            tx.row_errors.add(
                row_rules.build_reported_error(snapshot.id, snapshot.facility_id, error)
            )
    await _remove_outdated_chunks(snapshot, tx)
    stopped = [original for original, (row, _) in zip(raw, read, strict=True) if row.stopped]
    for row, errors in read:
        if row.stopped:
            await rows.open_stopped_row_tasks(row, errors, snapshot.facility_id, tx)
    good = sorted(
        (row for row, _ in read if not row.stopped), key=lambda row: bool(row.merged_into)
    )
    for first in range(0, len(good), ROWS_PER_CHUNK):
        _store_chunk(
            snapshot,
            ChunkKind.ROWS,
            first,
            _LISTED_ROWS.dump_python(good[first : first + ROWS_PER_CHUNK], mode="json"),
            tx,
        )
    _store_chunk(snapshot, ChunkKind.ROSTER, 0, sorted(refs), tx)
    _store_chunk(snapshot, ChunkKind.STOPPED, 0, stopped, tx)
    tx.wake(APPLY_JOB)


async def _remove_outdated_chunks(snapshot: Snapshot, tx: Transaction) -> None:
    """A newer list decides: rows that stopped before, and those of quarantined lists it overtakes, are wanted no more."""
    stopped = await tx.chunks.list_by_facility(snapshot.facility_id, ChunkKind.STOPPED)
    held = await tx.chunks.list_by_facility(snapshot.facility_id, ChunkKind.HELD)
    older = await tx.snapshots.many(chunk.snapshot_id for chunk in held)
    for chunk in [
        *stopped,
        *(chunk for chunk in held if older[chunk.snapshot_id].taken_at <= snapshot.taken_at),
    ]:
        tx.chunks.remove(chunk)


async def _quarantine(
    snapshot: Snapshot, reason: Guard, raw: Sequence[RawRow], facility: Facility, tx: Transaction
) -> None:
    """Nothing of it is applied; somebody is asked. The rows are kept only where a person may still vouch for them."""
    if reason in rules.WAIVABLE_GUARDS:
        for first in range(0, len(raw), RAW_PER_CHUNK):
            _store_chunk(
                snapshot, ChunkKind.HELD, first, list(raw[first : first + RAW_PER_CHUNK]), tx
            )
    facts = {"reason": reason.value, "taken_at": snapshot.taken_at.isoformat()}
    await inbox.open_task(
        items.open_task(
            TaskKind.QUARANTINE,
            facility.id,
            tx.now,
            facility.local_date(tx.now),
            subject=snapshot.id,
            facts=facts,
        ),
        tx,
    )


# Applying


async def apply_next(run: Runner[Transaction]) -> bool:
    """Apply the next chunk of the snapshot that was taken in first; True while there is more. A chunk that cannot be applied is halved until the row at fault is alone."""
    try:
        return await run(apply_next_chunk)
    except (Busy, MongoError):
        raise
    except Exception as error:
        log.exception("chunk_failed", error=type(error).__name__)
        return await run(split_failed_chunk)


async def apply_next_chunk(tx: Transaction) -> bool:
    """One chunk in one transaction."""
    snapshot = await tx.snapshots.find_next_to_apply()
    if snapshot is None:
        return False
    facility = await tx.facilities.get(snapshot.facility_id)
    at = build_snapshot_context(snapshot, facility)
    (roster,) = await tx.chunks.list_by_snapshot(snapshot.id, ChunkKind.ROSTER)
    listed: frozenset[str] = frozenset(json.loads(_decrypt_chunk(roster, tx)))
    chunk = await tx.chunks.find_next_to_apply(snapshot.id)
    after = snapshot
    if chunk is not None:
        content = json.loads(_decrypt_chunk(chunk, tx))
        if chunk.kind is ChunkKind.ROWS:
            counts = await rows.apply_rows(
                _LISTED_ROWS.validate_python(content),
                at,
                await mappings.read_mapping(facility, tx),
                listed,
                tx,
            )
        else:
            counts = await rows.record_missing_people(content, at, tx)
        tx.chunks.remove(chunk)
        after = rules.add_counts(snapshot, counts)
    elif snapshot.mode is RosterMode.FULL and not snapshot.missing_listed:
        after = replace(snapshot, missing_listed=True)
        gone = [
            person.id
            for person in await tx.participants.list_in_custody(facility.id)
            if not listed & {person.source_ref, *person.other_refs}
        ]
        for first in range(0, len(gone), ROWS_PER_CHUNK):
            _store_chunk(
                snapshot,
                ChunkKind.MISSING,
                FIRST_MISSING_NUMBER + first,
                gone[first : first + ROWS_PER_CHUNK],
                tx,
            )
    else:
        after = replace(snapshot, state=SnapshotState.APPLIED, applied_at=tx.now)
        if snapshot.mode is RosterMode.FULL:
            await inbox.resolve_custody_conflicts(facility.id, listed, tx)
        tx.chunks.remove(roster)
    tx.snapshots.save(snapshot, after)
    return True


async def split_failed_chunk(tx: Transaction) -> bool:
    """Halve the chunk that could not be applied; a row that fails alone is reported, asked about, and left out."""
    snapshot = await tx.snapshots.find_next_to_apply()
    chunk = await tx.chunks.find_next_to_apply(snapshot.id) if snapshot else None
    if snapshot is None or chunk is None:
        return False
    content: list[Any] = json.loads(_decrypt_chunk(chunk, tx))
    tx.chunks.remove(chunk)
    if len(content) > 1:
        half = len(content) // 2
        _store_chunk(snapshot, chunk.kind, chunk.number, content[:half], tx)
        _store_chunk(snapshot, chunk.kind, chunk.number + half, content[half:], tx)
        return True
    if chunk.kind is ChunkKind.ROWS:
        (row,) = _LISTED_ROWS.validate_python(content)
        error = RowError(
            sheet=row.sheet,
            row=row.number,
            column="",
            field="",
            reason=RowReason.ROW_FAILED,
            effect=Effect.ROW,
        )
        tx.row_errors.add(row_rules.build_reported_error(snapshot.id, snapshot.facility_id, error))
        await rows.open_stopped_row_tasks(row, [error], snapshot.facility_id, tx)
    return True


def _store_chunk(
    snapshot: Snapshot, kind: ChunkKind, number: int, content: Sequence[Any], tx: Transaction
) -> None:
    if not content and kind is not ChunkKind.ROSTER:
        return
    id_ = new_id()
    sealed = _vault(tx).encrypt(json.dumps(content, ensure_ascii=False), id_)
    tx.chunks.add(
        Chunk(
            id=id_,
            facility_id=snapshot.facility_id,
            snapshot_id=snapshot.id,
            kind=kind,
            number=number,
            sealed=sealed,
        )
    )


def _decrypt_chunk(chunk: Chunk, tx: Transaction) -> str:
    return _vault(tx).decrypt(chunk.sealed, chunk.id)


def _vault(tx: Transaction) -> FieldCipher:
    return tx.cipher


def _save_roster(before: Roster, after: Roster, tx: Transaction) -> None:
    if before.version:
        tx.rosters.save(before, after)
    else:
        tx.rosters.add(after)
