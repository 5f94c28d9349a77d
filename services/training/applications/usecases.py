"""Use cases of applications and of TPP decisions, which decide applications.

Participants apply, withdraw and apply again; decisions are recorded and approved; other facts
remove applications that can no longer lead to a seat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chassis import rosters
from chassis.ids import new_id
from chassis.persistence.store import Page
from chassis.rosters import RosterLine
from services.training.applications import rules
from services.training.applications.rules import Application, ApplicationState, Submission
from services.training.classes import rules as class_rules
from services.training.classes.rules import TrainingClass
from services.training.participants.rules import Participant
from services.training.roster_reports.rules import RosterReport
from services.training.roster_reports.usecases import act_on_lines
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.tpp import rules as tpp_rules
from services.training.tpp.rules import Decision, DecisionResult, DecisionScope, Standings
from services.training.transaction import Transaction


async def submit_applications(
    participant_ref: str, class_ids: Sequence[str], tx: Transaction
) -> Submission:
    """Add one form for one to five open classes; all of them or none."""
    person = await tx.participants.get(await tx.resolve(participant_ref))
    live = await tx.applications.list_live_by_participant(person.id)
    live_class_ids = {application.class_id for application in live}
    submitted: list[tuple[str, str]] = []
    for class_id in rules.check_class_ids(class_ids):
        training_class = class_rules.require_open(await tx.classes.get(class_id))
        rules.require_not_applied(class_id, live_class_ids)
        tx.classes.hold(training_class)
        application = await _add_application(person, training_class, tx)
        submitted.append((class_id, application.id))
    submission = Submission(
        id=new_id(),
        participant_ref=person.id,
        facility_id=person.facility_id,
        applications=tuple(submitted),
        submitted_at=tx.now,
    )
    return tx.submissions.add(submission)


async def submit_for_class(
    class_id: str, participant_refs: Sequence[str], tx: Transaction
) -> RosterReport:
    """Add an application of each person for one open class; report each line.

    Somebody with a live application for the class is reported as repeated.
    """
    training_class = class_rules.require_open(await tx.classes.get(class_id))
    tx.classes.hold(training_class)

    async def submit(index: int) -> RosterLine:
        ref = participant_refs[index]
        person = await tx.participants.get(await tx.resolve(ref))
        for application in await tx.applications.list_live_by_participant(person.id):
            if application.class_id == class_id:
                return rosters.repeated(ref, application)
        return rosters.applied(ref, await _add_application(person, training_class, tx))

    return await act_on_lines(
        "applications", training_class.facility_id, class_id, participant_refs, submit, tx
    )


async def withdraw_application(
    application_id: str, reason: str, if_match: int, tx: Transaction
) -> Application:
    """Withdraw an application at the participant's wish."""
    before = await tx.applications.get(application_id, if_match=if_match)
    after, events = rules.change_state(before, ApplicationState.WITHDRAWN, tx.now, reason=reason)
    return tx.applications.save(before, after, events)


async def resubmit_application(application_id: str, if_match: int, tx: Transaction) -> Application:
    """Hand in again an application that was deferred or withdrawn, for the next hearing."""
    before = await tx.applications.get(application_id, if_match=if_match)
    training_class = await tx.classes.get(before.class_id)
    tx.classes.hold(class_rules.require_enrolling(training_class))
    if before.state is ApplicationState.DEFERRED:
        after, events = rules.change_state(before, ApplicationState.SUBMITTED, tx.now)
    else:
        all_of_class = await tx.applications.list_by_participant_and_class(
            before.participant_ref, before.class_id
        )
        after, events = rules.resubmit(before, all_of_class, tx.now)
    person = await tx.participants.get(before.participant_ref, scoped=False)
    decision_id = await _find_recommendation(person, training_class, tx)
    return tx.applications.save(before, *rules.approve_at_once(after, decision_id, tx.now, events))


