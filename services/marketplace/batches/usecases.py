"""Use cases of batches and of the work that went into them; completion fills the stock.

Not here: rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chassis.persistence.store import Page
from services.marketplace.batches import rules, work_months
from services.marketplace.batches.rules import (
    Batch,
    BatchId,
    BatchNumberCounter,
    WorkLog,
    WorkLogId,
)
from services.marketplace.batches.work_months import WorkMonth
from services.marketplace.ledger.rules import Leg, Side, side_total
from services.marketplace.ledger.usecases import move_premi, post_journal
from services.marketplace.money import Rupiah
from services.marketplace.proceeds.rules import issue_legs, shortfall_legs
from services.marketplace.products.rules import require_made_in
from services.marketplace.stock.rules import contention_key, home_location, stock_id
from services.marketplace.stock.usecases import receive
from services.marketplace.transaction import Transaction
from services.marketplace.workers.rules import Assignment, Worker
from services.marketplace.workers.usecases import merge_workers
from services.marketplace.workshops.rules import Workshop, WorkshopId, require_open


async def plan(
    batch_id: BatchId,
    workshop_id: WorkshopId,
    sku: str,
    qty_planned: int,
    material_cost_idr: Rupiah,
    other_cost_idr: Rupiah,
    tx: Transaction,
) -> Batch:
    """Plan a batch of a SKU that the workshop makes, under the workshop's next number."""
    workshop = await tx.workshops.get(workshop_id)
    require_open(workshop)
    products = await tx.products.get_by_sku([sku])
    require_made_in(products[sku], workshop, sku)
    number = await _assign_number(workshop, tx)
    tx.workshops.hold(workshop)
    batch = Batch(
        id=batch_id,
        number=number,
        workshop_id=workshop.id,
        facility_id=workshop.facility_id,
        sku=sku,
        qty_planned=qty_planned,
        material_cost_idr=material_cost_idr,
        other_cost_idr=other_cost_idr,
    )
    return tx.batches.add(batch)


async def list_batches(
    workshop_id: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Batch]:
    """Return one page of batches, of one workshop or all; the read of their makers is audited."""
    page = await tx.batches.list_page(workshop_id, cursor, limit)
    tx.note("batches.listed", workshop_id or "", refs=rules.makers_of(page.items))
    return page


async def read_batch(batch_id: BatchId, tx: Transaction) -> Batch:
    """Return one batch; the read of its makers is audited."""
    batch = await tx.batches.get(batch_id)
    tx.note("batches.read", batch.id, refs=rules.makers_of([batch]))
    return batch


async def find_contended_stock(batch_id: BatchId, tx: Transaction) -> str:
    """Return the contended document that the completion of a batch changes."""
    batch = await tx.batches.get(batch_id)
    return contention_key(stock_id(batch.sku, home_location(batch.facility_id)))


async def start(batch_id: BatchId, version: int, tx: Transaction) -> Batch:
    """Start production: its material is issued and its work ordered, so the cost is booked."""
    before = await tx.batches.get(batch_id, if_match=version)
    after = tx.batches.save(before, rules.start(before, tx.now))
    await _book(f"cost:{after.id}", issue_legs(after.cost_idr), after, tx)
    return after


async def set_costs(
    batch_id: BatchId,
    material_cost_idr: Rupiah,
    other_cost_idr: Rupiah,
    version: int,
    tx: Transaction,
) -> Batch:
    """Set the costs of a batch; the difference is booked once production has started."""
    before = await tx.batches.get(batch_id, if_match=version)
    after = tx.batches.save(before, rules.set_costs(before, material_cost_idr, other_cost_idr))
    if rules.has_booked_cost(before):
        legs = issue_legs(after.cost_idr - before.cost_idr)
        await _book(f"cost:{after.id}:{after.version}", legs, after, tx)
    return after


async def start_quality_check(batch_id: BatchId, version: int, tx: Transaction) -> Batch:
    """End production and start the quality check."""
    before = await tx.batches.get(batch_id, if_match=version)
    return tx.batches.save(before, rules.start_quality_check(before))


async def complete(
    batch_id: BatchId,
    qty_good: int,
    qty_reject: int,
    reject_reason: str,
    version: int,
    tx: Transaction,
) -> Batch:
    """Complete a batch: freeze costs and premi weights, receive the good units into stock."""
    before = await tx.batches.get(batch_id, if_match=version)
    logs = await tx.work_logs.list_by_batch(batch_id)
    after = rules.complete(
        before,
        logs,
        qty_good=qty_good,
        qty_reject=qty_reject,
        reject_reason=reject_reason,
        now=tx.now,
    )
    location = home_location(after.facility_id)
    await receive(after.sku, location, after.facility_id, after.portions, after.id, tx)
    return tx.batches.save(before, after)


async def reject(
    batch_id: BatchId, qty_reject: int, reason: str, version: int, tx: Transaction
) -> Batch:
    """Reject a batch: no unit of it can be sold, and the capital fund bears its cost."""
    before = await tx.batches.get(batch_id, if_match=version)
    after = rules.reject(before, qty_reject=qty_reject, reason=reason, now=tx.now)
    await _book(f"rejected:{after.id}", shortfall_legs(after.cost_idr), after, tx)
    return tx.batches.save(before, after)


