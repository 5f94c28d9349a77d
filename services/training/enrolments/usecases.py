"""What happens: people get seats, rest, end and complete; movements, merges and the ends of classes take effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from chassis.ids import new_id
from chassis.messaging.events import Event
from chassis.persistence.store import Page
from services.training.applications import usecases as applications
from services.training.applications.rules import ApplicationState
from services.training.attendance import usecases as attendance
from services.training.classes import rules as class_rules
from services.training.classes.rules import ClassSeats, TrainingClass
from services.training.completion import rules as completion_rules
from services.training.completion.rules import NotYetComplete, Progress
from services.training.enrolments import rules
from services.training.enrolments.rules import (
    EndReason,
    Enrolment,
    InstructorUnknown,
    Suspension,
    SuspensionCause,
)
from services.training.facilities.rules import Facility, TransferPolicy
from services.training.participants.rules import Movement, MovementKind, Participant
from services.training.programmes.rules import Edition, Severity
from services.training.sessions.rules import Session, SessionState
from services.training.suitability import rules as suitability_rules
from services.training.suitability import usecases as suitability
from services.training.suitability.rules import SuitabilityCase
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction

_REASONS_OF_THE_ENROLLED = frozenset({"ALREADY_ENROLLED", "ALREADY_COMPLETED"})


async def enrol(class_id: str, participant_ref: str, override: str, tx: Transaction) -> Enrolment:
    """A seat for a person, if one is free and the rules allow it now; their facts are held until the commit."""
    run = class_rules.require_enrolling(await tx.classes.get(class_id))
    person = await tx.participants.get(await tx.resolve(participant_ref))
    facility = await tx.facilities.get(run.facility_id, scoped=False)
    today = facility.local_date(tx.now)
    case = await suitability.read_case(person, run, tx)
    suitability_rules.require_suitable(
        suitability_rules.reasons_against_enrolment(case, tx.now, today), override
    )
    suitability.hold_case(case, tx)
    application_id = await _find_application_id(case, tx)
    seats = await tx.class_seats.get(run.id)
    tx.class_seats.save(seats, class_rules.take_seats(seats))
    enrolment = Enrolment(
        id=new_id(),
        participant_ref=person.id,
        class_id=run.id,
        facility_id=run.facility_id,
        programme_id=run.programme_id,
        edition=run.edition,
        outside=case.edition.outside,
        starts_on=max(run.starts_on, today),
        application_id=application_id,
        override=override,
        override_by=tx.caller.subject if override else "",
        enrolled_at=tx.now,
        enrolled_by=tx.caller.subject,
    )
    added = tx.enrolments.add(enrolment, rules.build_enrolment_events(enrolment))
    if application_id:
        await applications.allocate(await tx.applications.get(application_id), added.id, tx)
    for session in await tx.sessions.list_upcoming(run.id, tx.now):
        attendance.expect_participant(added, session, tx)
    return added


async def enrol_many(
    class_id: str, participant_refs: Sequence[str], override: str, tx: Transaction
) -> ClassSeats:
    """Seats for all of them, or for none; the seats as they are then."""
    for participant_ref in participant_refs:
        await enrol(class_id, participant_ref, override, tx)
    return await tx.class_seats.get(class_id)


async def end_enrolment(
    enrolment_id: str, reason: EndReason, note: str, if_match: int | None, tx: Transaction
) -> Enrolment:
    """It ends today, by staff."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    return await _end(before, reason, facility.local_date(tx.now), tx, note)


async def plan_suspension(
    enrolment_id: str, suspension: Suspension, if_match: int | None, tx: Transaction
) -> Enrolment:
    """A planned rest."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    return tx.enrolments.save(before, rules.plan_suspension(before, suspension))


async def record_result(
    enrolment_id: str,
    part: str,
    assessor_ref: str,
    score: int | None,
    if_match: int | None,
    tx: Transaction,
    *,
    passed: bool,
) -> Enrolment:
    """One more attempt at a part of the training's own assessment."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    return tx.enrolments.save(
        before,
        rules.record_result(
            before, part, passed=passed, score=score, assessor_ref=assessor_ref, assessed_at=tx.now
        ),
    )


async def standing(enrolment_id: str, tx: Transaction) -> Progress:
    """Where a participant stands towards completion, as if it were confirmed."""
    enrolment = await tx.enrolments.get(enrolment_id)
    tx.note("enrolments.read", enrolment.id, person=enrolment.participant_ref)
    return await _measure_progress(
        enrolment,
        await tx.sessions.list_by_class(enrolment.class_id),
        await _read_edition(enrolment, tx),
        tx,
        confirmed=True,
    )


