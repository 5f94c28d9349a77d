"""Use cases of a workshop's day: record its cells, and read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from chassis import rosters
from chassis.ids import new_id
from chassis.rosters import RosterLine
from services.marketplace.batches import usecases, work_days
from services.marketplace.batches.rules import WorkLog, WorkLogId
from services.marketplace.batches.work_days import WorkCell, WorkDay
from services.marketplace.batches.work_months import create_month
from services.marketplace.transaction import Transaction
from services.marketplace.workers.rules import Assignment
from services.marketplace.workshops.rules import Workshop, WorkshopId


@dataclass(slots=True)
class _Day:
    """One day of a workshop while its cells are recorded.

    `logs` are those of each cell by (participant, batch). `added` is the sum of what was added to
    the month of each participant, with one of the logs.
    """

    workshop: Workshop
    worked_on: date
    logs: dict[tuple[str, str], list[WorkLog]]
    assignments: dict[str, list[Assignment]]
    added: dict[str, tuple[WorkLog, int]] = field(default_factory=dict[str, tuple[WorkLog, int]])

    def put(self, log: WorkLog, added_units: int) -> None:
        """Replace what is stored in the cell of a log, and add to the participant's month."""
        self.logs[log.participant_ref, log.batch_id] = [log]
        _, units = self.added.get(log.participant_ref, (log, 0))
        self.added[log.participant_ref] = log, units + added_units


async def record_day(
    workshop_id: WorkshopId, worked_on: date, cells: Sequence[WorkCell], tx: Transaction
) -> WorkDay:
    """Record the good cells of a workshop's day; report each of them.

    A cell of the units that are stored changes nothing, one of others corrects them at its version
    with a reason. Publishes the sum of the month of each participant once. Raises LineRepeated.
    """
    workshop = await tx.workshops.get(workshop_id)
    day = await _read_day(workshop, worked_on, cells, tx)

    async def record(index: int) -> RosterLine:
        cell = cells[index]
        person = await tx.resolve(cell.participant_ref)
        stored = day.logs.get((person, cell.batch_id), [])
        recorded = work_days.find_recorded(cell, stored)
        if recorded is not None:
            return rosters.repeated(cell.key, recorded)
        if stored:
            return await _correct_cell(cell, stored, day, tx)
        return await _fill_cell(cell, person, day, tx)

    lines = await rosters.act_on_lines([cell.key for cell in cells], record, tx)
    await _add_to_months(day, tx)
    logs = [log for of_cell in day.logs.values() for log in of_cell]
    return _note(
        WorkDay(
            workshop=workshop,
            worked_on=worked_on,
            workers=work_days.group_by_worker(logs),
            lines=lines,
        ),
        tx,
    )


async def read_day(workshop_id: WorkshopId, worked_on: date, tx: Transaction) -> WorkDay:
    """Return a workshop's day; the read is audited."""
    workshop = await tx.workshops.get(workshop_id)
    logs = await tx.work_logs.list_by_day(workshop.id, worked_on)
    workers = work_days.group_by_worker(logs)
    return _note(WorkDay(workshop=workshop, worked_on=worked_on, workers=workers), tx)


async def _read_day(
    workshop: Workshop, worked_on: date, cells: Sequence[WorkCell], tx: Transaction
) -> _Day:
    """Return what is stored of the day, and read at once what its cells depend on."""
    await tx.resolve_many(cell.participant_ref for cell in cells)
    people = {await tx.resolve(cell.participant_ref) for cell in cells}
    logs: dict[tuple[str, str], list[WorkLog]] = {}
    for log in await tx.work_logs.list_by_day(workshop.id, worked_on):
        logs.setdefault((log.participant_ref, log.batch_id), []).append(log)
    await tx.batches.many(cell.batch_id for cell in cells)
    # Unscoped: past work is recorded also after the participant has left the Lapas.
    await tx.workers.many(people, scoped=False)
    return _Day(
        workshop=workshop,
        worked_on=worked_on,
        logs=logs,
        assignments=await tx.assignments.list_by_participants(people),
    )


async def _add_to_months(day: _Day, tx: Transaction) -> None:
    """Add to the month of each participant once; the months are read at once."""
    added = [(log, units) for log, units in day.added.values() if units]
    await tx.work_months.many(create_month(log, day.workshop).id for log, _ in added)
    for log, units in added:
        await usecases.add_to_month(log, day.workshop, units, tx)


async def _fill_cell(cell: WorkCell, person: str, day: _Day, tx: Transaction) -> RosterLine:
    """Record the first log of a cell."""
    workshop = day.workshop
    batch = await tx.batches.seek(cell.batch_id)
    worker = await tx.workers.seek(person, scoped=False)
    assignments = day.assignments[person]
    log = WorkLog(
        id=WorkLogId(new_id()),
        batch_id=cell.batch_id,
        workshop_id=workshop.id,
        facility_id=workshop.facility_id,
        participant_ref=person,
        work_units=cell.work_units,
        worked_on=day.worked_on,
        recorded_by=tx.caller.subject,
        recorded_at=tx.now,
        client_ref=cell.client_ref,
    )
    errors = work_days.errors_against_new(cell, log, batch, workshop, worker, assignments, tx.now)
    if errors or batch is None or worker is None:
        return rosters.refused(cell.key, *errors)
    added = usecases.add_log(log, batch, workshop, worker, assignments, tx)
    day.put(added, added.work_units)
    return rosters.applied(cell.key, added)


async def _correct_cell(
    cell: WorkCell, stored: Sequence[WorkLog], day: _Day, tx: Transaction
) -> RosterLine:
    """Correct the log of a cell."""
    batch = await tx.batches.get(cell.batch_id)
    errors = work_days.errors_against_change(cell, stored, batch, tx.now)
    if errors:
        return rosters.refused(cell.key, *errors)
    before = stored[0]
    after = usecases.save_correction(before, batch, cell.work_units, cell.reason, tx)
    day.put(after, after.work_units - before.work_units)
    return rosters.applied(cell.key, after)


def _note(day: WorkDay, tx: Transaction) -> WorkDay:
    people = [worker.participant_ref for worker in day.workers]
    tx.note("work_days.read", day.workshop.id, refs=people)
    return day
