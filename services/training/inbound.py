"""What training listens to: its own events and those of certification and manpower, for the timeline. Tolerant copies: only the fields that are shown."""

from __future__ import annotations

import json
from datetime import date, datetime

from chassis.messaging.events import Inbound, Reference, stem
from services.training.timeline import rules
from services.training.timeline.rules import Entry
from services.training.timeline.usecases import record
from services.training.transaction import Transaction


class AboutParticipant(Inbound):
    """An event in the life of a participant."""

    participant_ref: Reference


class Moved(AboutParticipant):
    """A movement in custody; it happened when its snapshot was taken."""

    as_of: datetime


class ParticipantAdmitted(Moved, type="training.participant-admitted.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantTransferred(Moved, type="training.participant-transferred.v1"):
    from_facility_id: str
    to_facility_id: str
    effective_on: date


class ParticipantReleased(Moved, type="training.participant-released.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantAbsent(Moved, type="training.participant-absent.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantReturned(Moved, type="training.participant-returned.v1"):
    facility_id: str
    kind: str
    effective_on: date


class ParticipantDetailsChanged(Moved, type="training.participant-details-changed.v1"):
    facility_id: str
    fields: list[str]


class ParticipantMerged(Moved, type="training.participant-merged.v1"):
    from_ref: str
    into_ref: str


class ReleasePlanned(AboutParticipant, type="training.release-planned.v1"):
    facility_id: str
    expected_on: date


class ApplicationSubmitted(AboutParticipant, type="training.application-submitted.v1"):
    application_id: str
    class_id: str


class ApplicationApproved(AboutParticipant, type="training.application-approved.v1"):
    application_id: str
    class_id: str


class ParticipantEnrolled(AboutParticipant, type="training.participant-enrolled.v1"):
    enrolment_id: str
    class_id: str
    facility_id: str


class ParticipantWithdrawn(AboutParticipant, type="training.participant-withdrawn.v1"):
    enrolment_id: str
    class_id: str
    reason: str
    attended_minutes: int


class EnrolmentSuspended(AboutParticipant, type="training.enrolment-suspended.v1"):
    enrolment_id: str
    class_id: str


class EnrolmentResumed(AboutParticipant, type="training.enrolment-resumed.v1"):
    enrolment_id: str
    class_id: str


class AttendanceRecorded(AboutParticipant, type="training.attendance-recorded.v1"):
    enrolment_id: str
    session_id: str
    reason: str
    minutes: int


class CourseCompleted(AboutParticipant, type="training.course-completed.v1"):
    enrolment_id: str
    class_id: str
    title: str
    attended_minutes: int
    completed_on: date


class WorkEligibilityDecided(AboutParticipant, type="training.work-eligibility-decided.v1"):
    eligible: bool
    decided_on: date
    valid_until: date | None = None


class CompetencyAssessed(AboutParticipant, type="certification.competency-assessed.v1"):
    application_id: str
    scheme_id: str
    assessed_on: date


class AssessmentOpened(AboutParticipant, type="certification.application-opened.v1"):
    application_id: str
    scheme_id: str
    opened_on: date


class CertificateIssued(AboutParticipant, type="certification.certificate-issued.v1"):
    certificate_id: str
    scheme_id: str
    scheme_title: str
    valid_from: date | datetime
    valid_until: date | datetime


class CertificateRevoked(AboutParticipant, type="certification.certificate-revoked.v1"):
    certificate_id: str
    scheme_id: str


class CertificateSuspended(AboutParticipant, type="certification.certificate-suspended.v1"):
    certificate_id: str
    scheme_id: str


class CertificateReinstated(AboutParticipant, type="certification.certificate-reinstated.v1"):
    certificate_id: str
    scheme_id: str


class PlacementConfirmed(AboutParticipant, type="manpower.placement-confirmed.v1"):
    placement_id: str
    kind: str
    started_on: date


class AboutClass(Inbound):
    """An event in the life of a class."""

    class_id: str


class ClassOpened(AboutClass, type="training.class-opened.v1"):
    title: str
    starts_on: date
    ends_on: date
    seats_total: int


class SessionHeld(AboutClass, type="training.session-held.v1"):
    session_id: str
    held_on: date
    minutes: int


OWN: tuple[type[Inbound], ...] = (
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
OF_CERTIFICATION: tuple[type[Inbound], ...] = (
    AssessmentOpened,
    CompetencyAssessed,
    CertificateIssued,
    CertificateRevoked,
    CertificateSuspended,
    CertificateReinstated,
)
OF_MANPOWER: tuple[type[Inbound], ...] = (PlacementConfirmed,)


async def on_participant_event(event: AboutParticipant, tx: Transaction) -> None:
    """An entry in the participant's timeline; a movement stands where its snapshot was taken, everything else where it was told."""
    occurred_at = event.as_of if isinstance(event, Moved) else event.meta.time
    await record(_entry(event, event.participant_ref, occurred_at), tx)


async def on_participant_merged(event: ParticipantMerged, tx: Transaction) -> None:
    """Told under both keys, shown once: under the survivor's."""
    if event.meta.key == event.into_ref:
        await record(_entry(event, event.participant_ref, event.as_of), tx)


async def on_class_event(event: AboutClass, tx: Transaction) -> None:
    """An entry in the class's timeline."""
    await record(_entry(event, event.class_id, event.meta.time), tx)


def _entry(event: Inbound, subject_ref: str, occurred_at: datetime) -> Entry:
    meta = event.meta
    return Entry(
        id=meta.id,
        subject_ref=subject_ref,
        kind=stem(meta.type),
        facts=_facts(event),
        occurred_at=occurred_at,
        recorded_at=meta.time,
        order=rules.order(occurred_at, meta.sequence),
        source=meta.source,
        actor_role=meta.actor_role,
        actor_ref=meta.actor_ref,
        correlation_id=meta.correlation_id,
    )


def _facts(event: Inbound) -> dict[str, str]:
    """What is shown: the event's own fields as text, lists as JSON."""
    shown = event.model_dump(mode="json", exclude_none=True, exclude={"participant_ref", "as_of"})
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in shown.items()
    }
