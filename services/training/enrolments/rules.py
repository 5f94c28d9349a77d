"""Rules of enrolments. Not here: suitability and the completion rule.

The state is computed from facts, so that late or reordered facts give the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training.applications.rules import Application, ApplicationState
from services.training.attendance.rules import AttendanceReason
from services.training.classes.rules import TrainingClass
from services.training.completion.rules import PartResult, Progress
from services.training.events import (
    CourseCompleted,
    ParticipantEnrolled,
    ParticipantWithdrawn,
    Unit,
)
from services.training.facilities.rules import Facility
from services.training.programmes.rules import Edition
from services.training.sessions.rules import Session, SessionState
from services.training.settings import TEXTS


class EnrolmentUnknown(NotFound):
    title = TEXTS["errors.enrolment_unknown"]


class AlreadyEnded(Conflict):
    title = TEXTS["errors.already_ended"]


class AlreadyCompleted(Conflict):
    title = TEXTS["errors.already_completed"]


class ApplicationNeeded(Refused):
    title = TEXTS["errors.application_needed"]


class ApplicationPending(Conflict):
    title = TEXTS["errors.application_pending"]


class TextNeeded(Refused):
    title = TEXTS["errors.text_needed"]
    field = "note"


class InstructorUnknown(Refused):
    title = TEXTS["errors.instructor_unknown"]
    field = "instructor_ref"


class EnrolmentState(StrEnum):
    """The state of an enrolment on a day, computed from its facts."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    AUTO_SUSPENDED = "AUTO_SUSPENDED"
    COMPLETED = "COMPLETED"
    NOT_COMPLETED = "NOT_COMPLETED"
    ENDED = "ENDED"


class EndReason(StrEnum):
    """Why an enrolment ended: first the reasons of the system, then those of staff."""

    RELEASED = "RELEASED"
    TRANSFERRED = "TRANSFERRED"
    DIED = "DIED"
    ESCAPED = "ESCAPED"
    CLASS_CANCELLED = "CLASS_CANCELLED"
    MERGED = "MERGED"
    NOT_COMPLETED = "NOT_COMPLETED"
    WITHDRAWN_OWN_WISH = "WITHDRAWN_OWN_WISH"
    WITHDRAWN_STAFF = "WITHDRAWN_STAFF"
    DISMISSED = "DISMISSED"
    HEALTH = "HEALTH"
    SECURITY = "SECURITY"
    MOVED_TO_OTHER_CLASS = "MOVED_TO_OTHER_CLASS"
    OTHER = "OTHER"


class SuspensionCause(StrEnum):
    """What suspends an enrolment automatically."""

    ABSENCE = "absence"
    MISSING = "missing"
    TRANSFER = "transfer"


