"""What happens: participants apply, are decided on, withdraw, come back; other facts remove what has become pointless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.training.applications import rules
from services.training.applications.rules import (
    AlreadyApplied,
    Application,
    ApplicationState,
    Submission,
)
from services.training.classes import rules as class_rules
from services.training.classes.rules import ClassNotOpen, ClassState
from services.training.tpp.rules import Decision, DecisionResult, Scope, Verdict
from services.training.transaction import Transaction

_STATE_BY_VERDICT = {
    Verdict.RECOMMENDED: ApplicationState.APPROVED,
    Verdict.NOT_RECOMMENDED: ApplicationState.DECLINED,
    Verdict.DEFERRED: ApplicationState.DEFERRED,
}


async def submit_applications(
    participant_ref: str, class_ids: Sequence[str], tx: Transaction
) -> Submission:
    """One form for up to five open classes; all of it or nothing."""
    person = await tx.participants.get(await tx.resolve(participant_ref))
    live = {
        application.class_id
        for application in await tx.applications.list_live_by_participant(person.id)
    }
    made: list[tuple[str, str]] = []
    for class_id in rules.check_class_ids(class_ids):
        run = await tx.classes.get(class_id)
        if class_rules.require_enrolling(run).state is not ClassState.OPEN:
            raise ClassNotOpen(state=run.state)
        if class_id in live:
            raise AlreadyApplied(class_id=class_id)
        tx.classes.hold(run)
        programme = await tx.programmes.get(run.programme_id)
        application = Application(
            id=new_id(),
            participant_ref=person.id,
            class_id=run.id,
            facility_id=run.facility_id,
            programme_id=programme.id,
            branch=programme.branch,
            submitted_at=tx.now,
            changed_at=tx.now,
        )
        tx.applications.add(application, rules.build_submission_events(application))
        made.append((class_id, application.id))
    return tx.submissions.add(
        Submission(
            id=new_id(),
            participant_ref=person.id,
            facility_id=person.facility_id,
            applications=tuple(made),
            submitted_at=tx.now,
        )
    )


async def decide(
    participant_ref: str, decision: Decision, result: DecisionResult, tx: Transaction
) -> int:
    """A decision in force meets the applications it covers; how many it decided."""
    decided = 0
    for application in await tx.applications.list_live_by_participant(participant_ref):
        if (
            application.state is ApplicationState.SUBMITTED
            and application.facility_id == decision.facility_id
            and _is_covered(decision, application)
        ):
            after, events = rules.change_state(
                application,
                _STATE_BY_VERDICT[result.verdict],
                tx.now,
                reason=result.reason,
                decision_id=decision.id,
            )
            tx.applications.save(application, after, events)
            decided += 1
    return decided


async def withdraw_application(
    application_id: str, reason: str, if_match: int | None, tx: Transaction
) -> Application:
    """The participant does not wish it any more."""
    before = await tx.applications.get(application_id, if_match=if_match)
    after, events = rules.change_state(before, ApplicationState.WITHDRAWN, tx.now, reason=reason)
    return tx.applications.save(before, after, events)


async def resubmit_application(
    application_id: str, if_match: int | None, tx: Transaction
) -> Application:
    """Deferred: to the next hearing. Withdrawn: handed in again, the only way back."""
    before = await tx.applications.get(application_id, if_match=if_match)
    run = await tx.classes.get(before.class_id)
    tx.classes.hold(class_rules.require_enrolling(run))
    if before.state is ApplicationState.DEFERRED:
        after, events = rules.change_state(before, ApplicationState.SUBMITTED, tx.now)
    else:
        after, events = rules.resubmit(
            before,
            await tx.applications.list_by_participant_and_class(
                before.participant_ref, before.class_id
            ),
            tx.now,
        )
    return tx.applications.save(before, after, events)


async def allocate(application: Application, enrolment_id: str, tx: Transaction) -> None:
    """The wish has become a seat."""
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
    """The person has gone from a facility (None = from all): what was still open there is removed."""
    for application in await tx.applications.list_live_by_participant(participant_ref):
        if facility_id is None or application.facility_id == facility_id:
            _remove(application, reason, tx)


async def remove_for_class(class_id: str, reason: str, tx: Transaction) -> None:
    """The class is no more."""
    for application in await tx.applications.list_live_by_class(class_id):
        _remove(application, reason, tx)


async def rekey(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """The wishes of one reference are the other's; of two live ones for a class the older stays."""
    mine = {
        application.class_id: application
        for application in await tx.applications.list_live_by_participant(into_ref)
    }
    for application in await tx.applications.list_by_participant(from_ref):
        moved = replace(application, participant_ref=into_ref)
        twin = mine.get(application.class_id) if application.live else None
        if twin is not None and (twin.submitted_at, twin.id) <= (
            application.submitted_at,
            application.id,
        ):
            moved = rules.change_state(moved, ApplicationState.REMOVED, tx.now, reason="MERGED")[0]
        elif twin is not None:
            _remove(twin, "MERGED", tx)
            await tx.flush()
        tx.applications.save(application, moved)


async def application(application_id: str, tx: Transaction) -> Application:
    """One application of the caller's facilities."""
    found = await tx.applications.get(application_id)
    tx.note("class_applications.read", found.id, person=found.participant_ref)
    return found


async def applications(
    class_id: str | None,
    participant_ref: str | None,
    state: ApplicationState | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Application]:
    """The caller's applications."""
    page = await tx.applications.list_page(class_id, participant_ref, state, cursor, limit)
    tx.note(
        "class_applications.listed",
        "",
        refs=sorted({found.participant_ref for found in page.items}),
    )
    return page


def _remove(application: Application, reason: str, tx: Transaction) -> None:
    after, events = rules.change_state(application, ApplicationState.REMOVED, tx.now, reason=reason)
    tx.applications.save(application, after, events)


def _is_covered(decision: Decision, application: Application) -> bool:
    spoken_of = {
        Scope.CLASS: application.class_id,
        Scope.PROGRAMME: application.programme_id,
        Scope.BRANCH: application.branch,
    }
    return spoken_of.get(decision.scope) == decision.scope_ref
