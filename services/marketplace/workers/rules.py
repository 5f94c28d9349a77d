"""What is allowed: who may work in which workshop. A participant works only while the latest decision of the TPP (scope work) says yes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, NotFound, Refused
from services.marketplace.workshops.rules import Workshop, require_open

AssignmentId = NewType("AssignmentId", str)


class AssignmentUnknown(NotFound):
    title = "Penugasan kerja tidak ditemukan"


class WorkerUnknown(NotFound):
    title = "Belum ada keputusan TPP tentang kerja untuk peserta ini"


class WorkNotAllowed(Refused):
    """The latest decision says no, has lapsed, or was made elsewhere."""

    title = "Keputusan TPP terakhir tidak mengizinkan peserta ini bekerja"
    field = "participant_ref"


class WorkerNotPresent(Refused):
    title = "Peserta tidak sedang berada di Lapas ini"
    field = "participant_ref"


class AlreadyAssigned(Conflict):
    title = "Peserta sudah ditugaskan di bengkel kerja ini"


class AssignmentEnded(Conflict):
    title = "Penugasan kerja sudah berakhir"


class AssignmentDateInvalid(Refused):
    title = "Tanggal penugasan tidak benar"


class EndReason(StrEnum):
    OFFICER = "officer"
    DECISION = "decision"
    RELEASED = "released"
    TRANSFERRED = "transferred"
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What training tells us of a participant: where they are, and the latest decision on work. Its id is the participant_ref."""

    id: str
    facility_id: str
    present: bool
    decided_at: str
    eligible: bool
    decided_on: date
    valid_until: date | None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A participant's place in a workshop from one day to another."""

    id: AssignmentId
    participant_ref: str
    workshop_id: str
    facility_id: str
    role: str
    consented_on: date
    from_on: date
    to_on: date | None = None
    ended_because: EndReason | None = None
    live: bool = True
    version: int = 0

    def covers(self, day: date) -> bool:
        """Whether the participant had this place on that day."""
        return self.from_on <= day and (self.to_on is None or day <= self.to_on)


def record_decision(
    current: Worker | None,
    *,
    participant_ref: str,
    facility_id: str,
    eligible: bool,
    decided_on: date,
    valid_until: date | None,
) -> Worker:
    """The worker after a decision; one of an earlier day never replaces a later one."""
    if current is not None and decided_on < current.decided_on:
        return current
    return Worker(
        id=participant_ref,
        facility_id=current.facility_id if current else facility_id,
        present=current.present if current else True,
        decided_at=facility_id,
        eligible=eligible,
        decided_on=decided_on,
        valid_until=valid_until,
        version=current.version if current else 0,
    )


def mark_absent(worker: Worker) -> Worker:
    """Released, or away for a time."""
    return replace(worker, present=False)


def mark_present(worker: Worker, facility_id: str) -> Worker:
    """Present at a facility: admitted, returned, or moved there."""
    return replace(worker, facility_id=facility_id, present=True)


def require_work_allowed(worker: Worker, facility_id: str, day: date) -> None:
    """Refuse work at a facility on a day: WorkerNotPresent, or WorkNotAllowed."""
    if not worker.present or worker.facility_id != facility_id:
        raise WorkerNotPresent
    if (
        not worker.eligible
        or worker.decided_at != facility_id
        or (worker.valid_until is not None and day > worker.valid_until)
    ):
        raise WorkNotAllowed


def assign(
    assignment_id: AssignmentId,
    worker: Worker,
    workshop: Workshop,
    others: list[Assignment],
    *,
    role: str,
    consented_on: date,
    from_on: date,
    today: date,
) -> Assignment:
    """Give a participant a place in a workshop, with their own consent, while the decision stands."""
    require_open(workshop)
    require_work_allowed(worker, workshop.facility_id, max(from_on, today))
    if any(other.live and other.workshop_id == workshop.id for other in others):
        raise AlreadyAssigned
    if consented_on > today:
        raise AssignmentDateInvalid(field="consented_on")
    if from_on < worker.decided_on:
        raise AssignmentDateInvalid(field="from_on")
    return Assignment(
        id=assignment_id,
        participant_ref=worker.id,
        workshop_id=workshop.id,
        facility_id=workshop.facility_id,
        role=role,
        consented_on=consented_on,
        from_on=from_on,
    )


def merge(from_worker: Worker, into_worker: Worker | None, into_ref: str) -> Worker:
    """The surviving worker of a merge: the later decision and its place count."""
    survivor = (
        into_worker
        if into_worker is not None and into_worker.decided_on >= from_worker.decided_on
        else from_worker
    )
    return replace(survivor, id=into_ref, version=into_worker.version if into_worker else 0)


def rekey_assignment(assignment: Assignment, participant_ref: str) -> Assignment:
    """The place under the surviving reference of a merge."""
    return replace(assignment, participant_ref=participant_ref)


def end(assignment: Assignment, reason: EndReason, last_day: date) -> Assignment:
    """End a place; work that was done stays."""
    if not assignment.live:
        raise AssignmentEnded
    return replace(
        assignment, live=False, ended_because=reason, to_on=max(last_day, assignment.from_on)
    )
