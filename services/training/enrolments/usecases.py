"""Use cases of enrolments: enrol, suspend, record results, complete, end, read and list.

Not here: what other facts do to enrolments (consequences).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from chassis.ids import new_id
from chassis.messaging.events import Event
from services.training.applications import usecases as applications
from services.training.attendance import usecases as attendance
from services.training.classes import rules as class_rules
from services.training.classes.rules import TrainingClass
from services.training.completion import rules as completion_rules
from services.training.completion.rules import Progress
from services.training.enrolments import rules, suspensions
from services.training.enrolments.rules import EndReason, Enrolment, Suspension
from services.training.programmes.rules import Edition
from services.training.sessions.rules import Session
from services.training.suitability import rules as suitability_rules
from services.training.suitability import usecases as suitability
from services.training.suitability.rules import SuitabilityCase
from services.training.transaction import Transaction

DUE_PAGE = 500


@dataclass(frozen=True, slots=True)
class EnrolmentView:
    """An enrolment and the facility's date, on which its state depends."""

    enrolment: Enrolment
    today: date


async def enrol(class_id: str, participant_ref: str, override: str, tx: Transaction) -> Enrolment:
    """Give a person a seat if one is free and the rules allow it now.

    The facts that the rules read are held until the commit.
    """
    training_class = class_rules.require_enrolling(await tx.classes.get(class_id))
    person = await tx.participants.get(await tx.resolve(participant_ref))
    facility = await tx.facilities.get(training_class.facility_id, scoped=False)
    today = facility.local_date(tx.now)
    case = await suitability.read_case(person, training_class, tx)
    reasons = suitability_rules.reasons_against_enrolment(case, tx.now, today)
    suitability_rules.require_suitable(reasons, override)
    suitability.hold_case(case, tx)
    application_id = await _find_application_id(case, tx)
    await _take_seat(training_class, tx)
    enrolment = Enrolment(
        id=new_id(),
        participant_ref=person.id,
        class_id=training_class.id,
        facility_id=training_class.facility_id,
        programme_id=training_class.programme_id,
        edition=training_class.edition,
        outside=case.edition.outside,
        starts_on=max(training_class.starts_on, today),
        application_id=application_id,
        override=override,
        override_by=tx.caller.subject if override else "",
        enrolled_at=tx.now,
        enrolled_by=tx.caller.subject,
    )
    added = tx.enrolments.add(enrolment, rules.build_enrolment_events(enrolment))
    if application_id:
        await applications.allocate(await tx.applications.get(application_id), added.id, tx)
    await _expect_in_upcoming_sessions(added, tx)
    return added


async def end_enrolment(
    enrolment_id: str, reason: EndReason, note: str, if_match: int, tx: Transaction
) -> Enrolment:
    """End an enrolment today, by staff."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    return await end(before, reason, facility.local_date(tx.now), tx, note)


async def plan_suspension(
    enrolment_id: str, suspension: Suspension, if_match: int, tx: Transaction
) -> Enrolment:
    """Add a planned suspension; nobody is expected in the sessions of its days."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    after, events = suspensions.plan_suspension(before, suspension, facility.local_date(tx.now))
    return await save_suspension(before, after, events, tx)


async def shorten_suspension(
    enrolment_id: str, number: int, until: date | None, if_match: int, tx: Transaction
) -> Enrolment:
    """Let a planned suspension end earlier (None = lift it); its days are expected again."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    after, events = suspensions.shorten_suspension(
        before, number, until, facility.local_date(tx.now)
    )
    return await save_suspension(before, after, events, tx)


async def publish_due_suspensions(tx: Transaction) -> bool:
    """Publish planned suspensions that begin or are over today; True when there may be more."""
    due = await tx.enrolments.list_suspensions_due(tx.now.date() + timedelta(days=1), DUE_PAGE)
    facilities = await tx.facilities.many({each.facility_id for each in due}, scoped=False)
    published = 0
    for before in due:
        today = facilities[before.facility_id].local_date(tx.now)
        after, events = suspensions.publish_suspension(before, today)
        if after != before:
            tx.enrolments.save(before, after, events)
            published += 1
    return published == DUE_PAGE


async def record_result(
    enrolment_id: str,
    part: str,
    assessor_ref: str,
    score: int | None,
    if_match: int,
    tx: Transaction,
    *,
    passed: bool,
) -> Enrolment:
    """Add one more attempt at a part of the training's own assessment."""
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    after = rules.record_result(
        before, part, passed=passed, score=score, assessor_ref=assessor_ref, assessed_at=tx.now
    )
    return tx.enrolments.save(before, after)


async def confirm_completion(
    enrolment_id: str, instructor_ref: str, if_match: int, tx: Transaction
) -> Enrolment:
    """Complete an enrolment, once. Raises NotYetComplete with what is missing.

    `instructor_ref` is the confirming instructor of the class; it can be empty.
    """
    before = await tx.enrolments.get(enrolment_id, if_match=if_match)
    training_class = await tx.classes.get(before.class_id, scoped=False)
    rules.require_instructor(training_class, instructor_ref)
    sessions = await tx.sessions.list_by_class(training_class.id)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    rules.require_completable(before, rules.find_last_fact_day(before, sessions, facility))
    edition = await _read_edition(before, tx)
    is_confirmed = bool(instructor_ref)
    progress = await _measure_progress(before, sessions, edition, tx, confirmed=is_confirmed)
    completion_rules.require_complete(progress)
    tx.classes.hold(training_class)
    return await _complete(before, training_class, edition, progress, instructor_ref, tx)


