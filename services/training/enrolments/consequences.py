"""Effects of movements, ended classes, merges and changed details on enrolments.

Closing and cancelling a class lie here because they also end enrolments. Not here: commands of
staff on a single enrolment (usecases).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from chassis.messaging.events import Event
from services.training.applications import usecases as applications
from services.training.attendance import usecases as attendance
from services.training.classes import rules as class_rules
from services.training.classes.rules import TrainingClass
from services.training.enrolments import rules, suspensions, usecases
from services.training.enrolments.rules import EndReason, Enrolment, SuspensionCause
from services.training.facilities.rules import Facility, TransferPolicy
from services.training.participants.rules import Movement, MovementKind, Participant
from services.training.programmes.rules import Severity
from services.training.suitability import rules as suitability_rules
from services.training.suitability import usecases as suitability
from services.training.suitability.rules import SuitabilityReason
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction

# reasons that always apply to somebody who is enrolled
_REASONS_OF_THE_ENROLLED = frozenset({"ALREADY_ENROLLED", "ALREADY_COMPLETED"})


async def apply_movement(movement: Movement, person: Participant, tx: Transaction) -> None:
    """Apply a movement to the person's enrolments and applications, in the same transaction."""
    match movement.kind:
        case MovementKind.RELEASED:
            await _end_all_of_person(movement, person, tx)
        case MovementKind.TRANSFERRED:
            await _apply_transfer(movement, person, tx)
        case MovementKind.ABSENT:
            # outside work is no absence from a class that takes place outside
            includes_outside = movement.code != rules.OUTSIDE_WORK
            await _suspend_all(
                person, SuspensionCause.ABSENCE, tx, includes_outside=includes_outside
            )
        case MovementKind.MISSING:
            await _suspend_all(person, SuspensionCause.MISSING, tx, includes_outside=True)
        case MovementKind.RETURNED:
            await _resume_all(person, SuspensionCause.ABSENCE, tx)
        case MovementKind.RESTORED:
            await _resume_all(person, SuspensionCause.MISSING, tx)
        case MovementKind.ADMITTED | MovementKind.DETAILS_CHANGED | MovementKind.MERGED:
            return


async def report_new_blocks(person: Participant, tx: Transaction) -> None:
    """Open a task for each enrolment that changed details of the person would block now.

    The enrolment itself does not change.
    """
    for enrolment in await tx.enrolments.list_live_by_participant(person.id):
        training_class = await tx.classes.get(enrolment.class_id, scoped=False)
        facility = await tx.facilities.get(enrolment.facility_id, scoped=False)
        case = await suitability.read_case(person, training_class, tx)
        today = facility.local_date(tx.now)
        for reason in suitability_rules.reasons_against_enrolment(case, tx.now, today):
            is_new_block = reason.severity is Severity.BLOCK
            if is_new_block and reason.code not in _REASONS_OF_THE_ENROLLED:
                await _open_block_task(enrolment, reason, facility, tx)


async def close_class(
    class_id: str, because: str, instructor_ref: str, if_match: int, tx: Transaction
) -> TrainingClass:
    """Close a class and cancel its sessions to come; open applications are removed.

    Its live enrolments are completed by the sessions held, or end as not completed. Raises
    ClosingReasonNeeded for a class that is closed early without a reason, InstructorUnknown.
    """
    before = await tx.classes.get(class_id, if_match=if_match)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    rules.require_instructor(before, instructor_ref)
    upcoming = await tx.sessions.list_upcoming(before.id, tx.now)
    after = class_rules.close(before, because, facility.local_date(tx.now), len(upcoming))
    await attendance.cancel_upcoming(upcoming, because, tx)
    sessions = await tx.sessions.list_by_class(before.id)
    for enrolment in await tx.enrolments.list_live_by_class(before.id):
        await usecases.conclude(enrolment, before, sessions, instructor_ref, tx)
    await applications.remove_for_class(class_id, "CLASS_CLOSED", tx)
    return tx.classes.save(before, after)