async def log_work(
    log_id: WorkLogId,
    batch_id: BatchId,
    participant_ref: str,
    work_units: int,
    worked_on: date,
    tx: Transaction,
) -> WorkLog:
    """Record a participant's work on a day, and publish the sum of that month."""
    batch = await tx.batches.get(batch_id)
    workshop = await tx.workshops.get(batch.workshop_id)
    person = await tx.resolve(participant_ref)
    # Unscoped: past work is recorded also after the participant has left the Lapas.
    stored = await tx.workers.seek(person, scoped=False)
    assignments = await tx.assignments.list_by_participant(person)
    worker = rules.require_known_here(stored, assignments, batch.facility_id)
    log = WorkLog(
        id=log_id,
        batch_id=batch.id,
        workshop_id=workshop.id,
        facility_id=batch.facility_id,
        participant_ref=person,
        work_units=work_units,
        worked_on=worked_on,
        recorded_by=tx.caller.subject,
        recorded_at=tx.now,
    )
    logged = add_log(log, batch, workshop, worker, assignments, tx)
    await add_to_month(logged, workshop, work_units, tx)
    return logged


def add_log(
    log: WorkLog,
    batch: Batch,
    workshop: Workshop,
    worker: Worker,
    assignments: Sequence[Assignment],
    tx: Transaction,
) -> WorkLog:
    """Add a log, which conflicts with a concurrent change of what its rule depends on."""
    logged = rules.log_work(log, batch, workshop, worker, assignments, tx.now)
    tx.batches.hold(batch)  # completion sums the logs of the batch
    tx.workers.hold(worker)
    for assignment in assignments:
        tx.assignments.hold(assignment)
    return tx.work_logs.add(logged)


async def list_work_logs(
    batch_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[WorkLog]:
    """Return one page of the work logs of a batch; the read is audited."""
    page = await tx.work_logs.list_page(batch_id, cursor, limit)
    people = sorted({log.participant_ref for log in page.items})
    tx.note("work_logs.listed", batch_id, refs=people)
    return page


async def correct_log(
    log_id: WorkLogId, work_units: int, reason: str, version: int, tx: Transaction
) -> WorkLog:
    """Correct the units of a work log, and publish the sum of its month."""
    before = await tx.work_logs.get(log_id, if_match=version)
    batch = await tx.batches.get(before.batch_id)
    workshop = await tx.workshops.get(before.workshop_id)
    after = save_correction(before, batch, work_units, reason, tx)
    await add_to_month(after, workshop, after.work_units - before.work_units, tx)
    return after


def save_correction(
    before: WorkLog, batch: Batch, work_units: int, reason: str, tx: Transaction
) -> WorkLog:
    """Save the corrected units of a log, unless its batch is closed at the same time."""
    after = rules.correct(
        before, batch, units=work_units, reason=reason, by=tx.caller.subject, now=tx.now
    )
    tx.batches.hold(batch)
    return tx.work_logs.save(before, after)


async def merge_participants(from_ref: str, into_ref: str, event_id: str, tx: Transaction) -> None:
    """Move everything stored under a merged reference to the surviving one.

    A repeated event finds nothing to move.
    """
    await tx.alias(from_ref, into_ref)
    await merge_workers(from_ref, into_ref, tx)
    for log in await tx.work_logs.list_by_participant(from_ref):
        tx.work_logs.save(log, rules.rekey_work_log(log, into_ref))
    for month in await tx.work_months.list_by_participant(from_ref):
        await _merge_month(month, into_ref, tx)
    await move_premi(from_ref, into_ref, event_id, tx)


async def _book(key: str, legs: tuple[Leg, ...], batch: Batch, tx: Transaction) -> None:
    """Post a journal of a batch; a batch without cost has none."""
    if not side_total(legs, Side.DEBIT):
        return
    workshop = await tx.workshops.get(batch.workshop_id)
    await post_journal(
        key, legs, facility_id=batch.facility_id, zone=workshop.zone, source=batch.id, tx=tx
    )


async def _assign_number(workshop: Workshop, tx: Transaction) -> str:
    stored = await tx.batch_numbers.seek(workshop.id)
    before = stored or BatchNumberCounter(id=workshop.id, facility_id=workshop.facility_id)
    number, after = rules.assign_number(workshop, before, tx.now)
    if stored is None:
        tx.batch_numbers.add(after)
    else:
        tx.batch_numbers.save(stored, after)
    return number


async def add_to_month(log: WorkLog, workshop: Workshop, units: int, tx: Transaction) -> None:
    """Add units to the month of a log, and publish the sum of that month."""
    await _add_units(work_months.create_month(log, workshop), units, tx)


async def _merge_month(month: WorkMonth, into_ref: str, tx: Transaction) -> None:
    tx.work_months.remove(month)
    await _add_units(work_months.create_month_of_survivor(month, into_ref), month.units, tx)


async def _add_units(empty_month: WorkMonth, units: int, tx: Transaction) -> None:
    """Add units to the stored month, or to the empty one if none is stored yet."""
    stored = await tx.work_months.seek(empty_month.id)
    after, events = work_months.add_units(stored or empty_month, units)
    if stored is None:
        tx.work_months.add(after, events)
    else:
        tx.work_months.save(stored, after, events)