async def record_decision(decision: Decision, tx: Transaction) -> Decision:
    """Record the decision of a hearing for all its people, and apply it if it is in force.

    A person to whom it cannot be applied is reported as a task and does not stop the others.
    """
    facility = await tx.facilities.get(decision.facility_id)
    results = [
        replace(result, participant_ref=await tx.resolve(result.participant_ref))
        for result in decision.results
    ]
    recorder = tx.caller.actor
    complete = replace(
        decision,
        results=tuple(results),
        head_needed=facility.head_approval_required,
        recorded_by=recorder.by,
        recorded_for=recorder.on_behalf_of,
    )
    recorded = tpp_rules.record(complete, facility.local_date(tx.now))
    tpp_rules.require_scope(
        recorded,
        await tx.programmes.seek(recorded.scope_ref),
        await tx.classes.seek(recorded.scope_ref),
    )
    people = await tx.participants.many(result.participant_ref for result in results)
    tpp_rules.require_known_participants(results, people.keys())
    for person in people.values():
        # an application handed in at the same time must see the decision, or be seen by it
        tx.participants.hold(person)
    return await _apply_decision(None, recorded, tx)


async def approve_decision(decision_id: str, if_match: int, tx: Transaction) -> Decision:
    """Approve a decision as the head (SK Kalapas): it is in force from now on."""
    before = await tx.tpp_decisions.get(decision_id, if_match=if_match)
    approved = tpp_rules.approve(before, tx.caller.actor, tx.now)
    return await _apply_decision(before, approved, tx)


async def allocate(application: Application, enrolment_id: str, tx: Transaction) -> None:
    """Record that the application became a seat."""
    after, events = rules.change_state(
        application,
        ApplicationState.ALLOCATED,
        tx.now,
        reason=application.reason,
        enrolment_id=enrolment_id,
    )
    tx.applications.save(application, after, events)


async def remove_for_person(
    participant_ref: str, facility_id: str | None, reason: str, tx: Transaction
) -> None:
    """Remove a person's live applications in a facility (None = in all), because they left it."""
    for application in await tx.applications.list_live_by_participant(participant_ref):
        if facility_id is None or application.facility_id == facility_id:
            _remove(application, reason, tx)


async def remove_for_class(class_id: str, reason: str, tx: Transaction) -> None:
    """Remove the live applications for a class, because it will not take place."""
    for application in await tx.applications.list_live_by_class(class_id):
        _remove(application, reason, tx)


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move the applications of one reference to another; of two live ones the older stays."""
    own = await tx.applications.list_live_by_participant(into_ref)
    own_by_class = {application.class_id: application for application in own}
    for application in await tx.applications.list_by_participant(from_ref):
        moved = replace(application, participant_ref=into_ref)
        twin = own_by_class.get(application.class_id) if application.live else None
        if twin is not None and rules.is_older(twin, application):
            moved, _ = rules.change_state(moved, ApplicationState.REMOVED, tx.now, reason="MERGED")
        elif twin is not None:
            _remove(twin, "MERGED", tx)
            # the unique index on live applications must see the removal before the move
            await tx.flush()
        tx.applications.save(application, moved)


async def read_application(application_id: str, tx: Transaction) -> Application:
    """Return one application in the caller's scope, noted as read."""
    application = await tx.applications.get(application_id)
    tx.note("class_applications.read", application.id, person=application.participant_ref)
    return application


async def list_applications(
    class_id: str | None,
    participant_ref: str | None,
    state: ApplicationState | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Application]:
    """Return a page of the applications in the caller's scope, noted as read."""
    page = await tx.applications.list_page(class_id, participant_ref, state, cursor, limit)
    people = {application.participant_ref for application in page.items}
    tx.note("class_applications.listed", "", refs=sorted(people))
    return page