async def cancel_class(
    class_id: str, because: str, if_match: int, tx: Transaction
) -> TrainingClass:
    """Cancel a class: end its enrolments, free its seats, remove its live applications."""
    before = await tx.classes.get(class_id, if_match=if_match)
    after = class_rules.cancel(before, because)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    today = facility.local_date(tx.now)
    for enrolment in await tx.enrolments.list_live_by_class(before.id):
        await usecases.end(enrolment, EndReason.CLASS_CANCELLED, today, tx)
    await applications.remove_for_class(class_id, "CLASS_CANCELLED", tx)
    return tx.classes.save(before, after)


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move the enrolments of one reference to another.

    Of two live ones in a class the older stays; the other ends, and their marks are joined.
    """
    own = await tx.enrolments.list_live_by_participant(into_ref)
    own_by_class = {enrolment.class_id: enrolment for enrolment in own}
    for enrolment in await tx.enrolments.list_by_participant(from_ref):
        twin = own_by_class.get(enrolment.class_id) if enrolment.live else None
        if twin is not None:
            await _merge_twins(twin, enrolment, into_ref, tx)
            continue
        moved = tx.enrolments.save(enrolment, replace(enrolment, participant_ref=into_ref))
        await attendance.replace_participant_ref(moved.id, into_ref, tx)


async def _merge_twins(
    twin: Enrolment, enrolment: Enrolment, participant_ref: str, tx: Transaction
) -> None:
    """End the younger of two live enrolments of one person in one class."""
    kept, surplus = sorted((twin, enrolment), key=lambda each: (each.enrolled_at, each.id))
    facility = await tx.facilities.get(kept.facility_id, scoped=False)
    ended = await usecases.end(
        replace(surplus, participant_ref=participant_ref),
        EndReason.MERGED,
        facility.local_date(tx.now),
        tx,
        removes_unmarked=False,
    )
    # the unique index on live enrolments must see the end before the other reference changes
    await tx.flush()
    if kept.participant_ref != participant_ref:
        kept = tx.enrolments.save(kept, replace(kept, participant_ref=participant_ref))
    await attendance.merge_records(kept.id, participant_ref, ended.id, tx.now, tx)
    await attendance.replace_participant_ref(kept.id, participant_ref, tx)


async def _end_all_of_person(movement: Movement, person: Participant, tx: Transaction) -> None:
    reason = rules.choose_end_reason(movement.code)
    for enrolment in await tx.enrolments.list_live_by_participant(person.id):
        await usecases.end(enrolment, reason, movement.effective_on, tx)
    await applications.remove_for_person(person.id, None, reason, tx)


async def _apply_transfer(movement: Movement, person: Participant, tx: Transaction) -> None:
    """Apply a transfer by the policy of the facility that the person leaves.

    An enrolment kept in the facility that receives the person resumes.
    """
    left = await tx.facilities.get(movement.from_facility_id, scoped=False)
    today = left.local_date(tx.now)
    for enrolment in await tx.enrolments.list_live_by_participant(person.id):
        if enrolment.facility_id == movement.facility_id:
            after, events = suspensions.resume(enrolment, SuspensionCause.TRANSFER, today)
            await _save_suspension(enrolment, after, events, tx)
        elif enrolment.facility_id == left.id and left.transfer_policy is TransferPolicy.END:
            await usecases.end(enrolment, EndReason.TRANSFERRED, movement.effective_on, tx)
        elif enrolment.facility_id == left.id:
            after, events = suspensions.suspend_for_transfer(enrolment, today)
            await _save_suspension(enrolment, after, events, tx)
    if left.transfer_policy is TransferPolicy.END:
        await applications.remove_for_person(person.id, left.id, EndReason.TRANSFERRED, tx)


async def _suspend_all(
    person: Participant, cause: SuspensionCause, tx: Transaction, *, includes_outside: bool
) -> None:
    for enrolment in await tx.enrolments.list_live_by_participant(person.id):
        if includes_outside or not enrolment.outside:
            today = await _read_today(enrolment, tx)
            after, events = suspensions.suspend(enrolment, cause, today)
            await _save_suspension(enrolment, after, events, tx)


async def _resume_all(person: Participant, cause: SuspensionCause, tx: Transaction) -> None:
    for enrolment in await tx.enrolments.list_live_by_participant(person.id):
        after, events = suspensions.resume(enrolment, cause, await _read_today(enrolment, tx))
        await _save_suspension(enrolment, after, events, tx)


async def _save_suspension(
    before: Enrolment, after: Enrolment, events: Sequence[Event], tx: Transaction
) -> None:
    """Store an automatic suspension or its end, unless nothing changed."""
    if after != before:
        await usecases.save_suspension(before, after, events, tx)


async def _read_today(enrolment: Enrolment, tx: Transaction) -> date:
    facility = await tx.facilities.get(enrolment.facility_id, scoped=False)
    return facility.local_date(tx.now)


async def _open_block_task(
    enrolment: Enrolment, reason: SuitabilityReason, facility: Facility, tx: Transaction
) -> None:
    task = task_rules.open_task(
        TaskKind.NEW_BLOCK,
        facility.id,
        tx.now,
        facility.local_date(tx.now),
        participant_ref=enrolment.participant_ref,
        subject=f"{enrolment.id}/{reason.code}",
        facts={"code": reason.code} | reason.facts,
    )
    await tasks.open_task(task, tx)