STAFF_END_REASONS = (
    EndReason.WITHDRAWN_OWN_WISH,
    EndReason.WITHDRAWN_STAFF,
    EndReason.DISMISSED,
    EndReason.HEALTH,
    EndReason.SECURITY,
    EndReason.MOVED_TO_OTHER_CLASS,
    EndReason.OTHER,
)
OUTSIDE_WORK = "outside_work"
_END_REASON_BY_RELEASE_KIND = {"death": EndReason.DIED, "escape": EndReason.ESCAPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A planned suspension, both days included; open-ended without `until`."""

    since: date
    until: date | None
    reason: str
    keeps_allowance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A participant in a class; `live` while it has a seat.

    `automatic` are the causes that suspend it now. `changes_on` is the next day on which a planned
    suspension begins or is over.
    """

    id: str
    version: int = 0
    participant_ref: str
    class_id: str
    facility_id: str
    programme_id: str
    edition: int
    outside: bool
    starts_on: date
    live: bool = True
    automatic: frozenset[str] = frozenset()
    suspensions: tuple[Suspension, ...] = ()
    is_suspension_published: bool = False
    changes_on: date | None = None
    results: tuple[PartResult, ...] = ()
    ended_on: date | None = None
    end_reason: str = ""
    end_note: str = ""
    completed_on: date | None = None
    confirmed_by: str = ""
    application_id: str = ""
    override: str = ""
    override_by: str = ""
    enrolled_at: datetime
    enrolled_by: str

    @property
    def last_attendance_day(self) -> date | None:
        """The last day on which the participant can have attended; None while it lasts."""
        if self.live:
            return None
        is_merged = self.end_reason == EndReason.MERGED
        return date.min if is_merged else self.completed_on or self.ended_on

    def absence_on(self, day: date) -> str:
        """Return the reason of the system against attendance on a day; empty for none."""
        if self.automatic:
            return AttendanceReason.AUTO_SUSPENDED.value
        if any(_is_running(suspension, day) for suspension in self.suspensions):
            return AttendanceReason.SUSPENDED.value
        return ""


def compute_state(enrolment: Enrolment, today: date) -> EnrolmentState:
    """Return the state on this day; the first condition that holds decides."""
    if enrolment.completed_on is not None:
        return EnrolmentState.COMPLETED
    if enrolment.end_reason == EndReason.NOT_COMPLETED:
        return EnrolmentState.NOT_COMPLETED
    if enrolment.ended_on is not None:
        return EnrolmentState.ENDED
    if today < enrolment.starts_on:
        return EnrolmentState.PENDING
    if enrolment.automatic:
        return EnrolmentState.AUTO_SUSPENDED
    if any(_is_running(suspension, today) for suspension in enrolment.suspensions):
        return EnrolmentState.SUSPENDED
    return EnrolmentState.ACTIVE


def _is_running(suspension: Suspension, today: date) -> bool:
    if today < suspension.since:
        return False
    return suspension.until is None or today <= suspension.until


def choose_application(applications: Sequence[Application], *, is_required: bool) -> str:
    """Return the id of the approved application that leads to the seat; empty without one.

    `applications` are the person's live ones for the class. Raises ApplicationPending when one is
    not decided, ApplicationNeeded when the programme requires one.
    """
    if any(application.state is not ApplicationState.APPROVED for application in applications):
        raise ApplicationPending
    if applications:
        return applications[0].id
    if is_required:
        raise ApplicationNeeded
    return ""


def build_enrolment_events(enrolment: Enrolment) -> list[Event]:
    """Return the event of a new enrolment."""
    return [
        ParticipantEnrolled(
            participant_ref=enrolment.participant_ref,
            enrolment_id=enrolment.id,
            class_id=enrolment.class_id,
            facility_id=enrolment.facility_id,
            programme_id=enrolment.programme_id,
        )
    ]


def end(
    enrolment: Enrolment, reason: EndReason, on: date, attended_minutes: int, note: str = ""
) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment ended. Raises AlreadyCompleted, AlreadyEnded, TextNeeded."""
    require_live(enrolment)
    if reason is EndReason.OTHER and not note:
        raise TextNeeded
    after = replace(
        enrolment,
        live=False,
        ended_on=on,
        end_reason=reason.value,
        end_note=note,
        automatic=frozenset(),
        changes_on=None,
    )
    event = ParticipantWithdrawn(
        participant_ref=after.participant_ref,
        enrolment_id=after.id,
        class_id=after.class_id,
        facility_id=after.facility_id,
        reason=reason.value,
        attended_minutes=attended_minutes,
    )
    return after, [event]


def choose_end_reason(release_kind: str) -> EndReason:
    """Return the end reason for a release of this kind."""
    return _END_REASON_BY_RELEASE_KIND.get(release_kind, EndReason.RELEASED)


def record_result(
    enrolment: Enrolment,
    part: str,
    *,
    passed: bool,
    score: int | None,
    assessor_ref: str,
    assessed_at: datetime,
) -> Enrolment:
    """Return the enrolment with one more attempt at a part of the assessment."""
    require_live(enrolment)
    attempts = [result.attempt for result in enrolment.results if result.part == part]
    result = PartResult(
        part=part,
        attempt=max(attempts, default=0) + 1,
        passed=passed,
        score=score,
        assessor_ref=assessor_ref,
        at=assessed_at,
    )
    return replace(enrolment, results=(*enrolment.results, result))


def complete(
    enrolment: Enrolment,
    edition: Edition,
    instructor_refs: tuple[str, ...],
    progress: Progress,
    on: date,
    confirmed_by: str,
) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment completed.

    The caller has checked `require_completable` and that nothing is missing (completion).
    """
    after = replace(
        enrolment,
        live=False,
        completed_on=on,
        confirmed_by=confirmed_by,
        automatic=frozenset(),
        changes_on=None,
        ended_on=None,
        end_reason="",
    )
    event = CourseCompleted(
        participant_ref=after.participant_ref,
        enrolment_id=after.id,
        class_id=after.class_id,
        programme_id=after.programme_id,
        programme_version=after.edition,
        title=edition.title,
        units=[Unit(code=unit.code, title=unit.title) for unit in edition.units],
        scheme_ref=edition.scheme_ref or None,
        provider_neutral_name=edition.provider_neutral_name or None,
        lesson_hours=edition.lesson_hours,
        held_minutes=progress.held_minutes - progress.unheld_minutes,
        attended_minutes=progress.attended_minutes,
        completed_on=on,
        instructor_refs=list(instructor_refs),
    )
    return after, [event]


def require_completable(enrolment: Enrolment, last_fact_on: date) -> None:
    """Raise AlreadyCompleted or AlreadyEnded unless the enrolment can still be completed.

    It can while it is live, and after a release when no fact is later than the release day.
    """
    is_released = enrolment.end_reason == EndReason.RELEASED and enrolment.completed_on is None
    if is_released and enrolment.ended_on is not None and last_fact_on <= enrolment.ended_on:
        return
    require_live(enrolment)


def require_instructor(training_class: TrainingClass, instructor_ref: str) -> None:
    """Raise InstructorUnknown unless the confirming instructor, if any, teaches the class."""
    if instructor_ref and instructor_ref not in training_class.instructor_refs:
        raise InstructorUnknown


def find_last_fact_day(
    enrolment: Enrolment, sessions: Sequence[Session], facility: Facility
) -> date:
    """Return the last day of the facts that completion depends on."""
    session_days = [
        session.held_on for session in sessions if session.state is not SessionState.CANCELLED
    ]
    result_days = [facility.local_date(result.at) for result in enrolment.results]
    return max([enrolment.starts_on, *session_days, *result_days])


def require_class(enrolment: Enrolment, class_id: str) -> Enrolment:
    """Return the enrolment unchanged. Raises EnrolmentUnknown unless it is in that class."""
    if enrolment.class_id != class_id:
        raise EnrolmentUnknown
    return enrolment


def require_live(enrolment: Enrolment) -> None:
    """Raise AlreadyCompleted or AlreadyEnded unless the enrolment has a seat."""
    if enrolment.completed_on is not None:
        raise AlreadyCompleted
    if not enrolment.live:
        raise AlreadyEnded


def event_fields(enrolment: Enrolment) -> dict[str, str]:
    """Return the fields that every event of an enrolment has."""
    return {
        "participant_ref": enrolment.participant_ref,
        "enrolment_id": enrolment.id,
        "class_id": enrolment.class_id,
        "facility_id": enrolment.facility_id,
    }
