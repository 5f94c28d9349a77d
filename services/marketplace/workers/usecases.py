"""What happens: decisions and whereabouts arrive from training, participants get and leave their places."""

from __future__ import annotations

from datetime import date

from services.marketplace.batches import rules as batches
from services.marketplace.ledger.usecases import move_premi
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_task_once
from services.marketplace.transaction import Transaction
from services.marketplace.workers import rules
from services.marketplace.workers.rules import Assignment, AssignmentId, EndReason, Worker
from services.marketplace.workshops.rules import WorkshopId
from services.marketplace.zones import local_day


async def record_decision(
    participant_ref: str,
    facility_id: str,
    decided_on: date,
    valid_until: date | None,
    tx: Transaction,
    *,
    eligible: bool,
) -> None:
    """Take note of a decision on work; one that says no ends the places it forbids and asks an officer to look."""
    known = await tx.workers.seek(participant_ref, scoped=False)
    after = rules.record_decision(
        known,
        participant_ref=participant_ref,
        facility_id=facility_id,
        eligible=eligible,
        decided_on=decided_on,
        valid_until=valid_until,
    )
    if known is None:
        tx.workers.add(after)
    elif after != known:
        tx.workers.save(known, after)
    if not after.eligible:
        await _end_assignments(participant_ref, EndReason.DECISION, tx)


async def record_release(participant_ref: str, tx: Transaction) -> None:
    """A participant was released: their places end."""
    if await _record_whereabouts(participant_ref, None, tx):
        await _end_assignments(participant_ref, EndReason.RELEASED, tx)


async def record_absence(participant_ref: str, tx: Transaction) -> None:
    """A participant is away for a time: their places wait for them, new ones are not given."""
    await _record_whereabouts(participant_ref, None, tx)


async def record_presence(participant_ref: str, facility_id: str, tx: Transaction) -> None:
    """A participant was admitted or has returned."""
    await _record_whereabouts(participant_ref, facility_id, tx)


async def record_transfer(participant_ref: str, facility_id: str, tx: Transaction) -> None:
    """A participant was transferred: places at the old Lapas end, the new one needs a decision of its own."""
    if await _record_whereabouts(participant_ref, facility_id, tx):
        await _end_assignments(participant_ref, EndReason.TRANSFERRED, tx)


async def merge(from_ref: str, into_ref: str, event_id: str, tx: Transaction) -> None:
    """Two references were one participant: all that is kept under the first goes to the second. A repeat finds nothing to do."""
    await tx.alias(from_ref, into_ref)
    await _merge_worker(from_ref, into_ref, tx)
    await _merge_assignments(from_ref, into_ref, tx)
    for log in await tx.work_logs.list_by_participant(from_ref):
        tx.work_logs.save(log, batches.rekey_work_log(log, into_ref))
    for month in await tx.work_months.list_by_participant(from_ref):
        await _merge_month(month, into_ref, tx)
    await move_premi(from_ref, into_ref, event_id, tx)


async def assign(
    assignment_id: AssignmentId,
    participant_ref: str,
    workshop_id: WorkshopId,
    role: str,
    consented_on: date,
    from_on: date,
    tx: Transaction,
) -> Assignment:
    """Give a participant a place in a workshop."""
    workshop = await tx.workshops.get(workshop_id)
    worker = await tx.workers.get(await tx.resolve(participant_ref))
    others = await tx.assignments.list_by_participant(worker.id)
    today = local_day(tx.now, workshop.zone)
    assignment = rules.assign(
        assignment_id,
        worker,
        workshop,
        others,
        role=role,
        consented_on=consented_on,
        from_on=from_on,
        today=today,
    )
    tx.workers.hold(
        worker
    )  # a decision that says no reads the live places: one of the two must wait
    tx.workshops.hold(workshop)
    return tx.assignments.add(assignment)


async def end(assignment_id: AssignmentId, if_match: int | None, tx: Transaction) -> Assignment:
    """End a place from today on."""
    before = await tx.assignments.get(assignment_id, if_match=if_match)
    return await _end_assignment(before, EndReason.OFFICER, tx)


async def _record_whereabouts(
    participant_ref: str, facility_id: str | None, tx: Transaction
) -> Worker | None:
    known = await tx.workers.seek(participant_ref, scoped=False)
    if known is None:
        return None  # nobody has decided that they may work: nothing here depends on where they are
    after = (
        rules.mark_absent(known) if facility_id is None else rules.mark_present(known, facility_id)
    )
    return tx.workers.save(known, after) if after != known else known


async def _end_assignments(participant_ref: str, reason: EndReason, tx: Transaction) -> None:
    for place in await tx.assignments.list_by_participant(participant_ref):
        if place.live:
            await _end_assignment(place, reason, tx)
            facts = {"because": reason.value, "workshop_id": place.workshop_id}
            await raise_task_once(
                TaskKind.ASSIGNMENT_ENDED,
                place.id,
                facility_id=place.facility_id,
                subject=place.id,
                facts=facts,
                tx=tx,
            )


async def _end_assignment(assignment: Assignment, reason: EndReason, tx: Transaction) -> Assignment:
    workshop = await tx.workshops.get(assignment.workshop_id, scoped=False)
    return tx.assignments.save(
        assignment, rules.end(assignment, reason, local_day(tx.now, workshop.zone))
    )


async def _merge_worker(from_ref: str, into_ref: str, tx: Transaction) -> None:
    known = await tx.workers.seek(from_ref)
    if known is None:
        return
    into = await tx.workers.seek(into_ref)
    survivor = rules.merge(known, into, into_ref)
    tx.workers.remove(known)
    if into is None:
        tx.workers.add(survivor)
    elif survivor != into:
        tx.workers.save(into, survivor)


async def _merge_assignments(from_ref: str, into_ref: str, tx: Transaction) -> None:
    taken = {
        place.workshop_id
        for place in await tx.assignments.list_by_participant(into_ref)
        if place.live
    }
    for place in await tx.assignments.list_by_participant(from_ref):
        kept = (
            await _end_assignment(place, EndReason.MERGED, tx)
            if place.live and place.workshop_id in taken
            else place
        )
        tx.assignments.save(kept, rules.rekey_assignment(kept, into_ref))


async def _merge_month(month: batches.WorkMonth, into_ref: str, tx: Transaction) -> None:
    tx.work_months.remove(month)
    known = await tx.work_months.seek(batches.month_id(into_ref, month.workshop_id, month.month))
    before = known or batches.create_month_of_survivor(month, into_ref)
    after, told = batches.add_units(before, month.units)
    if known:
        tx.work_months.save(before, after, told)
    else:
        tx.work_months.add(after, told)
