"""Use cases of chunks, the encrypted parts of a snapshot: store, apply and split them.

The transaction that applies a chunk removes it. A killed process therefore continues where it was,
and each movement happens once. Not here: which snapshots are applied (usecases).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from chassis.ids import new_id
from services.training.facilities.rules import Facility, RosterMode
from services.training.mappings import usecases as mappings
from services.training.participants.rules import SnapshotContext
from services.training.raw_cells import usecases as raw_cells
from services.training.snapshot_rows import row_errors
from services.training.snapshot_rows import usecases as rows
from services.training.snapshot_rows.rules import ListedRow, RowError, RowErrorEffect, RowReason
from services.training.snapshots import rules
from services.training.snapshots.rules import Chunk, ChunkKind, Snapshot
from services.training.tasks import usecases as tasks
from services.training.transaction import Transaction

APPLY_JOB = "apply-snapshots"
ROWS_PER_CHUNK = 100
RAW_ROWS_PER_CHUNK = 500
# chunks of missing people come after those of rows
FIRST_MISSING_NUMBER = 1_000_000
_LISTED_ROWS: TypeAdapter[list[ListedRow]] = TypeAdapter(list[ListedRow])


def build_snapshot_context(snapshot: Snapshot, facility: Facility) -> SnapshotContext:
    """Return the context of the snapshot for the rules of custody."""
    return SnapshotContext(
        snapshot_id=snapshot.id,
        facility_id=facility.id,
        as_of=snapshot.taken_at,
        taken_on=facility.local_date(snapshot.taken_at),
    )


def store_rows(snapshot: Snapshot, listed: Sequence[ListedRow], tx: Transaction) -> None:
    """Store the rows to apply, in chunks."""
    content = _LISTED_ROWS.dump_python(list(listed), mode="json")
    _store_in_parts(snapshot, ChunkKind.ROWS, 0, content, ROWS_PER_CHUNK, tx)


def store_held(snapshot: Snapshot, raw: Sequence[Any], tx: Transaction) -> None:
    """Store the raw rows of a quarantined snapshot, in chunks, one also for an empty list."""
    for start in range(0, max(len(raw), 1), RAW_ROWS_PER_CHUNK):
        _store(snapshot, ChunkKind.HELD, start, raw[start : start + RAW_ROWS_PER_CHUNK], tx)


def store_roster(snapshot: Snapshot, source_refs: Sequence[str], tx: Transaction) -> None:
    """Store all source references of the snapshot, also when there are none."""
    _store(snapshot, ChunkKind.ROSTER, 0, source_refs, tx)


def store_stopped(snapshot: Snapshot, raw: Sequence[Any], tx: Transaction) -> None:
    """Store the raw rows that were stopped, if there are any."""
    if raw:
        _store(snapshot, ChunkKind.STOPPED, 0, raw, tx)


def decrypt(chunk: Chunk, tx: Transaction) -> Any:
    """Return the content of a chunk."""
    return json.loads(tx.cipher.decrypt(chunk.sealed, chunk.id))


async def apply_next_chunk(facility_id: str, tx: Transaction) -> bool:
    """Take one step of a facility's first snapshot; False when none is being applied.

    A step applies one chunk, finds the missing people of a full list, or finishes the snapshot.
    """
    snapshot = await tx.snapshots.find_next_to_apply(facility_id)
    if snapshot is None:
        return False
    facility = await tx.facilities.get(snapshot.facility_id)
    (roster,) = await tx.chunks.list_by_snapshot(snapshot.id, ChunkKind.ROSTER)
    listed_refs: frozenset[str] = frozenset(decrypt(roster, tx))
    chunk = await tx.chunks.find_next_to_apply(snapshot.id)
    if chunk is not None:
        counts = await _apply(chunk, snapshot, facility, listed_refs, tx)
        after = rules.add_counts(snapshot, counts)
    elif rules.must_list_missing(snapshot):
        await _store_missing(snapshot, listed_refs, tx)
        after = replace(snapshot, missing_listed=True)
    else:
        after = rules.finish(snapshot, tx.now)
        tx.chunks.remove(roster)
        newest = await tx.rosters.get(facility.id)
        await raw_cells.remove_earlier(facility.id, newest.snapshot_id, tx)
        if snapshot.mode is RosterMode.FULL:
            await tasks.resolve_unlisted(facility.id, listed_refs, tx)
    tx.snapshots.save(snapshot, after)
    return True


async def split_failed_chunk(facility_id: str, tx: Transaction) -> bool:
    """Halve the chunk that failed; a row that fails alone is reported and left out."""
    snapshot = await tx.snapshots.find_next_to_apply(facility_id)
    chunk = await tx.chunks.find_next_to_apply(snapshot.id) if snapshot else None
    if snapshot is None or chunk is None:
        return False
    content: list[Any] = decrypt(chunk, tx)
    tx.chunks.remove(chunk)
    if len(content) > 1:
        half = len(content) // 2
        _store(snapshot, chunk.kind, chunk.number, content[:half], tx)
        _store(snapshot, chunk.kind, chunk.number + half, content[half:], tx)
    elif chunk.kind is ChunkKind.ROWS:
        (row,) = _LISTED_ROWS.validate_python(content)
        await _report_failed_row(row, snapshot, tx)
    return True


async def _apply(
    chunk: Chunk,
    snapshot: Snapshot,
    facility: Facility,
    listed_refs: frozenset[str],
    tx: Transaction,
) -> Counter[str]:
    at = build_snapshot_context(snapshot, facility)
    content = decrypt(chunk, tx)
    tx.chunks.remove(chunk)
    if chunk.kind is not ChunkKind.ROWS:
        return await rows.record_missing_people(content, at, tx)
    listed = _LISTED_ROWS.validate_python(content)
    mapping = await mappings.read_mapping(facility, tx)
    return await rows.apply_rows(listed, at, mapping, listed_refs, tx)


async def _store_missing(snapshot: Snapshot, listed_refs: frozenset[str], tx: Transaction) -> None:
    in_custody = await tx.participants.list_in_custody(snapshot.facility_id)
    missing = rules.find_missing(in_custody, listed_refs)
    _store_in_parts(snapshot, ChunkKind.MISSING, FIRST_MISSING_NUMBER, missing, ROWS_PER_CHUNK, tx)


async def _report_failed_row(row: ListedRow, snapshot: Snapshot, tx: Transaction) -> None:
    error = RowError(
        sheet=row.sheet,
        row=row.number,
        column="",
        field="",
        reason=RowReason.ROW_FAILED,
        effect=RowErrorEffect.ROW,
    )
    facility = await tx.facilities.get(snapshot.facility_id)
    await row_errors.report(row, [error], build_snapshot_context(snapshot, facility), tx)


def _store_in_parts(
    snapshot: Snapshot,
    kind: ChunkKind,
    first_number: int,
    content: Sequence[Any],
    size: int,
    tx: Transaction,
) -> None:
    for start in range(0, len(content), size):
        _store(snapshot, kind, first_number + start, content[start : start + size], tx)


def _store(
    snapshot: Snapshot, kind: ChunkKind, number: int, content: Sequence[Any], tx: Transaction
) -> None:
    chunk_id = new_id()
    text = json.dumps(list(content), ensure_ascii=False)
    chunk = Chunk(
        id=chunk_id,
        facility_id=snapshot.facility_id,
        snapshot_id=snapshot.id,
        kind=kind,
        number=number,
        sealed=tx.cipher.encrypt(text, chunk_id),
    )
    tx.chunks.add(chunk)
