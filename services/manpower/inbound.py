"""What manpower listens to: tolerant copies of others' events. Facts about a person not known yet wait for the admission."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from pydantic import AwareDatetime, BaseModel, ConfigDict

from chassis.messaging.events import Inbound, Reference
from chassis.messaging.received_events import Handlers
from services.manpower.candidates import usecases as candidates
from services.manpower.candidates.rules import (
    RELEASE_KINDS,
    Attention,
    CertificateContent,
    Course,
    Custody,
    Movement,
    SourceOrder,
    Standing,
    Unit,
    WorkMonth,
)
from services.manpower.production import usecases as production
from services.manpower.production.rules import REPORT_ZONE
from services.manpower.transaction import Transaction


class UnitCopy(BaseModel):
    """A unit of competence in others' events."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    title: str


class ParticipantAdmitted(Inbound, type="training.participant-admitted.v1"):
    """A person was received."""

    participant_ref: Reference
    facility_id: str
    kind: str
    effective_on: date
    as_of: AwareDatetime


class ParticipantTransferred(Inbound, type="training.participant-transferred.v1"):
    """A person is held elsewhere."""

    participant_ref: Reference
    to_facility_id: str
    effective_on: date
    as_of: AwareDatetime


class ParticipantReleased(Inbound, type="training.participant-released.v1"):
    """A stay ended."""

    participant_ref: Reference
    facility_id: str
    kind: str
    effective_on: date
    as_of: AwareDatetime


class ParticipantMerged(Inbound, type="training.participant-merged.v1"):
    """Two refs are one person."""

    from_ref: str
    into_ref: str


class ReleasePlanned(Inbound, type="training.release-planned.v1"):
    """An expected release; the day is dropped here."""

    participant_ref: Reference
    expected_on: date
    kind: str | None = None


class CourseCompleted(Inbound, type="training.course-completed.v1"):
    """A course was completed."""

    participant_ref: Reference
    enrolment_id: str
    title: str
    units: list[UnitCopy]
    lesson_hours: int
    completed_on: date


class CertificateIssued(Inbound, type="certification.certificate-issued.v1"):
    """A certificate holds from `valid_from` until the day before `valid_until`."""

    participant_ref: Reference
    certificate_id: str
    scheme_id: str
    scheme_title: str
    units: list[UnitCopy]
    valid_from: date
    valid_until: date


class CertificateRevoked(Inbound, type="certification.certificate-revoked.v1"):
    """It holds no more."""

    participant_ref: Reference
    certificate_id: str


class CertificateSuspended(Inbound, type="certification.certificate-suspended.v1"):
    """It does not hold for now."""

    participant_ref: Reference
    certificate_id: str


class CertificateReinstated(Inbound, type="certification.certificate-reinstated.v1"):
    """It holds again."""

    participant_ref: Reference
    certificate_id: str


class WorkLogged(Inbound, type="marketplace.work-logged.v1"):
    """The whole of a month's work in a workshop so far."""

    participant_ref: Reference
    workshop_id: str
    month: str
    unit_kind: str
    units_total: int


class ProceedsSplit(Inbound, type="marketplace.proceeds-split.v1"):
    """An order's proceeds were divided."""

    workshop_id: str
    product_class: str
    amounts_idr: dict[str, int]


async def on_participant_admitted(event: ParticipantAdmitted, tx: Transaction) -> None:
    """Somebody is inside."""
    await candidates.record_movement(
        _to_movement(
            event, event.facility_id, Custody.INSIDE, event.kind, admitted_at=event.meta.time
        ),
        tx,
    )


async def on_participant_transferred(event: ParticipantTransferred, tx: Transaction) -> None:
    """Somebody is inside, elsewhere."""
    await candidates.record_movement(
        _to_movement(event, event.to_facility_id, Custody.INSIDE, "transfer"), tx
    )


async def on_participant_released(event: ParticipantReleased, tx: Transaction) -> None:
    """Somebody is free, or gone; a kind that nobody here knows changes nothing but asks an officer to look."""
    custody = RELEASE_KINDS.get(event.kind)
    if custody is None:
        await candidates.request_attention(
            event.participant_ref, Attention.RELEASE_KIND_UNKNOWN, tx
        )
    else:
        await candidates.record_movement(
            _to_movement(event, event.facility_id, custody, event.kind), tx
        )


