"""What happens: people get seats, rest, end and complete; movements, merges and the ends of classes take effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from chassis.ids import new_id
from chassis.messaging.events import Event
from chassis.persistence.store import Page
from services.training.applications import usecases as applications
from services.training.applications.rules import State as ApplicationState
from services.training.attendance import usecases as attendance
from services.training.classes import rules as class_rules
from services.training.classes.rules import ClassRun, ClassSeats
from services.training.completion import rules as completion_rules
from services.training.completion.rules import Completion, NotYetComplete
from services.training.enrolments import rules
from services.training.enrolments.rules import (
    Cause,
    EndReason,
    Enrolment,
    InstructorUnknown,
    Suspension,
)
from services.training.facilities.rules import Facility, TransferPolicy
from services.training.participants.rules import Movement, MovementKind, Participant
from services.training.programmes.rules import Edition, Severity
from services.training.sessions.rules import Session, SessionState
from services.training.suitability import rules as suitability_rules
from services.training.suitability import usecases as suitability
from services.training.suitability.rules import Case
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import ItemKind
from services.training.transaction import Transaction

_STILL = frozenset({"ALREADY_ENROLLED", "ALREADY_COMPLETED"})


async def enrol(class_id: str, participant_ref: str, override: str, tx: Transaction) -> Enrolment:
    """A seat for a person, if one is free and the rules allow it now; their facts are held until the commit."""
    run = class_rules.enrolling(await tx.classes.get(class_id))
    person = await tx.participants.get(await tx.resolve(participant_ref))
    facility = await tx.facilities.get(run.facility_id, scoped=False)
    today = facility.today(tx.now)
    case = await suitability.case_of(person, run, tx)
    suitability_rules.passed(suitability_rules.suitability(case, tx.now, today), override)
    suitability.hold(case, tx)
    application_id = await _application(case, tx)
    seats = await tx.class_seats.get(run.id)
    tx.class_seats.save(seats, class_rules.take(seats))
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
    added = tx.enrolments.add(enrolment, rules.enrolled(enrolment))
    if application_id:
        await applications.allocate(await tx.applications.get(application_id), added.id, tx)
    for session in await tx.sessions.still_to_come(run.id, tx.now):
        attendance.expect(added, session, tx)
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
    return await _end(before, reason, facility.today(tx.now), tx, note)


async def plan_suspension(
    enrolment_id: str, suspension: Suspension, if_match: int | None, tx: Transaction
) -> Enrolment:
    """A planned rest."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    return tx.enrolments.save(before, rules.planned(before, suspension))


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
        rules.assessed(
            before, part, passed=passed, score=score, assessor_ref=assessor_ref, at=tx.now
        ),
    )


