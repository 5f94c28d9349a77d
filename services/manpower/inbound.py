"""The events that manpower consumes, as tolerant copies, and their handlers.

Events about a person who is not known yet wait for the admission.
Not here: what an event changes (usecases, rules).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from chassis.messaging.events import Inbound, Reference
from chassis.messaging.received_events import Handlers
from services.manpower.applications import usecases as applications
from services.manpower.candidates import usecases as candidates
from services.manpower.candidates.custody import RELEASE_KINDS, Custody, Movement
from services.manpower.candidates.rules import Attention
from services.manpower.candidates.skills import (
    CertificateContent,
    Course,
    SourceOrder,
    Standing,
    Unit,
    WorkMonth,
)
from services.manpower.candidates.store import Candidates
from services.manpower.consents import usecases as consents
from services.manpower.placements import usecases as placements
from services.manpower.production import rules as production_rules
from services.manpower.production import usecases as production
from services.manpower.production.store import Production
from services.manpower.transaction import Transaction


class UnitCopy(BaseModel):
    """A unit of competence in events of other services."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    title: str


class CandidateEvent(Inbound):
    """An event about one person; its handler reads the candidate."""

    participant_ref: Reference

    def reads(self) -> Iterable[tuple[Any, str]]:
        """Return the candidate, so that a batch reads all its candidates at once."""
        return [(Candidates, self.participant_ref)]


class ParticipantAdmitted(CandidateEvent, type="training.participant-admitted.v1"):
    """A facility admitted a person."""

    facility_id: str
    kind: str
    effective_on: date
    as_of: AwareDatetime


class ParticipantTransferred(CandidateEvent, type="training.participant-transferred.v1"):
    """A person moved to another facility."""

    to_facility_id: str
    effective_on: date
    as_of: AwareDatetime


class ParticipantReleased(CandidateEvent, type="training.participant-released.v1"):
    """A person's stay ended."""

    facility_id: str
    kind: str
    effective_on: date
    as_of: AwareDatetime


class ParticipantMerged(Inbound, type="training.participant-merged.v1"):
    """Two references mean one person; it arrives under both keys."""

    from_ref: str
    into_ref: str


class ReleasePlanned(CandidateEvent, type="training.release-planned.v1"):
    """A release is expected. Only its month is stored here."""

    expected_on: date
    kind: str | None = None


class CourseCompleted(CandidateEvent, type="training.course-completed.v1"):
    """A person completed a course."""

    enrolment_id: str
    title: str
    units: list[UnitCopy]
    lesson_hours: int
    completed_on: date


class CertificateIssued(CandidateEvent, type="certification.certificate-issued.v1"):
    """A certificate is valid from `valid_from` until the day before `valid_until`."""

    certificate_id: str
    scheme_id: str
    scheme_title: str
    units: list[UnitCopy]
    valid_from: date
    valid_until: date


class CertificateRevoked(CandidateEvent, type="certification.certificate-revoked.v1"):
    """A certificate was revoked."""

    certificate_id: str


class CertificateSuspended(CandidateEvent, type="certification.certificate-suspended.v1"):
    """A certificate was suspended."""

    certificate_id: str


class CertificateReinstated(CandidateEvent, type="certification.certificate-reinstated.v1"):
    """A suspended certificate counts again."""

    certificate_id: str


class CertificateReplaced(CandidateEvent, type="certification.certificate-replaced.v1"):
    """`replaced_by` takes the place of `certificate_id`, with the same content."""

    certificate_id: str
    replaced_by: str


class WorkLogged(CandidateEvent, type="marketplace.work-logged.v1"):
    """The total of a person's work in a workshop in a month, as it is now."""

    workshop_id: str
    month: str
    unit_kind: str
    units_total: int


class ProceedsSplit(Inbound, type="marketplace.proceeds-split.v1"):
    """The proceeds of an order were split."""

    workshop_id: str
    product_class: str
    amounts_idr: dict[str, int]

    def month(self) -> str:
        """Return the month of the report that the proceeds belong to, such as `2026-11`."""
        return production_rules.month_of(self.meta.time)

    def reads(self) -> Iterable[tuple[Any, str]]:
        """Return the row of the workshop's month, so that a batch reads all its rows at once."""
        row_id = production_rules.production_id(self.workshop_id, self.month(), self.product_class)
        return [(Production, row_id)]


class ProceedsSplitReversed(ProceedsSplit, type="marketplace.proceeds-split-reversed.v1"):
    """The proceeds of an order went back; they count in the month in which they did."""

    reversed_on: date

    def month(self) -> str:
        """Return the month of the day on which the money went back."""
        return production_rules.month_of_day(self.reversed_on)


async def on_participant_admitted(event: ParticipantAdmitted, tx: Transaction) -> None:
    """Record an admission; the first one creates the candidate."""
    movement = Movement(
        candidate_id=event.participant_ref,
        facility_id=event.facility_id,
        custody=Custody.INSIDE,
        kind=event.kind,
        effective_on=event.effective_on,
        source_order=_snapshot_order(event),
        admitted_at=event.meta.time,
    )
    await consents.record_movement(movement, tx)


async def on_participant_transferred(event: ParticipantTransferred, tx: Transaction) -> None:
    """Record a transfer."""
    movement = Movement(
        candidate_id=event.participant_ref,
        facility_id=event.to_facility_id,
        custody=Custody.INSIDE,
        kind="transfer",
        effective_on=event.effective_on,
        source_order=_snapshot_order(event),
    )
    await consents.record_movement(movement, tx)


