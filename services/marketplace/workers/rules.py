"""Rules of workers: who may work in which workshop.

A participant works only while the latest decision of the TPP (scope work) allows it.
Not here: the work itself (batches).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, DomainError, NotFound, Refused, raise_first
from services.marketplace.settings import TEXTS
from services.marketplace.workshops.rules import Workshop, require_open

AssignmentId = NewType("AssignmentId", str)


class AssignmentUnknown(NotFound):
    title = TEXTS["errors.assignment_unknown"]


class WorkerUnknown(NotFound):
    title = TEXTS["errors.worker_unknown"]


class WorkNotAllowed(Refused):
    """The latest decision refuses work, has lapsed, or was made by another Lapas."""

    title = TEXTS["errors.work_not_allowed"]
    field = "participant_ref"


class WorkerNotPresent(Refused):
    title = TEXTS["errors.worker_not_present"]
    field = "participant_ref"


class AlreadyAssigned(Conflict):
    title = TEXTS["errors.already_assigned"]


class AssignmentEnded(Conflict):
    title = TEXTS["errors.assignment_ended"]


class AssignmentDateInvalid(Refused):
    title = TEXTS["errors.assignment_date_invalid"]


class EndReason(StrEnum):
    OFFICER = "officer"
    DECISION = "decision"
    RELEASED = "released"
    TRANSFERRED = "transferred"
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A participant as training reports them: where they are, and the latest decision on work.

    The id is the participant_ref.
    """

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
    """A participant's assignment to a workshop, from one day to another."""

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
        """Return whether the assignment was in effect on that day."""
        if day < self.from_on:
            return False
        return self.to_on is None or day <= self.to_on


def record_decision(
    current: Worker | None,
    *,
    participant_ref: str,
    facility_id: str,
    eligible: bool,
    decided_on: date,
    valid_until: date | None,
) -> Worker:
    """Return the worker after a decision; an earlier decision never replaces a later one."""
    if current is None:
        return Worker(
            id=participant_ref,
            facility_id=facility_id,
            present=True,
            decided_at=facility_id,
            eligible=eligible,
            decided_on=decided_on,
            valid_until=valid_until,
        )
    if decided_on < current.decided_on:
        return current
    return replace(
        current,
        decided_at=facility_id,
        eligible=eligible,
        decided_on=decided_on,
        valid_until=valid_until,
    )


def mark_absent(worker: Worker) -> Worker:
    """Mark a participant as absent: released, or away for a limited time."""
    return replace(worker, present=False)


def mark_present(worker: Worker, facility_id: str) -> Worker:
    """Mark a participant as present at a facility: admitted, returned or transferred."""
    return replace(worker, facility_id=facility_id, present=True)


def require_work_allowed(worker: Worker, facility_id: str, day: date) -> None:
    """Require that the participant may work at this facility on this day.

    Raises WorkerNotPresent or WorkNotAllowed.
    """
    if not worker.present or worker.facility_id != facility_id:
        raise WorkerNotPresent
    if not worker.eligible or worker.decided_at != facility_id:
        raise WorkNotAllowed
    require_decision_in_effect(worker, day)


def require_decision_in_effect(worker: Worker, day: date) -> None:
    """Require that the decision has not lapsed before this day. Raises WorkNotAllowed."""
    raise_first(errors_of_decision(worker, day))


def errors_of_decision(worker: Worker, day: date) -> list[DomainError]:
    """Return WorkNotAllowed if the decision has lapsed before this day."""
    is_lapsed = worker.valid_until is not None and day > worker.valid_until
    return [WorkNotAllowed()] if is_lapsed else []


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
    """Assign a participant to a workshop, with their consent and a decision in effect.

    `others` are all assignments of the participant. Raises WorkshopClosed, WorkerNotPresent,
    WorkNotAllowed, AlreadyAssigned or AssignmentDateInvalid.
    """
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
    """Return the surviving worker of a merge: the later decision counts, with its facility."""
    if into_worker is None:
        return replace(from_worker, id=into_ref, version=0)
    if into_worker.decided_on >= from_worker.decided_on:
        return into_worker
    return replace(from_worker, id=into_ref, version=into_worker.version)


def rekey_assignment(assignment: Assignment, participant_ref: str) -> Assignment:
    """Return the assignment under the surviving reference of a merge."""
    return replace(assignment, participant_ref=participant_ref)


def end(assignment: Assignment, reason: EndReason, last_day: date) -> Assignment:
    """End an assignment; logged work stays. Raises AssignmentEnded."""
    if not assignment.live:
        raise AssignmentEnded
    to_on = max(last_day, assignment.from_on)
    return replace(assignment, live=False, ended_because=reason, to_on=to_on)