async def conclude(
    before: Enrolment,
    training_class: TrainingClass,
    sessions: Sequence[Session],
    instructor_ref: str,
    tx: Transaction,
) -> Enrolment:
    """Complete a live enrolment of a class that is closed, or end it as not completed."""
    edition = await _read_edition(before, tx)
    is_confirmed = bool(instructor_ref)
    progress = await _measure_progress(before, sessions, edition, tx, confirmed=is_confirmed)
    if not progress.missing:
        return await _complete(before, training_class, edition, progress, instructor_ref, tx)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    return await end(before, EndReason.NOT_COMPLETED, facility.local_date(tx.now), tx)


async def _complete(
    before: Enrolment,
    training_class: TrainingClass,
    edition: Edition,
    progress: Progress,
    instructor_ref: str,
    tx: Transaction,
) -> Enrolment:
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    tx.participants.hold(await tx.participants.get(before.participant_ref, scoped=False))
    after, events = rules.complete(
        before,
        edition,
        training_class.instructor_refs,
        progress,
        facility.local_date(tx.now),
        instructor_ref or tx.caller.subject,
    )
    await attendance.remove_unmarked(before.id, tx)
    if before.live:
        await return_seat(before, tx)
    return tx.enrolments.save(before, after, events)


async def read_enrolment(enrolment_id: str, tx: Transaction) -> Enrolment:
    """Return one enrolment in the caller's scope, noted as read."""
    enrolment = await tx.enrolments.get(enrolment_id)
    tx.note("enrolments.read", enrolment.id, person=enrolment.participant_ref)
    return enrolment


async def view_enrolment(enrolment: Enrolment, tx: Transaction) -> EnrolmentView:
    """Return what an answer shows of the enrolment."""
    facility = await tx.facilities.get(enrolment.facility_id, scoped=False)
    return EnrolmentView(enrolment, facility.local_date(tx.now))


async def list_enrolments(
    class_id: str | None,
    participant_ref: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
    *,
    live: bool | None,
) -> tuple[list[EnrolmentView], str | None]:
    """Return a page of the enrolments in the caller's scope and its next cursor, noted as read."""
    page = await tx.enrolments.list_page(class_id, participant_ref, cursor, limit, live=live)
    people = {enrolment.participant_ref for enrolment in page.items}
    tx.note("enrolments.listed", "", refs=sorted(people))
    facility_ids = {enrolment.facility_id for enrolment in page.items}
    facilities = await tx.facilities.many(facility_ids, scoped=False)
    views = [
        EnrolmentView(enrolment, facilities[enrolment.facility_id].local_date(tx.now))
        for enrolment in page.items
    ]
    return views, page.next_cursor


async def view_progress(enrolment: Enrolment, tx: Transaction) -> Progress:
    """Return the progress towards completion, as if an instructor confirmed it now."""
    sessions = await tx.sessions.list_by_class(enrolment.class_id)
    edition = await _read_edition(enrolment, tx)
    return await _measure_progress(enrolment, sessions, edition, tx, confirmed=True)


# Called by consequences too


async def save_suspension(
    before: Enrolment, after: Enrolment, events: Sequence[Event], tx: Transaction
) -> Enrolment:
    """Store a suspension or its end, with the attendance that is expected."""
    saved = tx.enrolments.save(before, after, events)
    await attendance.update_expected(saved.id, saved.absence_on, tx)
    return saved


async def end(
    before: Enrolment,
    reason: EndReason,
    on: date,
    tx: Transaction,
    note: str = "",
    *,
    removes_unmarked: bool = True,
) -> Enrolment:
    """End an enrolment, return its seat and remove its unmarked attendance records."""
    attended_minutes = await attendance.count_attended_minutes(before.id, tx)
    after, events = rules.end(before, reason, on, attended_minutes, note)
    await return_seat(before, tx)
    if removes_unmarked:
        await attendance.remove_unmarked(before.id, tx)
    return tx.enrolments.save(before, after, events)


async def return_seat(enrolment: Enrolment, tx: Transaction) -> None:
    """Free the seat of an enrolment."""
    seats = await tx.class_seats.get(enrolment.class_id, scoped=False)
    tx.class_seats.save(seats, class_rules.return_seat(seats))


async def _take_seat(training_class: TrainingClass, tx: Transaction) -> None:
    seats = await tx.class_seats.get(training_class.id)
    tx.class_seats.save(seats, class_rules.take_seats(seats))


async def _expect_in_upcoming_sessions(enrolment: Enrolment, tx: Transaction) -> None:
    for session in await tx.sessions.list_upcoming(enrolment.class_id, tx.now):
        attendance.expect(
            enrolment.id,
            enrolment.participant_ref,
            enrolment.starts_on,
            session,
            enrolment.absence_on(session.held_on),
            tx,
        )


async def _find_application_id(case: SuitabilityCase, tx: Transaction) -> str:
    live = await tx.applications.list_live_by_participant(case.person.id)
    of_class = [
        application for application in live if application.class_id == case.training_class.id
    ]
    is_required = case.edition.eligibility.application_required
    return rules.choose_application(of_class, is_required=is_required)


async def _read_edition(enrolment: Enrolment, tx: Transaction) -> Edition:
    programme = await tx.programmes.get(enrolment.programme_id)
    return programme.get_edition(enrolment.edition)


async def _measure_progress(
    enrolment: Enrolment,
    sessions: Sequence[Session],
    edition: Edition,
    tx: Transaction,
    *,
    confirmed: bool,
) -> Progress:
    records = await tx.attendance.list_by_enrolment(enrolment.id)
    marks = {record.session_id: record for record in records}
    return completion_rules.measure_progress(
        edition, enrolment.starts_on, sessions, marks, enrolment.results, confirmed=confirmed
    )
