"""What happens: batches are planned, worked on, checked and completed; completion takes the good units into stock."""

from __future__ import annotations

from datetime import date

from services.marketplace.batches import rules
from services.marketplace.batches.rules import (
    Batch,
    BatchId,
    BatchNumberCounter,
    WorkLog,
    WorkLogId,
)
from services.marketplace.money import Rupiah
from services.marketplace.products.rules import SkuUnknown
from services.marketplace.stock.rules import home_location
from services.marketplace.stock.usecases import receive
from services.marketplace.transaction import Transaction
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
    product = (await tx.products.get_by_sku([sku]))[sku]
    if product.workshop_id != workshop.id:
        raise SkuUnknown(sku=sku)
    known = await tx.batch_numbers.seek(workshop.id)
    before = known or BatchNumberCounter(id=workshop.id, facility_id=workshop.facility_id)
    number, after = rules.assign_number(workshop, before, tx.now)
    if known:
        tx.batch_numbers.save(known, after)
    else:
        tx.batch_numbers.add(after)
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


async def start(batch_id: BatchId, if_match: int | None, tx: Transaction) -> Batch:
    """Production begins."""
    before = await tx.batches.get(batch_id, if_match=if_match)
    return tx.batches.save(before, rules.start(before, tx.now))


async def set_costs(
    batch_id: BatchId,
    material_cost_idr: Rupiah,
    other_cost_idr: Rupiah,
    if_match: int,
    tx: Transaction,
) -> Batch:
    """Set what the batch costs."""
    before = await tx.batches.get(batch_id, if_match=if_match)
    return tx.batches.save(before, rules.set_costs(before, material_cost_idr, other_cost_idr))


async def start_quality_check(batch_id: BatchId, if_match: int | None, tx: Transaction) -> Batch:
    """Production is over; the goods are looked at."""
    before = await tx.batches.get(batch_id, if_match=if_match)
    return tx.batches.save(before, rules.start_quality_check(before))


async def complete(
    batch_id: BatchId,
    qty_good: int,
    qty_reject: int,
    reject_reason: str,
    if_match: int | None,
    tx: Transaction,
) -> Batch:
    """Freeze costs and premi weights, and receive the good units at the Lapas store."""
    before = await tx.batches.get(batch_id, if_match=if_match)
    logs = await tx.work_logs.list_by_batch(batch_id)
    after = rules.complete(
        before,
        logs,
        qty_good=qty_good,
        qty_reject=qty_reject,
        reject_reason=reject_reason,
        now=tx.now,
    )
    await receive(
        after.sku, home_location(after.facility_id), after.facility_id, after.portions, after.id, tx
    )
    return tx.batches.save(before, after)


async def reject(
    batch_id: BatchId, qty_reject: int, reason: str, if_match: int | None, tx: Transaction
) -> Batch:
    """Nothing of the batch can be sold."""
    before = await tx.batches.get(batch_id, if_match=if_match)
    return tx.batches.save(
        before, rules.reject(before, qty_reject=qty_reject, reason=reason, now=tx.now)
    )


async def log_work(
    log_id: WorkLogId,
    batch_id: BatchId,
    participant_ref: str,
    work_units: int,
    worked_on: date,
    tx: Transaction,
) -> WorkLog:
    """Record a participant's work on a day, and tell the whole of that month."""
    batch = await tx.batches.get(batch_id)
    workshop = await tx.workshops.get(batch.workshop_id)
    person = await tx.resolve(participant_ref)
    worker = await tx.workers.get(
        person, scoped=False
    )  # past work is recorded also when the participant has moved on
    places = await tx.assignments.list_by_participant(person)
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
    logged = rules.log_work(log, batch, workshop, worker, places, tx.now)
    tx.batches.hold(batch)  # its completion sums the logs
    tx.workers.hold(worker)
    for place in places:
        tx.assignments.hold(place)
    await _add_to_month(logged, workshop, work_units, tx)
    return tx.work_logs.add(logged)


async def correct_log(
    log_id: WorkLogId, work_units: int, reason: str, if_match: int, tx: Transaction
) -> WorkLog:
    """Correct the units of a work log."""
    before = await tx.work_logs.get(log_id, if_match=if_match)
    batch = await tx.batches.get(before.batch_id)
    workshop = await tx.workshops.get(before.workshop_id)
    after = rules.correct(
        before, batch, units=work_units, reason=reason, by=tx.caller.subject, now=tx.now
    )
    tx.batches.hold(batch)
    await _add_to_month(after, workshop, after.work_units - before.work_units, tx)
    return tx.work_logs.save(before, after)


async def _add_to_month(log: WorkLog, workshop: Workshop, units: int, tx: Transaction) -> None:
    month = rules.create_month(log, workshop)
    known = await tx.work_months.seek(month.id)
    after, told = rules.add_units(known or month, units)
    if known:
        tx.work_months.save(known, after, told)
    else:
        tx.work_months.add(after, told)
