"""Rules of applications to join a class, from the form to a seat or another end.

The allowed changes of state are a table. Not here: decisions of the TPP (tpp), seats (enrolments).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training import events
from services.training.settings import TEXTS
from services.training.tpp.rules import Decision, DecisionResult, DecisionScope, Verdict

MAX_CLASSES = 5


class ApplicationUnknown(NotFound):
    title = TEXTS["errors.application_unknown"]


class TooManyClasses(Refused):
    title = TEXTS["errors.too_many_classes"].format(most=MAX_CLASSES)
    field = "class_ids"


class ClassRepeated(Refused):
    title = TEXTS["errors.class_repeated"]
    field = "class_ids"


class AlreadyApplied(Conflict):
    """`class_id` is the class of the other application."""

    title = TEXTS["errors.already_applied"]


class StepRefused(Conflict):
    """`state` is the one that the application is in."""

    title = TEXTS["errors.step_refused"]


class NewerExists(Conflict):
    title = TEXTS["errors.newer_exists"]


class ApplicationState(StrEnum):
    """The state of an application."""

    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    DEFERRED = "DEFERRED"
    WITHDRAWN = "WITHDRAWN"
    REMOVED = "REMOVED"
    ALLOCATED = "ALLOCATED"


OPEN_STATES = frozenset(
    {ApplicationState.SUBMITTED, ApplicationState.APPROVED, ApplicationState.DEFERRED}
)
_ALLOWED_FROM: Mapping[ApplicationState, frozenset[ApplicationState]] = {
    ApplicationState.APPROVED: frozenset({ApplicationState.SUBMITTED}),
    ApplicationState.DECLINED: frozenset({ApplicationState.SUBMITTED}),
    ApplicationState.DEFERRED: frozenset({ApplicationState.SUBMITTED}),
    ApplicationState.SUBMITTED: frozenset({ApplicationState.DEFERRED, ApplicationState.WITHDRAWN}),
    ApplicationState.WITHDRAWN: OPEN_STATES,
    ApplicationState.REMOVED: OPEN_STATES,
    ApplicationState.ALLOCATED: frozenset({ApplicationState.APPROVED}),
}
_STATE_BY_VERDICT: Mapping[Verdict, ApplicationState] = {
    Verdict.RECOMMENDED: ApplicationState.APPROVED,
    Verdict.NOT_RECOMMENDED: ApplicationState.DECLINED,
    Verdict.DEFERRED: ApplicationState.DEFERRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One participant's application for one class; `live` while it can still lead to a seat."""

    id: str
    version: int = 0
    participant_ref: str
    class_id: str
    facility_id: str
    programme_id: str
    branch: str
    state: ApplicationState = ApplicationState.SUBMITTED
    live: bool = True
    submitted_at: datetime
    changed_at: datetime
    decision_id: str = ""
    reason: str = ""
    enrolment_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One form of a participant, for up to five classes.

    `applications` are pairs of class id and application id.
    """

    id: str
    version: int = 0
    participant_ref: str
    facility_id: str
    applications: tuple[tuple[str, str], ...]
    submitted_at: datetime


def check_class_ids(class_ids: Sequence[str]) -> Sequence[str]:
    """Return the classes of one form unchanged. Raises TooManyClasses, ClassRepeated."""
    if not 1 <= len(class_ids) <= MAX_CLASSES:
        raise TooManyClasses
    if len(set(class_ids)) != len(class_ids):
        raise ClassRepeated
    return class_ids


def require_not_applied(class_id: str, live_class_ids: Collection[str]) -> None:
    """Raise AlreadyApplied when the participant has a live application for the class."""
    if class_id in live_class_ids:
        raise AlreadyApplied(class_id=class_id)


def approve_at_once(
    application: Application, decision_id: str, now: datetime, published: Sequence[Event]
) -> tuple[Application, list[Event]]:
    """Return an application handed in under a decision in force that recommends the person.

    `decision_id` is empty without one: the application then waits. `published` are its events so
    far.
    """
    if not decision_id or application.state is not ApplicationState.SUBMITTED:
        return application, list(published)
    approved, events_of_approval = change_state(
        application, ApplicationState.APPROVED, now, decision_id=decision_id
    )
    return approved, [*published, *events_of_approval]


def build_submission_events(application: Application) -> list[Event]:
    """Return the event of an application that is new or was handed in again."""
    return [
        events.ApplicationSubmitted(
            participant_ref=application.participant_ref,
            application_id=application.id,
            class_id=application.class_id,
            facility_id=application.facility_id,
        )
    ]


def is_decided_by(application: Application, decision: Decision) -> bool:
    """Return whether the application waits for a decision and this one covers it."""
    if application.state is not ApplicationState.SUBMITTED:
        return False
    if application.facility_id != decision.facility_id:
        return False
    refs = {
        DecisionScope.CLASS: application.class_id,
        DecisionScope.PROGRAMME: application.programme_id,
        DecisionScope.BRANCH: application.branch,
    }
    return refs.get(decision.scope) == decision.scope_ref


def decide(
    application: Application, decision: Decision, result: DecisionResult, now: datetime
) -> tuple[Application, list[Event]]:
    """Return the application approved, declined or deferred, as the verdict says."""
    return change_state(
        application,
        _STATE_BY_VERDICT[result.verdict],
        now,
        reason=result.reason,
        decision_id=decision.id,
    )


def change_state(
    application: Application,
    to: ApplicationState,
    now: datetime,
    *,
    reason: str = "",
    decision_id: str = "",
    enrolment_id: str = "",
) -> tuple[Application, list[Event]]:
    """Return the application in another state. Raises StepRefused when that is not allowed."""
    if application.state not in _ALLOWED_FROM[to]:
        raise StepRefused(state=application.state)
    after = replace(
        application,
        state=to,
        live=to in OPEN_STATES,
        changed_at=now,
        reason=reason,
        decision_id=decision_id or application.decision_id,
        enrolment_id=enrolment_id,
    )
    if to is ApplicationState.SUBMITTED:
        return after, build_submission_events(after)
    if to is not ApplicationState.APPROVED:
        return after, []
    event = events.ApplicationApproved(
        participant_ref=after.participant_ref,
        application_id=after.id,
        class_id=after.class_id,
        facility_id=after.facility_id,
    )
    return after, [event]


def resubmit(
    application: Application, all_of_class: Sequence[Application], now: datetime
) -> tuple[Application, list[Event]]:
    """Return a withdrawn application handed in again.

    Raises NewerExists when the participant has applied for the class since, StepRefused when it is
    not withdrawn.
    """
    own = _submission_order(application)
    if any(_submission_order(other) > own for other in all_of_class):
        raise NewerExists
    if application.state is not ApplicationState.WITHDRAWN:
        raise StepRefused(state=application.state)
    return change_state(application, ApplicationState.SUBMITTED, now)


def is_older(application: Application, other: Application) -> bool:
    """Return whether the application was handed in before the other one."""
    return _submission_order(application) <= _submission_order(other)


def _submission_order(application: Application) -> tuple[datetime, str]:
    return application.submitted_at, application.id