async def on_participant_merged(event: ParticipantMerged, tx: Transaction) -> None:
    """Two refs are one person; told under both keys, done once."""
    await candidates.merge(event.from_ref, event.into_ref, tx)


async def on_release_planned(event: ReleasePlanned, tx: Transaction) -> None:
    """An expected month of release."""
    await candidates.plan_release(
        event.participant_ref, event.expected_on, event.kind or "", _source_order(event), tx
    )


async def on_course_completed(event: CourseCompleted, tx: Transaction) -> None:
    """A course was completed."""
    course = Course(
        enrolment_id=event.enrolment_id,
        title=event.title,
        units=_copy_units(event.units),
        lesson_hours=event.lesson_hours,
        completed_on=event.completed_on,
    )
    await candidates.record_course(event.participant_ref, course, tx)


async def on_certificate_issued(event: CertificateIssued, tx: Transaction) -> None:
    """A skill was proved."""
    content = CertificateContent(
        scheme_id=event.scheme_id,
        scheme_title=event.scheme_title,
        units=_copy_units(event.units),
        valid_from=_start_of_day(event.valid_from),
        valid_until=_start_of_day(event.valid_until),
    )
    await candidates.record_certificate(event.participant_ref, event.certificate_id, content, tx)


async def on_certificate_revoked(event: CertificateRevoked, tx: Transaction) -> None:
    """A skill is not proved any more."""
    await candidates.record_standing(
        event.participant_ref, event.certificate_id, Standing.REVOKED, _source_order(event), tx
    )


async def on_certificate_suspended(event: CertificateSuspended, tx: Transaction) -> None:
    """A skill is not proved for now."""
    await candidates.record_standing(
        event.participant_ref, event.certificate_id, Standing.SUSPENDED, _source_order(event), tx
    )


async def on_certificate_reinstated(event: CertificateReinstated, tx: Transaction) -> None:
    """A skill is proved again."""
    await candidates.record_standing(
        event.participant_ref, event.certificate_id, Standing.ISSUED, _source_order(event), tx
    )


async def on_work_logged(event: WorkLogged, tx: Transaction) -> None:
    """A month's total in a workshop."""
    entry = WorkMonth(
        workshop_id=event.workshop_id,
        month=event.month,
        unit_kind=event.unit_kind,
        units_total=event.units_total,
        told=_source_order(event),
    )
    await candidates.record_work(event.participant_ref, entry, tx)


async def on_proceeds_split(event: ProceedsSplit, tx: Transaction) -> None:
    """An order adds to its workshop's month."""
    await production.add_split(
        event.workshop_id,
        event.meta.facility_id,
        event.product_class,
        event.meta.time,
        event.amounts_idr,
        tx,
    )


HANDLERS: Handlers = {
    "training.events": {
        ParticipantAdmitted: on_participant_admitted,
        ParticipantTransferred: on_participant_transferred,
        ParticipantReleased: on_participant_released,
        ParticipantMerged: on_participant_merged,
        ReleasePlanned: on_release_planned,
        CourseCompleted: on_course_completed,
    },
    "certification.events": {
        CertificateIssued: on_certificate_issued,
        CertificateRevoked: on_certificate_revoked,
        CertificateSuspended: on_certificate_suspended,
        CertificateReinstated: on_certificate_reinstated,
    },
    "marketplace.events": {WorkLogged: on_work_logged, ProceedsSplit: on_proceeds_split},
}


def _to_movement(
    event: ParticipantAdmitted | ParticipantTransferred | ParticipantReleased,
    facility_id: str,
    custody: Custody,
    kind: str,
    *,
    admitted_at: datetime | None = None,
) -> Movement:
    as_of = event.as_of.astimezone(UTC)
    told = SourceOrder(
        at=as_of.replace(microsecond=as_of.microsecond // 1000 * 1000), sequence=event.meta.sequence
    )
    return Movement(
        candidate_id=event.participant_ref,
        facility_id=facility_id,
        custody=custody,
        kind=kind,
        effective_on=event.effective_on,
        source_order=told,
        admitted_at=admitted_at,
    )


def _source_order(event: Inbound) -> SourceOrder:
    return SourceOrder(at=event.meta.time, sequence=event.meta.sequence)


def _start_of_day(day: date) -> datetime:
    return datetime.combine(day, time.min, REPORT_ZONE).astimezone(UTC)


def _copy_units(units: list[UnitCopy]) -> tuple[Unit, ...]:
    return tuple(Unit(code=unit.code, title=unit.title) for unit in units)
