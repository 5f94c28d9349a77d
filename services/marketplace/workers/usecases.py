"""Use cases of workers: decisions and whereabouts of participants, and their assignments.

Not here: rules, work logs (batches).
"""

from __future__ import annotations

from datetime import date

from chassis.persistence.store import Page
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
    """Record a decision on work.

    A refusal ends the participant's assignments and raises a task for each.
    """
    before = await tx.workers.seek(participant_ref, scoped=False)
    after = rules.record_decision(
        before,
        participant_ref=participant_ref,
        facility_id=facility_id,
        eligible=eligible,
        decided_on=decided_on,
        valid_until=valid_until,
    )
    if before is None:
        tx.workers.add(after)
    elif after != before:
        tx.workers.save(before, after)
    if not after.eligible:
        await _end_assignments(participant_ref, EndReason.DECISION, tx)


async def record_release(participant_ref: str, tx: Transaction) -> None:
    """Record a release and end the participant's assignments."""
    if await _mark_absent(participant_ref, tx):
        await _end_assignments(participant_ref, EndReason.RELEASED, tx)


async def record_absence(participant_ref: str, tx: Transaction) -> None:
    """Record an absence; assignments continue, new ones are refused."""
    await _mark_absent(participant_ref, tx)


async def record_presence(participant_ref: str, facility_id: str, tx: Transaction) -> None:
    """Record that a participant was admitted or has returned."""
    await _mark_present(participant_ref, facility_id, tx)


async def record_transfer(participant_ref: str, facility_id: str, tx: Transaction) -> None:
    """Record a transfer and end the assignments at the old Lapas.

    The new Lapas needs a decision of its own.
    """
    if await _mark_present(participant_ref, facility_id, tx):
        await _end_assignments(participant_ref, EndReason.TRANSFERRED, tx)


async def merge_workers(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move the worker and the assignments of a merged reference to the surviving one."""
    await _merge_worker(from_ref, into_ref, tx)
    await _merge_assignments(from_ref, into_ref, tx)


async def assign(
    assignment_id: AssignmentId,
    participant_ref: str,
    workshop_id: WorkshopId,
    role: str,
    consented_on: date,
    from_on: date,
    tx: Transaction,
) -> Assignment:
    """Assign a participant to a workshop."""
    workshop = await tx.workshops.get(workshop_id)
    worker = await tx.workers.get(await tx.resolve(participant_ref))
    others = await tx.assignments.list_by_participant(worker.id)
    assignment = rules.assign(
        assignment_id,
        worker,
        workshop,
        others,
        role=role,
        consented_on=consented_on,
        from_on=from_on,
        today=local_day(tx.now, workshop.zone),
    )
    # A concurrent refusal ends the live assignments that it reads; holding the worker makes the two
    # transactions conflict.
    tx.workers.hold(worker)
    tx.workshops.hold(workshop)
    return tx.assignments.add(assignment)


async def list_assignments(
    workshop_id: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Assignment]:
    """Return one page of assignments, of one workshop or all; the read is audited."""
    page = await tx.assignments.list_page(workshop_id, cursor, limit)
    people = sorted({assignment.participant_ref for assignment in page.items})
    tx.note("work_assignments.listed", "", refs=people)
    return page


async def end(assignment_id: AssignmentId, version: int, tx: Transaction) -> Assignment:
    """End an assignment; today is its last day."""
    before = await tx.assignments.get(assignment_id, if_match=version)
    return await _end_assignment(before, EndReason.OFFICER, tx)


async def _mark_absent(participant_ref: str, tx: Transaction) -> Worker | None:
    before = await tx.workers.seek(participant_ref, scoped=False)
    if before is None:
        return None  # without a decision on work, nothing here depends on where they are
    return _save_worker(before, rules.mark_absent(before), tx)


async def _mark_present(participant_ref: str, facility_id: str, tx: Transaction) -> Worker | None:
    before = await tx.workers.seek(participant_ref, scoped=False)
    if before is None:
        return None  # without a decision on work, nothing here depends on where they are
    return _save_worker(before, rules.mark_present(before, facility_id), tx)


def _save_worker(before: Worker, after: Worker, tx: Transaction) -> Worker:
    return tx.workers.save(before, after) if after != before else before


async def _end_assignments(participant_ref: str, reason: EndReason, tx: Transaction) -> None:
    for assignment in await tx.assignments.list_by_participant(participant_ref):
        if not assignment.live:
            continue
        await _end_assignment(assignment, reason, tx)
        await raise_task_once(
            TaskKind.ASSIGNMENT_ENDED,
            assignment.id,
            facility_id=assignment.facility_id,
            subject=assignment.id,
            facts={"because": reason.value, "workshop_id": assignment.workshop_id},
            tx=tx,
        )


async def _end_assignment(assignment: Assignment, reason: EndReason, tx: Transaction) -> Assignment:
    workshop = await tx.workshops.get(assignment.workshop_id, scoped=False)
    ended = rules.end(assignment, reason, local_day(tx.now, workshop.zone))
    return tx.assignments.save(assignment, ended)


async def _merge_worker(from_ref: str, into_ref: str, tx: Transaction) -> None:
    merged = await tx.workers.seek(from_ref)
    if merged is None:
        return
    into = await tx.workers.seek(into_ref)
    survivor = rules.merge(merged, into, into_ref)
    tx.workers.remove(merged)
    if into is None:
        tx.workers.add(survivor)
    elif survivor != into:
        tx.workers.save(into, survivor)


async def _merge_assignments(from_ref: str, into_ref: str, tx: Transaction) -> None:
    survivors = await tx.assignments.list_by_participant(into_ref)
    taken = {assignment.workshop_id for assignment in survivors if assignment.live}
    for assignment in await tx.assignments.list_by_participant(from_ref):
        kept = assignment
        if assignment.live and assignment.workshop_id in taken:
            kept = await _end_assignment(assignment, EndReason.MERGED, tx)
        tx.assignments.save(kept, rules.rekey_assignment(kept, into_ref))
