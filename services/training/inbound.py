"""The events that training consumes for the timeline, as tolerant copies.

They come from training itself, certification and manpower. Each copy has only the fields that the
timeline shows. Not here: the entries (timeline).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime

from chassis.messaging.events import Inbound, Reference, stem
from services.training.timeline import rules
from services.training.timeline.rules import Entry
from services.training.timeline.store import Timeline
from services.training.timeline.usecases import record_entry
from services.training.transaction import Transaction


class TimelineEvent(Inbound):
    """An event that becomes a timeline entry with the event's id."""

    def reads(self) -> Iterable[tuple[type[Timeline], str]]:
        """Return the entry, which exists already when the event was recorded before."""
        return [(Timeline, self.meta.id)]


class ParticipantEvent(TimelineEvent):
    """An event about a participant."""

    participant_ref: Reference


class MovementEvent(ParticipantEvent):
    """A movement in custody, which happened when its snapshot was taken."""

    as_of: datetime


class ParticipantAdmitted(MovementEvent, type="training.participant-admitted.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantTransferred(MovementEvent, type="training.participant-transferred.v1"):
    from_facility_id: str
    to_facility_id: str
    effective_on: date


class ParticipantReleased(MovementEvent, type="training.participant-released.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantAbsent(MovementEvent, type="training.participant-absent.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantReturned(MovementEvent, type="training.participant-returned.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantDetailsChanged(MovementEvent, type="training.participant-details-changed.v1"):
    facility_id: str
    fields: list[str]


class ParticipantMerged(MovementEvent, type="training.participant-merged.v1"):
    from_ref: str
    into_ref: str


class ReleasePlanned(ParticipantEvent, type="training.release-planned.v1"):
    facility_id: str
    expected_on: date


class ApplicationSubmitted(ParticipantEvent, type="training.application-submitted.v1"):
    application_id: str
    class_id: str


class ApplicationApproved(ParticipantEvent, type="training.application-approved.v1"):
    application_id: str
    class_id: str


class ParticipantEnrolled(ParticipantEvent, type="training.participant-enrolled.v1"):
    enrolment_id: str
    class_id: str
    facility_id: str


class ParticipantWithdrawn(ParticipantEvent, type="training.participant-withdrawn.v1"):
    enrolment_id: str
    class_id: str
    reason: str
    attended_minutes: int


class EnrolmentSuspended(ParticipantEvent, type="training.enrolment-suspended.v1"):
    enrolment_id: str
    class_id: str


class EnrolmentResumed(ParticipantEvent, type="training.enrolment-resumed.v1"):
    enrolment_id: str
    class_id: str


class AttendanceRecorded(ParticipantEvent, type="training.attendance-recorded.v1"):
    enrolment_id: str
    session_id: str
    reason: str
    minutes: int


class CourseCompleted(ParticipantEvent, type="training.course-completed.v1"):
    enrolment_id: str
    class_id: str
    title: str
    held_minutes: int | None = None
    attended_minutes: int
    completed_on: date


class WorkEligibilityDecided(ParticipantEvent, type="training.work-eligibility-decided.v1"):
    eligible: bool
    decided_on: date
    valid_until: date | None = None


class CompetencyAssessed(ParticipantEvent, type="certification.competency-assessed.v1"):
    application_id: str
    scheme_id: str
    assessed_on: date


class AssessmentOpened(ParticipantEvent, type="certification.application-opened.v1"):
    application_id: str
    scheme_id: str
    opened_on: date


class CertificateIssued(ParticipantEvent, type="certification.certificate-issued.v1"):
    certificate_id: str
    scheme_id: str
    scheme_title: str
    valid_from: date | datetime
    valid_until: date | datetime


class CertificateRevoked(ParticipantEvent, type="certification.certificate-revoked.v1"):
    certificate_id: str
    scheme_id: str


class CertificateSuspended(ParticipantEvent, type="certification.certificate-suspended.v1"):
    certificate_id: str
    scheme_id: str


class CertificateReinstated(ParticipantEvent, type="certification.certificate-reinstated.v1"):
    certificate_id: str
    scheme_id: str


class CertificateReplaced(ParticipantEvent, type="certification.certificate-replaced.v1"):
    certificate_id: str
    replaced_by: str


class PlacementConfirmed(ParticipantEvent, type="manpower.placement-confirmed.v1"):
    placement_id: str
    kind: str
    started_on: date


class ClassEvent(TimelineEvent):
    """An event about a class."""

    class_id: str


class ClassOpened(ClassEvent, type="training.class-opened.v1"):
    title: str
    starts_on: date
    ends_on: date
    seats_total: int


class SessionHeld(ClassEvent, type="training.session-held.v1"):
    session_id: str
    held_on: date
    minutes: int


TRAINING_EVENTS: tuple[type[Inbound], ...] = (
    ParticipantAdmitted,
    ParticipantTransferred,
    ParticipantReleased,
    ParticipantAbsent,
    ParticipantReturned,
    ParticipantDetailsChanged,
    ReleasePlanned,
    ApplicationSubmitted,
    ApplicationApproved,
    ParticipantEnrolled,
    ParticipantWithdrawn,
    EnrolmentSuspended,
    EnrolmentResumed,
    AttendanceRecorded,
    CourseCompleted,
    WorkEligibilityDecided,
)
CERTIFICATION_EVENTS: tuple[type[Inbound], ...] = (
    AssessmentOpened,
    CompetencyAssessed,
    CertificateIssued,
    CertificateRevoked,
    CertificateSuspended,
    CertificateReinstated,
    CertificateReplaced,
)
MANPOWER_EVENTS: tuple[type[Inbound], ...] = (PlacementConfirmed,)


async def on_participant_event(event: ParticipantEvent, tx: Transaction) -> None:
    """Add an entry to the participant's timeline.

    A movement happened when its snapshot was taken, every other event when it was published.
    """
    occurred_at = event.as_of if isinstance(event, MovementEvent) else event.meta.time
    await record_entry(_build_entry(event, event.participant_ref, occurred_at), tx)


async def on_participant_merged(event: ParticipantMerged, tx: Transaction) -> None:
    """Add an entry to the survivor's timeline; the event arrives under both keys."""
    if event.meta.key == event.into_ref:
        await record_entry(_build_entry(event, event.participant_ref, event.as_of), tx)


async def on_class_event(event: ClassEvent, tx: Transaction) -> None:
    """Add an entry to the timeline of the class."""
    await record_entry(_build_entry(event, event.class_id, event.meta.time), tx)


def _build_entry(event: Inbound, subject_ref: str, occurred_at: datetime) -> Entry:
    meta = event.meta
    return Entry(
        id=meta.id,
        subject_ref=subject_ref,
        kind=stem(meta.type),
        facts=_read_facts(event),
        occurred_at=occurred_at,
        recorded_at=meta.time,
        order=rules.sort_key(occurred_at, meta.sequence),
        source=meta.source,
        actor_role=meta.actor_role,
        actor_ref=meta.actor_ref,
        correlation_id=meta.correlation_id,
    )


def _read_facts(event: Inbound) -> dict[str, str]:
    """Return the event's own fields as text, lists as JSON."""
    fields = event.model_dump(mode="json", exclude_none=True, exclude={"participant_ref", "as_of"})
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
    }