async def _add_application(
    person: Participant, training_class: TrainingClass, tx: Transaction
) -> Application:
    programme = await tx.programmes.get(training_class.programme_id)
    application = Application(
        id=new_id(),
        participant_ref=person.id,
        class_id=training_class.id,
        facility_id=training_class.facility_id,
        programme_id=programme.id,
        branch=programme.branch,
        submitted_at=tx.now,
        changed_at=tx.now,
    )
    decision_id = await _find_recommendation(person, training_class, tx)
    submitted = rules.build_submission_events(application)
    return tx.applications.add(*rules.approve_at_once(application, decision_id, tx.now, submitted))


async def _find_recommendation(
    person: Participant, training_class: TrainingClass, tx: Transaction
) -> str:
    """Return the decision in force that recommends the person for the class; empty for none.

    The verdicts are held until the commit.
    """
    programme = await tx.programmes.get(training_class.programme_id)
    facility = await tx.facilities.get(training_class.facility_id, scoped=False)
    standings = await tx.tpp_standings.seek(person.id, scoped=False)
    tx.participants.hold(person)
    if standings is not None:
        tx.tpp_standings.hold(standings)
    today = facility.local_date(tx.now)
    return tpp_rules.find_recommendation(standings, training_class, programme.branch, today)


def _remove(application: Application, reason: str, tx: Transaction) -> None:
    after, events = rules.change_state(application, ApplicationState.REMOVED, tx.now, reason=reason)
    tx.applications.save(application, after, events)


async def _apply_decision(before: Decision | None, decision: Decision, tx: Transaction) -> Decision:
    """Store the decision with its effects on verdicts, applications and work."""
    refs = [result.participant_ref for result in decision.results]
    standings = await tx.tpp_standings.many(refs, scoped=False)
    for result in decision.results:
        _save_verdict(standings.get(result.participant_ref), decision, result, tx)
    facility = await tx.facilities.get(decision.facility_id, scoped=False)
    today = facility.local_date(tx.now)
    not_applied: list[str] = []
    if decision.decides_on(today):
        not_applied = await _decide_applications(decision, tx)
    for participant_ref in not_applied:
        await _open_not_applied_task(decision, participant_ref, tx)
    after = replace(decision, not_applied=tuple(not_applied))
    events = tpp_rules.build_work_eligibility_events(decision, today)
    if before is None:
        return tx.tpp_decisions.add(after, events)
    return tx.tpp_decisions.save(before, after, events)


def _save_verdict(
    before: Standings | None, decision: Decision, result: DecisionResult, tx: Transaction
) -> None:
    if before is not None:
        tx.tpp_standings.save(before, tpp_rules.add_verdict(before, decision, result))
        return
    empty = Standings(id=result.participant_ref, facility_id=decision.facility_id)
    tx.tpp_standings.add(tpp_rules.add_verdict(empty, decision, result))


async def _decide_applications(decision: Decision, tx: Transaction) -> list[str]:
    """Decide the covered applications; return the people without one.

    Only a decision on one class returns people: the other scopes need no application.
    """
    if decision.scope is DecisionScope.WORK:
        return []
    without_application: list[str] = []
    for result in decision.results:
        decided = 0
        for application in await tx.applications.list_live_by_participant(result.participant_ref):
            if rules.is_decided_by(application, decision):
                after, events = rules.decide(application, decision, result, tx.now)
                tx.applications.save(application, after, events)
                decided += 1
        if decided == 0 and decision.scope is DecisionScope.CLASS:
            without_application.append(result.participant_ref)
    return without_application


async def _open_not_applied_task(decision: Decision, participant_ref: str, tx: Transaction) -> None:
    facility = await tx.facilities.get(decision.facility_id, scoped=False)
    task = task_rules.open_task(
        TaskKind.DECISION_NOT_APPLIED,
        facility.id,
        tx.now,
        facility.local_date(tx.now),
        participant_ref=participant_ref,
        subject=decision.id,
        facts={"decision_id": decision.id, "class_id": decision.scope_ref},
    )
    await tasks.open_task(task, tx)
