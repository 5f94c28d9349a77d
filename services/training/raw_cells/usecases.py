"""Use cases of raw cells: store them encrypted, read them, remove those of earlier lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from chassis.ids import new_id
from services.training.raw_cells import rules
from services.training.raw_cells.rules import RawCell, RawCells
from services.training.transaction import Transaction

CELLS_PER_PART = 500


def store(cells: Sequence[RawCell], snapshot_id: str, facility_id: str, tx: Transaction) -> None:
    """Store raw cells of a snapshot, in encrypted parts."""
    for start in range(0, len(cells), CELLS_PER_PART):
        part_id = new_id()
        part = [asdict(cell) for cell in cells[start : start + CELLS_PER_PART]]
        sealed = tx.cipher.encrypt(json.dumps(part, ensure_ascii=False), part_id)
        tx.raw_cells.add(
            RawCells(id=part_id, facility_id=facility_id, snapshot_id=snapshot_id, sealed=sealed)
        )


async def read_by_facility(facility_id: str, tx: Transaction) -> list[RawCell]:
    """Return the raw cells of a facility."""
    return _decrypt(await tx.raw_cells.list_by_facility(facility_id), tx)


async def show_by_error(facility_id: str, snapshot_id: str, tx: Transaction) -> dict[str, str]:
    """Return the raw cells of a snapshot by error, noted as read.

    Nothing for a caller who may not see names.
    """
    parts = await tx.raw_cells.list_by_snapshot(facility_id, snapshot_id)
    if not parts or not rules.may_see(tx.caller):
        return {}
    tx.note("raw_cells.shown", snapshot_id, facility=facility_id)
    return {cell.error_id: cell.text for cell in _decrypt(parts, tx)}


async def show_by_matter(facility_ids: Iterable[str], tx: Transaction) -> dict[str, RawCell]:
    """Return the raw cells of these facilities by the subject of the task about them.

    Nothing for a caller who may not see names.
    """
    if not rules.may_see(tx.caller):
        return {}
    cells: list[RawCell] = []
    for facility_id in facility_ids:
        cells += await read_by_facility(facility_id, tx)
    return {cell.matter: cell for cell in cells if cell.matter}


async def remove_earlier(facility_id: str, newest_snapshot_id: str, tx: Transaction) -> None:
    """Remove the raw cells of all lists of a facility but the newest."""
    for part in await tx.raw_cells.list_by_facility(facility_id):
        if part.snapshot_id != newest_snapshot_id:
            tx.raw_cells.remove(part)


def _decrypt(parts: Iterable[RawCells], tx: Transaction) -> list[RawCell]:
    cells: list[RawCell] = []
    for part in parts:
        cells += [RawCell(**cell) for cell in json.loads(tx.cipher.decrypt(part.sealed, part.id))]
    return cells