async def confirm_completion(
    enrolment_id: str, instructor_ref: str, if_match: int | None, tx: Transaction
) -> Enrolment:
    """The participant has completed, once; NotYetComplete names what is missing. `instructor_ref` is the confirming instructor of the class, or empty."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    run = await tx.classes.get(before.class_id, scoped=False)
    if instructor_ref and instructor_ref not in run.instructor_refs:
        raise InstructorUnknown
    sessions = await tx.sessions.list_by_class(run.id)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    rules.reasons_against_completion(before, _find_last_fact_day(before, sessions, facility))
    edition = await _read_edition(before, tx)
    verdict = await _measure_progress(before, sessions, edition, tx, confirmed=bool(instructor_ref))
    if verdict.missing:
        raise NotYetComplete(reasons=list(verdict.missing), parts=list(verdict.missing_parts))
    tx.classes.hold(run)
    tx.participants.hold(await tx.participants.get(before.participant_ref, scoped=False))
    after, events = rules.complete(
        before,
        edition,
        run.instructor_refs,
        verdict.attended_minutes,
        facility.local_date(tx.now),
        instructor_ref or tx.caller.subject,
    )
    await attendance.remove_unmarked(before, tx)
    if before.live:
        await _return_seat(before, tx)
    return tx.enrolments.save(before, after, events)


async def enrolment(enrolment_id: str, tx: Transaction) -> tuple[Enrolment, date]:
    """One enrolment of the caller's facilities, and the facility's date."""
    found = await tx.enrolments.get(enrolment_id)
    tx.note("enrolments.read", found.id, person=found.participant_ref)
    return found, (await tx.facilities.get(found.facility_id, scoped=False)).local_date(tx.now)


async def enrolments(
    class_id: str | None,
    participant_ref: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
    *,
    live: bool | None,
) -> tuple[Page[Enrolment], dict[str, date]]:
    """The caller's enrolments, and the date of each facility."""
    page = await tx.enrolments.list_page(class_id, participant_ref, cursor, limit, live=live)
    facilities = await tx.facilities.many({found.facility_id for found in page.items}, scoped=False)
    tx.note("enrolments.listed", "", refs=sorted({found.participant_ref for found in page.items}))
    return page, {id_: facility.local_date(tx.now) for id_, facility in facilities.items()}


# What follows from other facts