async def on_participant_released(event: ParticipantReleased, tx: Transaction) -> None:
    """Record a release or another end of a stay; an unknown kind becomes an officer's question."""
    custody = RELEASE_KINDS.get(event.kind)
    if custody is None:
        await candidates.request_attention(
            event.participant_ref, Attention.RELEASE_KIND_UNKNOWN, tx
        )
        return
    movement = Movement(
        candidate_id=event.participant_ref,
        facility_id=event.facility_id,
        custody=custody,
        kind=event.kind,
        effective_on=event.effective_on,
        source_order=_snapshot_order(event),
    )
    await consents.record_movement(movement, tx)


async def on_participant_merged(event: ParticipantMerged, tx: Transaction) -> None:
    """Merge two candidates."""
    await placements.merge_candidates(event.from_ref, event.into_ref, tx)


async def on_release_planned(event: ReleasePlanned, tx: Transaction) -> None:
    """Record the expected month of release."""
    await candidates.plan_release(
        event.participant_ref, event.expected_on, event.kind or "", _source_order(event), tx
    )


async def on_course_completed(event: CourseCompleted, tx: Transaction) -> None:
    """Record a completed course."""
    course = Course(
        enrolment_id=event.enrolment_id,
        title=event.title,
        units=_copy_units(event.units),
        lesson_hours=event.lesson_hours,
        completed_on=event.completed_on,
    )
    await candidates.record_course(event.participant_ref, course, tx)


async def on_certificate_issued(event: CertificateIssued, tx: Transaction) -> None:
    """Record the content of a certificate."""
    content = CertificateContent(
        scheme_id=event.scheme_id,
        scheme_title=event.scheme_title,
        units=_copy_units(event.units),
        valid_from=_start_of_day(event.valid_from),
        valid_until=_start_of_day(event.valid_until),
    )
    await applications.record_certificate(event.participant_ref, event.certificate_id, content, tx)


async def on_certificate_revoked(event: CertificateRevoked, tx: Transaction) -> None:
    """Record that a certificate was revoked."""
    await _record_standing(event, event.certificate_id, Standing.REVOKED, tx)


async def on_certificate_suspended(event: CertificateSuspended, tx: Transaction) -> None:
    """Record that a certificate was suspended."""
    await _record_standing(event, event.certificate_id, Standing.SUSPENDED, tx)


async def on_certificate_reinstated(event: CertificateReinstated, tx: Transaction) -> None:
    """Record that a certificate counts again."""
    await _record_standing(event, event.certificate_id, Standing.ISSUED, tx)


async def on_certificate_replaced(event: CertificateReplaced, tx: Transaction) -> None:
    """Record that a certificate was issued again under another id."""
    await candidates.replace_certificate(
        event.participant_ref, event.certificate_id, event.replaced_by, tx
    )


async def on_work_logged(event: WorkLogged, tx: Transaction) -> None:
    """Record a month's total in a workshop."""
    entry = WorkMonth(
        workshop_id=event.workshop_id,
        month=event.month,
        unit_kind=event.unit_kind,
        units_total=event.units_total,
        told=_source_order(event),
    )
    await candidates.record_work(event.participant_ref, entry, tx)


async def on_proceeds_split(event: ProceedsSplit, tx: Transaction) -> None:
    """Add an order's proceeds to its workshop's month."""
    await production.add_split(
        event.workshop_id,
        event.meta.facility_id,
        event.product_class,
        event.month(),
        event.amounts_idr,
        tx,
    )


async def on_proceeds_split_reversed(event: ProceedsSplitReversed, tx: Transaction) -> None:
    """Take an order's proceeds out of its workshop, in the month of the reversal."""
    await production.take_back_split(
        event.workshop_id,
        event.meta.facility_id,
        event.product_class,
        event.month(),
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
        CertificateReplaced: on_certificate_replaced,
    },
    "marketplace.events": {
        WorkLogged: on_work_logged,
        ProceedsSplit: on_proceeds_split,
        ProceedsSplitReversed: on_proceeds_split_reversed,
    },
}


async def _record_standing(
    event: CandidateEvent, certificate_id: str, standing: Standing, tx: Transaction
) -> None:
    source_order = _source_order(event)
    await applications.record_standing(
        event.participant_ref, certificate_id, standing, source_order, tx
    )


def _snapshot_order(
    event: ParticipantAdmitted | ParticipantTransferred | ParticipantReleased,
) -> SourceOrder:
    """Return the order of a movement: by the time of its snapshot, truncated to milliseconds."""
    as_of = event.as_of.astimezone(UTC)
    milliseconds = as_of.microsecond // 1000
    at = as_of.replace(microsecond=milliseconds * 1000)
    return SourceOrder(at=at, sequence=event.meta.sequence)


def _source_order(event: Inbound) -> SourceOrder:
    return SourceOrder(at=event.meta.time, sequence=event.meta.sequence)


def _start_of_day(day: date) -> datetime:
    return datetime.combine(day, time.min, production_rules.REPORT_ZONE).astimezone(UTC)


def _copy_units(units: list[UnitCopy]) -> tuple[Unit, ...]:
    return tuple(Unit(code=unit.code, title=unit.title) for unit in units)
