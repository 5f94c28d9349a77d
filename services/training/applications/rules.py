"""What is allowed: the wish to join a class, from submission to a seat or an end. Its states and steps are data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training import events

MAX_CLASSES = 5


class ApplicationUnknown(NotFound):
    title = "Pendaftaran tidak ditemukan"


class TooManyClasses(Refused):
    title = f"Paling banyak {MAX_CLASSES} kelas dalam satu pendaftaran, dan paling sedikit satu"
    field = "class_ids"


class ClassRepeated(Refused):
    title = "Kelas yang sama tercantum dua kali"
    field = "class_ids"


class AlreadyApplied(Conflict):
    """`class_id` is the class."""

    title = "Sudah ada pendaftaran yang masih berjalan untuk kelas ini"


class StepRefused(Conflict):
    """`state` is the one the application is in."""

    title = "Pendaftaran ini tidak dapat diubah seperti itu"


class NewerExists(Conflict):
    title = "Sudah ada pendaftaran yang lebih baru untuk kelas ini"


class ApplicationState(StrEnum):
    """How far a wish is."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One participant's wish to join one class; `live` while it may still lead to a seat."""

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
    """One form that a participant handed in, for up to five classes."""

    id: str
    version: int = 0
    participant_ref: str
    facility_id: str
    applications: tuple[tuple[str, str], ...]
    submitted_at: datetime


def check_class_ids(class_ids: Sequence[str]) -> Sequence[str]:
    """The classes of one form; TooManyClasses or ClassRepeated otherwise."""
    if not 1 <= len(class_ids) <= MAX_CLASSES:
        raise TooManyClasses
    if len(set(class_ids)) != len(class_ids):
        raise ClassRepeated
    return class_ids


def build_submission_events(application: Application) -> list[Event]:
    """What is told of a new wish, or of one that was handed in again."""
    return [
        events.ApplicationSubmitted(
            participant_ref=application.participant_ref,
            application_id=application.id,
            class_id=application.class_id,
            facility_id=application.facility_id,
        )
    ]


def change_state(
    application: Application,
    to: ApplicationState,
    now: datetime,
    *,
    reason: str = "",
    decision_id: str = "",
    enrolment_id: str = "",
) -> tuple[Application, list[Event]]:
    """The application in another state; StepRefused when the table has no such step."""
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
    if to is ApplicationState.APPROVED:
        told = events.ApplicationApproved(
            participant_ref=after.participant_ref,
            application_id=after.id,
            class_id=after.class_id,
            facility_id=after.facility_id,
        )
        return after, [told]
    return after, build_submission_events(after) if to is ApplicationState.SUBMITTED else []


def resubmit(
    application: Application, all_of_class: Sequence[Application], now: datetime
) -> tuple[Application, list[Event]]:
    """A withdrawn wish handed in again; NewerExists when the person has applied for the class since."""
    if any(
        (other.submitted_at, other.id) > (application.submitted_at, application.id)
        for other in all_of_class
    ):
        raise NewerExists
    if application.state is not ApplicationState.WITHDRAWN:
        raise StepRefused(state=application.state)
    return change_state(application, ApplicationState.SUBMITTED, now)
