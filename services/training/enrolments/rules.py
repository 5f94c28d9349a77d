"""What is allowed: enrolments. Their state is computed from facts, so that late or reordered facts give the same state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training import events
from services.training.events import (
    CourseCompleted,
    ParticipantEnrolled,
    ParticipantWithdrawn,
    Unit,
)
from services.training.programmes.rules import Edition


class EnrolmentUnknown(NotFound):
    title = "Kepesertaan tidak ditemukan"


class AlreadyEnded(Conflict):
    title = "Kepesertaan ini sudah berakhir"


class AlreadyCompleted(Conflict):
    title = "Peserta ini sudah dinyatakan lulus"


class ApplicationNeeded(Refused):
    title = "Program ini mensyaratkan pendaftaran yang sudah disetujui"


class ApplicationPending(Conflict):
    title = "Pendaftaran peserta untuk kelas ini belum diputuskan"


class TextNeeded(Refused):
    title = "Alasan lain harus dijelaskan"
    field = "note"


class DatesWrong(Refused):
    title = "Tanggal selesai tidak boleh sebelum tanggal mulai"
    field = "until"


class InstructorUnknown(Refused):
    title = "Konfirmasi hanya oleh instruktur kelas ini"
    field = "instructor_ref"


class EnrolmentState(StrEnum):
    """What the facts of an enrolment give on a day."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    AUTO_SUSPENDED = "AUTO_SUSPENDED"
    COMPLETED = "COMPLETED"
    NOT_COMPLETED = "NOT_COMPLETED"
    ENDED = "ENDED"


class EndReason(StrEnum):
    """Why an enrolment ended: first those of the system, then those of staff."""

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
    """What suspends an enrolment by itself."""

    ABSENCE = "absence"
    MISSING = "missing"
    TRANSFER = "transfer"


OUTSIDE_WORK = "outside_work"
_END_REASON_BY_RELEASE_KIND = {"death": EndReason.DIED, "escape": EndReason.ESCAPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A planned rest, both days included; open-ended without `until`."""

    since: date
    until: date | None
    reason: str
    keeps_allowance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """One attempt at one part of the training's own assessment; attempts append."""

    part: str
    attempt: int
    passed: bool
    score: int | None
    assessor_ref: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A participant in a class. `live` while it holds a seat."""

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


def compute_state(enrolment: Enrolment, today: date) -> EnrolmentState:
    """What the facts give on this day, in the order of the domain."""
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
    if any(
        rest.since <= today and (rest.until is None or today <= rest.until)
        for rest in enrolment.suspensions
    ):
        return EnrolmentState.SUSPENDED
    return EnrolmentState.ACTIVE


def build_enrolment_events(enrolment: Enrolment) -> list[Event]:
    """What is told of a new enrolment."""
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
    """The enrolment at its end; AlreadyCompleted or AlreadyEnded when it has one."""
    _require_live(enrolment)
    if reason is EndReason.OTHER and not note:
        raise TextNeeded
    after = replace(
        enrolment,
        live=False,
        ended_on=on,
        end_reason=reason.value,
        end_note=note,
        automatic=frozenset(),
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


def choose_end_reason(kind: str) -> EndReason:
    """The end reason of a release of this kind."""
    return _END_REASON_BY_RELEASE_KIND.get(kind, EndReason.RELEASED)


def suspend(enrolment: Enrolment, cause: SuspensionCause) -> tuple[Enrolment, list[Event]]:
    """The enrolment resting for one cause more; told only when it did not rest before."""
    after = replace(enrolment, automatic=enrolment.automatic | {cause.value})
    return after, [] if enrolment.automatic else [
        events.EnrolmentSuspended(**_event_fields(enrolment))
    ]


def resume(enrolment: Enrolment, cause: SuspensionCause) -> tuple[Enrolment, list[Event]]:
    """The enrolment without that cause; told only when none is left."""
    after = replace(enrolment, automatic=enrolment.automatic - {cause.value})
    return after, [
        events.EnrolmentResumed(**_event_fields(enrolment))
    ] if enrolment.automatic and not after.automatic else []


def plan_suspension(enrolment: Enrolment, suspension: Suspension) -> Enrolment:
    """The enrolment with a planned rest more."""
    _require_live(enrolment)
    if suspension.until is not None and suspension.until < suspension.since:
        raise DatesWrong
    return replace(enrolment, suspensions=(*enrolment.suspensions, suspension))


def record_result(
    enrolment: Enrolment,
    part: str,
    *,
    passed: bool,
    score: int | None,
    assessor_ref: str,
    assessed_at: datetime,
) -> Enrolment:
    """The enrolment with one attempt more."""
    _require_live(enrolment)
    attempt = 1 + max(
        (result.attempt for result in enrolment.results if result.part == part), default=0
    )
    result = PartResult(
        part=part,
        attempt=attempt,
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
    attended_minutes: int,
    on: date,
    confirmed_by: str,
) -> tuple[Enrolment, list[Event]]:
    """The enrolment completed; whether it may be, and whether the completion rule is met, is judged before."""
    after = replace(
        enrolment,
        live=False,
        completed_on=on,
        confirmed_by=confirmed_by,
        automatic=frozenset(),
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
        attended_minutes=attended_minutes,
        completed_on=on,
        instructor_refs=list(instructor_refs),
    )
    return after, [event]


def reasons_against_completion(enrolment: Enrolment, last_fact_on: date) -> None:
    """Return when it may be completed: while it lives, or after a release when all its facts are of the release day or before. AlreadyCompleted or AlreadyEnded otherwise."""
    if (
        enrolment.end_reason == EndReason.RELEASED
        and enrolment.completed_on is None
        and enrolment.ended_on is not None
        and last_fact_on <= enrolment.ended_on
    ):
        return
    _require_live(enrolment)


def _require_live(enrolment: Enrolment) -> None:
    if enrolment.completed_on is not None:
        raise AlreadyCompleted
    if not enrolment.live:
        raise AlreadyEnded


def _event_fields(enrolment: Enrolment) -> dict[str, str]:
    return {
        "participant_ref": enrolment.participant_ref,
        "enrolment_id": enrolment.id,
        "class_id": enrolment.class_id,
        "facility_id": enrolment.facility_id,
    }
