"""The events that training publishes; their docstrings become the event catalogue.

Not here: who consumes them.
"""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from chassis.messaging.events import Event, Reference


class ParticipantAdmitted(Event, type="training.participant-admitted.v1", key="participant_ref"):
    """A person was admitted to custody.

    `kind` is `new` for the first time, `readmission` after an earlier stay ended.
    """

    participant_ref: Reference
    facility_id: str
    kind: str
    effective_on: date
    as_of: datetime


class ParticipantTransferred(
    Event, type="training.participant-transferred.v1", key="participant_ref"
):
    """A person was transferred to another facility."""

    participant_ref: Reference
    from_facility_id: str
    to_facility_id: str
    effective_on: date
    as_of: datetime


class ParticipantReleased(Event, type="training.participant-released.v1", key="participant_ref"):
    """A stay ended for good.

    `kind` is free, conditional_release, conditional_leave, leave_before_release, death, escape and
    the like.
    """

    participant_ref: Reference
    facility_id: str
    kind: str
    effective_on: date
    as_of: datetime


class ParticipantAbsent(Event, type="training.participant-absent.v1", key="participant_ref"):
    """A person is absent from the facility for a time.

    `kind` is leave, court, hospital, investigator_loan or outside_work.
    """

    participant_ref: Reference
    facility_id: str
    kind: str
    effective_on: date
    as_of: datetime


class ParticipantReturned(Event, type="training.participant-returned.v1", key="participant_ref"):
    """A person who was absent is back; `kind` is that of the absence."""

    participant_ref: Reference
    facility_id: str
    kind: str
    effective_on: date
    as_of: datetime


class ParticipantDetailsChanged(
    Event, type="training.participant-details-changed.v1", key="participant_ref"
):
    """Details of a person changed; the event names the fields, never their values."""

    participant_ref: Reference
    facility_id: str
    fields: list[str]
    as_of: datetime


class ParticipantMerged(Event, type="training.participant-merged.v1", key="participant_ref"):
    """Two references mean one person: `from_ref` is from now on an alias of `into_ref`.

    Published twice, under both keys.
    """

    participant_ref: Reference
    from_ref: str
    into_ref: str
    as_of: datetime


class ReleasePlanned(Event, type="training.release-planned.v1", key="participant_ref"):
    """An expected release was set or changed.

    Consumers show outsiders the month at most, never the day.
    """

    participant_ref: Reference
    facility_id: str
    expected_on: date
    kind: str | None = None


class ApplicationSubmitted(Event, type="training.application-submitted.v1", key="participant_ref"):
    """A participant applied for a class."""

    participant_ref: Reference
    application_id: str
    class_id: str
    facility_id: str


class ApplicationApproved(Event, type="training.application-approved.v1", key="participant_ref"):
    """A decision of the TPP allows a participant to join a class."""

    participant_ref: Reference
    application_id: str
    class_id: str
    facility_id: str


class ClassOpened(Event, type="training.class-opened.v1", key="class_id"):
    """A class was opened for participants."""

    class_id: str
    facility_id: str
    programme_id: str
    programme_version: int
    title: str
    starts_on: date
    ends_on: date
    seats_total: int
    offer_id: str | None = None


class ParticipantEnrolled(Event, type="training.participant-enrolled.v1", key="participant_ref"):
    """A participant was given a seat in a class."""

    participant_ref: Reference
    enrolment_id: str
    class_id: str
    facility_id: str
    programme_id: str


class ParticipantWithdrawn(Event, type="training.participant-withdrawn.v1", key="participant_ref"):
    """An enrolment ended without completion.

    The minutes attended may be accepted as credit elsewhere.
    """

    participant_ref: Reference
    enrolment_id: str
    class_id: str
    facility_id: str
    reason: str
    attended_minutes: int


class EnrolmentSuspended(Event, type="training.enrolment-suspended.v1", key="participant_ref"):
    """An enrolment is suspended, by plan or while the participant is away; the seat is kept."""

    participant_ref: Reference
    enrolment_id: str
    class_id: str
    facility_id: str


class EnrolmentResumed(Event, type="training.enrolment-resumed.v1", key="participant_ref"):
    """An enrolment is no longer suspended."""

    participant_ref: Reference
    enrolment_id: str
    class_id: str
    facility_id: str


class SessionHeld(Event, type="training.session-held.v1", key="class_id"):
    """A session of a class was held."""

    class_id: str
    session_id: str
    facility_id: str
    held_on: date
    minutes: int


class AttendanceRecorded(Event, type="training.attendance-recorded.v1", key="participant_ref"):
    """A participant's attendance in one session was marked for the first time."""

    participant_ref: Reference
    enrolment_id: str
    session_id: str
    facility_id: str
    reason: str
    minutes: int


class Unit(BaseModel):
    """A unit that was taught: its code of the national standard (SKKNI) and its title."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str
    title: str


class CourseCompleted(Event, type="training.course-completed.v1", key="participant_ref"):
    """A participant met the completion rule of a class.

    The event says what was taught; certification decides on competence.
    """

    participant_ref: Reference
    enrolment_id: str
    class_id: str
    programme_id: str
    programme_version: int
    title: str
    units: list[Unit]
    scheme_ref: str | None = None
    provider_neutral_name: str | None = None
    lesson_hours: int
    held_minutes: int | None = None
    attended_minutes: int
    completed_on: date
    instructor_refs: list[str]


class WorkEligibilityDecided(
    Event, type="training.work-eligibility-decided.v1", key="participant_ref"
):
    """The TPP decided whether a participant may be given work."""

    participant_ref: Reference
    facility_id: str
    eligible: bool
    decided_on: date
    valid_until: date | None = None


PUBLISHED: tuple[type[Event], ...] = (
    ParticipantAdmitted,
    ParticipantTransferred,
    ParticipantReleased,
    ParticipantAbsent,
    ParticipantReturned,
    ParticipantDetailsChanged,
    ParticipantMerged,
    ReleasePlanned,
    ApplicationSubmitted,
    ApplicationApproved,
    ClassOpened,
    ParticipantEnrolled,
    ParticipantWithdrawn,
    EnrolmentSuspended,
    EnrolmentResumed,
    SessionHeld,
    AttendanceRecorded,
    CourseCompleted,
    WorkEligibilityDecided,
)