async def standing(enrolment_id: str, tx: Transaction) -> Completion:
    """Where a participant stands towards completion, as if it were confirmed."""
    enrolment = await tx.enrolments.get(enrolment_id)
    tx.note("enrolments.read", enrolment.id, person=enrolment.participant_ref)
    return await _judge(
        enrolment,
        await tx.sessions.of_class(enrolment.class_id),
        await _edition(enrolment, tx),
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
    sessions = await tx.sessions.of_class(run.id)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    rules.completable(before, _last_fact(before, sessions, facility))
    edition = await _edition(before, tx)
    verdict = await _judge(before, sessions, edition, tx, confirmed=bool(instructor_ref))
    if verdict.missing:
        raise NotYetComplete(reasons=list(verdict.missing), parts=list(verdict.parts_missing))
    tx.classes.hold(run)
    tx.participants.hold(await tx.participants.get(before.participant_ref, scoped=False))
    after, events = rules.completed(
        before,
        edition,
        run.instructor_refs,
        verdict.attended_minutes,
        facility.today(tx.now),
        instructor_ref or tx.caller.subject,
    )
    await attendance.forget(before, tx)
    if before.live:
        await _give_seat_back(before, tx)
    return tx.enrolments.save(before, after, events)


async def enrolment(enrolment_id: str, tx: Transaction) -> tuple[Enrolment, date]:
    """One enrolment of the caller's facilities, and the facility's date."""
    found = await tx.enrolments.get(enrolment_id)
    tx.note("enrolments.read", found.id, person=found.participant_ref)
    return found, (await tx.facilities.get(found.facility_id, scoped=False)).today(tx.now)


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
    page = await tx.enrolments.listed(class_id, participant_ref, cursor, limit, live=live)
    facilities = await tx.facilities.many({found.facility_id for found in page.items}, scoped=False)
    tx.note("enrolments.listed", "", refs=sorted({found.participant_ref for found in page.items}))
    return page, {id_: facility.today(tx.now) for id_, facility in facilities.items()}


# What follows from other facts


async def follow(movement: Movement, person: Participant, tx: Transaction) -> None:
    """A movement takes effect on the person's enrolments and applications, in the movement's own transaction."""
    match movement.kind:
        case MovementKind.RELEASED:
            reason = rules.released_as(movement.code)
            for found in await tx.enrolments.live_of(person.id):
                await _end(found, reason, movement.effective_on, tx)
            await applications.remove_for_person(person.id, None, reason, tx)
        case MovementKind.TRANSFERRED:
            await _leave(movement, person, tx)
        case MovementKind.ABSENT:
            await _rest(person, Cause.ABSENCE, tx, outside_too=movement.code != rules.OUTSIDE_WORK)
        case MovementKind.MISSING:
            await _rest(person, Cause.MISSING, tx, outside_too=True)
        case MovementKind.RETURNED:
            await _resume(person, Cause.ABSENCE, tx)
        case MovementKind.RESTORED:
            await _resume(person, Cause.MISSING, tx)
        case MovementKind.ADMITTED | MovementKind.DETAILS_CHANGED | MovementKind.MERGED:
            return


async def reconsider(person: Participant, tx: Transaction) -> None:
    """Details of a person changed: whoever would not be enrolled any more is shown to the officer, and stays enrolled."""
    for found in await tx.enrolments.live_of(person.id):
        run = await tx.classes.get(found.class_id, scoped=False)
        facility = await tx.facilities.get(found.facility_id, scoped=False)
        today = facility.today(tx.now)
        for reason in suitability_rules.suitability(
            await suitability.case_of(person, run, tx), tx.now, today
        ):
            if reason.severity is Severity.BLOCK and reason.code not in _STILL:
                opened = items.opened(
                    ItemKind.NEW_BLOCK,
                    facility.id,
                    tx.now,
                    today,
                    participant_ref=person.id,
                    subject=f"{found.id}/{reason.code}",
                    facts={"code": reason.code} | reason.facts,
                )
                await inbox.open_item(opened, tx)


async def close_class(run: ClassRun, tx: Transaction) -> None:
    """Whoever has not completed the class by its end has not completed it."""
    await _end_all(run, EndReason.NOT_COMPLETED, tx)


async def cancel_class(run: ClassRun, tx: Transaction) -> None:
    """The class is given up."""
    await _end_all(run, EndReason.CLASS_CANCELLED, tx)


async def rekey(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """The enrolments of one reference are the other's. Of two live ones in a class the older stays, the other ends with its seat back; their marks are joined."""
    mine = {found.class_id: found for found in await tx.enrolments.live_of(into_ref)}
    for found in await tx.enrolments.all_of(from_ref):
        twin = mine.get(found.class_id) if found.live else None
        moved = (
            tx.enrolments.save(found, replace(found, participant_ref=into_ref))
            if twin is None
            else found
        )
        if twin is None:
            await attendance.rekey(moved, tx)
            continue
        kept, ended = sorted((twin, found), key=lambda one: (one.enrolled_at, one.id))
        facility = await tx.facilities.get(found.facility_id, scoped=False)
        gone = await _end(
            replace(ended, participant_ref=into_ref),
            EndReason.MERGED,
            facility.today(tx.now),
            tx,
            forget=False,
        )
        await tx.flush()
        if kept.participant_ref != into_ref:
            kept = tx.enrolments.save(kept, replace(kept, participant_ref=into_ref))
        await attendance.join(kept, gone, tx.now, tx)
        await attendance.rekey(kept, tx)


async def _leave(movement: Movement, person: Participant, tx: Transaction) -> None:
    """A transfer, by the policy of the facility that is left; whoever comes back to a seat kept there is no longer away."""
    left = await tx.facilities.get(movement.from_facility_id, scoped=False)
    for found in await tx.enrolments.live_of(person.id):
        if found.facility_id == movement.facility_id:
            after, events = rules.resumed(found, Cause.TRANSFER)
            await _store_rest(found, after, events, tx)
        elif found.facility_id == left.id and left.transfer_policy is TransferPolicy.END:
            await _end(found, EndReason.TRANSFERRED, movement.effective_on, tx)
        elif found.facility_id == left.id:
            after, events = rules.suspended(found, Cause.TRANSFER)
            await _store_rest(
                found, replace(after, automatic=frozenset({Cause.TRANSFER.value})), events, tx
            )
    if left.transfer_policy is TransferPolicy.END:
        await applications.remove_for_person(person.id, left.id, EndReason.TRANSFERRED, tx)


async def _rest(person: Participant, cause: Cause, tx: Transaction, *, outside_too: bool) -> None:
    for found in await tx.enrolments.live_of(person.id):
        if outside_too or not found.outside:
            after, events = rules.suspended(found, cause)
            await _store_rest(found, after, events, tx)


async def _resume(person: Participant, cause: Cause, tx: Transaction) -> None:
    for found in await tx.enrolments.live_of(person.id):
        after, events = rules.resumed(found, cause)
        await _store_rest(found, after, events, tx)


async def _store_rest(
    before: Enrolment, after: Enrolment, events: Sequence[Event], tx: Transaction
) -> None:
    """Store an automatic suspension or its end, with what is expected of the participant."""
    if after == before:
        return
    saved = tx.enrolments.save(before, after, events)
    if saved.automatic and not before.automatic:
        await attendance.rest(saved, tx)
    elif before.automatic and not saved.automatic:
        await attendance.resume(saved, tx)


async def _end(
    before: Enrolment,
    reason: EndReason,
    on: date,
    tx: Transaction,
    note: str = "",
    *,
    forget: bool = True,
) -> Enrolment:
    """The end of an enrolment: its seat comes back, what is not marked of sessions to come goes, all in one transaction."""
    after, events = rules.ended(
        before, reason, on, await attendance.attended_minutes(before.id, tx), note
    )
    await _give_seat_back(before, tx)
    if forget:
        await attendance.forget(before, tx)
    return tx.enrolments.save(before, after, events)


async def _end_all(run: ClassRun, reason: EndReason, tx: Transaction) -> None:
    facility = await tx.facilities.get(run.facility_id, scoped=False)
    for found in await tx.enrolments.live_in(run.id):
        await _end(found, reason, facility.today(tx.now), tx)


async def _give_seat_back(enrolment: Enrolment, tx: Transaction) -> None:
    seats = await tx.class_seats.get(enrolment.class_id, scoped=False)
    tx.class_seats.save(seats, class_rules.give_back(seats))


async def _application(case: Case, tx: Transaction) -> str:
    """The approved application that becomes this seat, empty when the programme wants none; ApplicationNeeded or ApplicationPending otherwise."""
    live = [
        found
        for found in await tx.applications.live_of(case.person.id)
        if found.class_id == case.run.id
    ]
    if any(found.state is not ApplicationState.APPROVED for found in live):
        raise rules.ApplicationPending
    if not live and case.edition.eligibility.application_required:
        raise rules.ApplicationNeeded
    return live[0].id if live else ""


async def _edition(enrolment: Enrolment, tx: Transaction) -> Edition:
    return (await tx.programmes.get(enrolment.programme_id)).edition(enrolment.edition)


async def _judge(
    enrolment: Enrolment,
    sessions: Sequence[Session],
    edition: Edition,
    tx: Transaction,
    *,
    confirmed: bool,
) -> Completion:
    marks = {record.session_id: record for record in await tx.attendance.of_enrolment(enrolment.id)}
    return completion_rules.completion(
        edition.completion, sessions, marks, enrolment.results, confirmed=confirmed
    )


def _last_fact(enrolment: Enrolment, sessions: Sequence[Session], facility: Facility) -> date:
    """The last day that completion rests on."""
    days = [session.held_on for session in sessions if session.state is not SessionState.CANCELLED]
    return max(
        [enrolment.starts_on, *days, *(facility.today(result.at) for result in enrolment.results)]
    )