async def apply_movement(movement: Movement, person: Participant, tx: Transaction) -> None:
    """A movement takes effect on the person's enrolments and applications, in the movement's own transaction."""
    match movement.kind:
        case MovementKind.RELEASED:
            reason = rules.choose_end_reason(movement.code)
            for found in await tx.enrolments.list_live_by_participant(person.id):
                await _end(found, reason, movement.effective_on, tx)
            await applications.remove_for_person(person.id, None, reason, tx)
        case MovementKind.TRANSFERRED:
            await _apply_transfer(movement, person, tx)
        case MovementKind.ABSENT:
            await _suspend_all(
                person,
                SuspensionCause.ABSENCE,
                tx,
                includes_outside=movement.code != rules.OUTSIDE_WORK,
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
    """Details of a person changed: whoever would not be enrolled any more is shown to the officer, and stays enrolled."""
    for found in await tx.enrolments.list_live_by_participant(person.id):
        run = await tx.classes.get(found.class_id, scoped=False)
        facility = await tx.facilities.get(found.facility_id, scoped=False)
        today = facility.local_date(tx.now)
        for reason in suitability_rules.reasons_against_enrolment(
            await suitability.read_case(person, run, tx), tx.now, today
        ):
            if reason.severity is Severity.BLOCK and reason.code not in _REASONS_OF_THE_ENROLLED:
                opened = items.open_task(
                    TaskKind.NEW_BLOCK,
                    facility.id,
                    tx.now,
                    today,
                    participant_ref=person.id,
                    subject=f"{found.id}/{reason.code}",
                    facts={"code": reason.code} | reason.facts,
                )
                await inbox.open_task(opened, tx)


async def end_at_class_close(run: TrainingClass, tx: Transaction) -> None:
    """Whoever has not completed the class by its end has not completed it."""
    await _end_all_in_class(run, EndReason.NOT_COMPLETED, tx)


async def end_at_class_cancellation(run: TrainingClass, tx: Transaction) -> None:
    """The class is given up."""
    await _end_all_in_class(run, EndReason.CLASS_CANCELLED, tx)


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """The enrolments of one reference are the other's. Of two live ones in a class the older stays, the other ends with its seat back; their marks are joined."""
    mine = {
        found.class_id: found for found in await tx.enrolments.list_live_by_participant(into_ref)
    }
    for found in await tx.enrolments.list_by_participant(from_ref):
        twin = mine.get(found.class_id) if found.live else None
        moved = (
            tx.enrolments.save(found, replace(found, participant_ref=into_ref))
            if twin is None
            else found
        )
        if twin is None:
            await attendance.replace_participant_ref(moved, tx)
            continue
        kept, ended = sorted((twin, found), key=lambda one: (one.enrolled_at, one.id))
        facility = await tx.facilities.get(found.facility_id, scoped=False)
        gone = await _end(
            replace(ended, participant_ref=into_ref),
            EndReason.MERGED,
            facility.local_date(tx.now),
            tx,
            removes_unmarked=False,
        )
        await tx.flush()
        if kept.participant_ref != into_ref:
            kept = tx.enrolments.save(kept, replace(kept, participant_ref=into_ref))
        await attendance.merge_records(kept, gone, tx.now, tx)
        await attendance.replace_participant_ref(kept, tx)


async def _apply_transfer(movement: Movement, person: Participant, tx: Transaction) -> None:
    """A transfer, by the policy of the facility that is left; whoever comes back to a seat kept there is no longer away."""
    left = await tx.facilities.get(movement.from_facility_id, scoped=False)
    for found in await tx.enrolments.list_live_by_participant(person.id):
        if found.facility_id == movement.facility_id:
            after, events = rules.resume(found, SuspensionCause.TRANSFER)
            await _save_suspension(found, after, events, tx)
        elif found.facility_id == left.id and left.transfer_policy is TransferPolicy.END:
            await _end(found, EndReason.TRANSFERRED, movement.effective_on, tx)
        elif found.facility_id == left.id:
            after, events = rules.suspend(found, SuspensionCause.TRANSFER)
            await _save_suspension(
                found,
                replace(after, automatic=frozenset({SuspensionCause.TRANSFER.value})),
                events,
                tx,
            )
    if left.transfer_policy is TransferPolicy.END:
        await applications.remove_for_person(person.id, left.id, EndReason.TRANSFERRED, tx)


async def _suspend_all(
    person: Participant, cause: SuspensionCause, tx: Transaction, *, includes_outside: bool
) -> None:
    for found in await tx.enrolments.list_live_by_participant(person.id):
        if includes_outside or not found.outside:
            after, events = rules.suspend(found, cause)
            await _save_suspension(found, after, events, tx)


async def _resume_all(person: Participant, cause: SuspensionCause, tx: Transaction) -> None:
    for found in await tx.enrolments.list_live_by_participant(person.id):
        after, events = rules.resume(found, cause)
        await _save_suspension(found, after, events, tx)


async def _save_suspension(
    before: Enrolment, after: Enrolment, events: Sequence[Event], tx: Transaction
) -> None:
    """Store an automatic suspension or its end, with what is expected of the participant."""
    if after == before:
        return
    saved = tx.enrolments.save(before, after, events)
    if saved.automatic and not before.automatic:
        await attendance.suspend(saved, tx)
    elif before.automatic and not saved.automatic:
        await attendance.resume(saved, tx)


async def _end(
    before: Enrolment,
    reason: EndReason,
    on: date,
    tx: Transaction,
    note: str = "",
    *,
    removes_unmarked: bool = True,
) -> Enrolment:
    """The end of an enrolment: its seat comes back, what is not marked of sessions to come goes, all in one transaction."""
    after, events = rules.end(
        before, reason, on, await attendance.count_attended_minutes(before.id, tx), note
    )
    await _return_seat(before, tx)
    if removes_unmarked:
        await attendance.remove_unmarked(before, tx)
    return tx.enrolments.save(before, after, events)


async def _end_all_in_class(run: TrainingClass, reason: EndReason, tx: Transaction) -> None:
    facility = await tx.facilities.get(run.facility_id, scoped=False)
    for found in await tx.enrolments.list_live_by_class(run.id):
        await _end(found, reason, facility.local_date(tx.now), tx)


async def _return_seat(enrolment: Enrolment, tx: Transaction) -> None:
    seats = await tx.class_seats.get(enrolment.class_id, scoped=False)
    tx.class_seats.save(seats, class_rules.return_seat(seats))


async def _find_application_id(case: SuitabilityCase, tx: Transaction) -> str:
    """The approved application that becomes this seat, empty when the programme wants none; ApplicationNeeded or ApplicationPending otherwise."""
    live = [
        found
        for found in await tx.applications.list_live_by_participant(case.person.id)
        if found.class_id == case.training_class.id
    ]
    if any(found.state is not ApplicationState.APPROVED for found in live):
        raise rules.ApplicationPending
    if not live and case.edition.eligibility.application_required:
        raise rules.ApplicationNeeded
    return live[0].id if live else ""


async def _read_edition(enrolment: Enrolment, tx: Transaction) -> Edition:
    return (await tx.programmes.get(enrolment.programme_id)).get_edition(enrolment.edition)


async def _measure_progress(
    enrolment: Enrolment,
    sessions: Sequence[Session],
    edition: Edition,
    tx: Transaction,
    *,
    confirmed: bool,
) -> Progress:
    marks = {
        record.session_id: record for record in await tx.attendance.list_by_enrolment(enrolment.id)
    }
    return completion_rules.measure_progress(
        edition.completion, sessions, marks, enrolment.results, confirmed=confirmed
    )


def _find_last_fact_day(
    enrolment: Enrolment, sessions: Sequence[Session], facility: Facility
) -> date:
    """The last day that completion rests on."""
    days = [session.held_on for session in sessions if session.state is not SessionState.CANCELLED]
    return max(
        [
            enrolment.starts_on,
            *days,
            *(facility.local_date(result.at) for result in enrolment.results),
        ]
    )
