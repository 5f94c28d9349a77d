"""Use cases of row errors: report them, open the tasks about stopped rows, list them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chassis.persistence.store import Page
from services.training.participants.rules import SnapshotContext
from services.training.raw_cells import usecases as raw_cells
from services.training.raw_cells.rules import RawCell
from services.training.snapshot_rows import rules
from services.training.snapshot_rows.rules import (
    ListedRow,
    ReportedError,
    RowError,
    RowErrorEffect,
)
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction


async def report(
    row: ListedRow, errors: Iterable[RowError], at: SnapshotContext, tx: Transaction
) -> None:
    """Report the errors of one row, and store its raw cells."""
    cells = await add(row, errors, at, tx)
    raw_cells.store(cells, at.snapshot_id, at.facility_id, tx)


async def add(
    row: ListedRow, errors: Iterable[RowError], at: SnapshotContext, tx: Transaction
) -> list[RawCell]:
    """Add the errors of one row and the tasks about those that stopped it.

    Returns the raw cells of the errors, which the caller stores.
    """
    cells: list[RawCell] = []
    for error in errors:
        reported = rules.build_reported_error(at.snapshot_id, at.facility_id, error)
        tx.row_errors.add(reported)
        if error.effect is RowErrorEffect.ROW:
            text = rules.identify_matter(row, error, at.facility_id)
            matter = await _look_up_matter(text, at.facility_id, tx)
            await _open_task(error, matter, at.facility_id, tx)
            cells.append(
                RawCell(
                    error_id=reported.id,
                    matter=matter,
                    source_ref=row.source_ref,
                    text=error.raw,
                )
            )
        elif error.raw:
            cells.append(RawCell(error_id=reported.id, text=error.raw))
    return cells


async def list_page(
    snapshot_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[ReportedError]:
    """Return a page of the errors of a snapshot's rows, with the raw cells that are left."""
    snapshot = await tx.snapshots.get(snapshot_id)
    page = await tx.row_errors.list_page(snapshot.id, cursor, limit)
    texts = await raw_cells.show_by_error(snapshot.facility_id, snapshot.id, tx)
    items = [
        replace(item, error=replace(item.error, raw=texts.get(item.id, ""))) for item in page.items
    ]
    return Page(items, page.next_cursor)


async def _look_up_matter(text: str, facility_id: str, tx: Transaction) -> str:
    """Return the look-up value of a matter; the former one while its task is open."""
    current, *former = tx.lookup_keys.values(text)
    for known in former:
        key = task_rules.dedupe_key(TaskKind.ROW_STOPPED, facility_id, "", known)
        if await tx.tasks.find_open(key) is not None:
            return known
    return current


async def _open_task(error: RowError, matter: str, facility_id: str, tx: Transaction) -> None:
    """Open a task about an error that stopped a row.

    The same error of the same person opens one task, however many days it is listed.
    """
    facility = await tx.facilities.get(facility_id, scoped=False)
    facts = {
        "field": error.field,
        "reason": error.reason.value,
        "column": error.column,
        "row": str(error.row),
        "sheet": error.sheet,
        "known_ref": error.known_ref,
    }
    task = task_rules.open_task(
        TaskKind.ROW_STOPPED,
        facility_id,
        tx.now,
        facility.local_date(tx.now),
        subject=matter,
        facts={name: value for name, value in facts.items() if value},
    )
    await tasks.open_task(task, tx)
