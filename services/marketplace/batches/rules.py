"""Rules of production batches and of the work that went into them.

Completion freezes unit costs and premi weights.
Not here: how premi is divided (proceeds).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, DomainError, NotFound, Refused, raise_first
from services.marketplace.money import Rupiah
from services.marketplace.settings import TEXTS
from services.marketplace.stock.rules import Portion
from services.marketplace.workers.rules import (
    Assignment,
    Worker,
    WorkerUnknown,
    errors_of_decision,
)
from services.marketplace.workshops.rules import Workshop
from services.marketplace.zones import local_day

BatchId = NewType("BatchId", str)
WorkLogId = NewType("WorkLogId", str)
CORRECTION_WINDOW = timedelta(days=7)


class BatchUnknown(NotFound):
    title = TEXTS["errors.batch_unknown"]


class BatchStateDiffers(Conflict):
    title = TEXTS["errors.batch_state_differs"]


class BatchWithoutWork(Refused):
    """No work is logged on the batch, so its premi would belong to nobody."""

    title = TEXTS["errors.batch_without_work"]


class BatchNothingGood(Refused):
    title = TEXTS["errors.batch_nothing_good"]
    field = "qty_good"


class RejectReasonMissing(Refused):
    title = TEXTS["errors.reject_reason_missing"]
    field = "reject_reason"


class WorkLogUnknown(NotFound):
    title = TEXTS["errors.work_log_unknown"]


class WorkLogLocked(Conflict):
    """The batch is complete or rejected, or the correction window has passed."""

    title = TEXTS["errors.work_log_locked"]


class WorkDateInvalid(Refused):
    title = TEXTS["errors.work_date_invalid"]
    field = "worked_on"


class NotAssigned(Refused):
    title = TEXTS["errors.not_assigned"]
    field = "participant_ref"


class BatchState(StrEnum):
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    QUALITY_CHECK = "quality_check"
    COMPLETED = "completed"
    REJECTED = "rejected"


OPEN_STATES = frozenset({BatchState.IN_PROGRESS, BatchState.QUALITY_CHECK})


@dataclass(frozen=True, slots=True, kw_only=True)
class PremiWeight:
    """A participant's work units in a batch, frozen at completion: the weight of their premi."""

    participant_ref: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch of one SKU.

    `portions` are its good units by unit cost, frozen at completion.
    """

    id: BatchId
    number: str
    workshop_id: str
    facility_id: str
    sku: str
    qty_planned: int
    material_cost_idr: Rupiah
    other_cost_idr: Rupiah
    qty_good: int = 0
    qty_reject: int = 0
    reject_reason: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    portions: tuple[Portion, ...] = ()
    weights: tuple[PremiWeight, ...] = ()
    state: BatchState = BatchState.PLANNED
    version: int = 0

    @property
    def cost_idr(self) -> Rupiah:
        """What the batch cost to make."""
        return Rupiah(self.material_cost_idr + self.other_cost_idr)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNumberCounter:
    """The last batch number of one workshop; its id is the workshop's."""

    id: str
    facility_id: str
    last: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkLogCorrection:
    """A correction of a work log: the units before, and the reason."""

    was_units: int
    reason: str
    edited_by: str
    edited_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkLog:
    """Integer work units of one participant on one day for one batch.

    `client_ref` is the number that an officer's device gave the cell of a day grid.
    """

    id: WorkLogId
    batch_id: str
    workshop_id: str
    facility_id: str
    participant_ref: str
    work_units: int
    worked_on: date
    recorded_by: str
    recorded_at: datetime
    client_ref: str = ""
    edits: tuple[WorkLogCorrection, ...] = ()
    version: int = 0


def assign_number(
    workshop: Workshop, numbers: BatchNumberCounter, now: datetime
) -> tuple[str, BatchNumberCounter]:
    """Return the next batch number of a workshop, such as KAYU-2026-0007."""
    after = replace(numbers, last=numbers.last + 1)
    year = local_day(now, workshop.zone).year
    return f"{workshop.code}-{year}-{after.last:04d}", after


def start(batch: Batch, now: datetime) -> Batch:
    """Start production."""
    _require_state(batch, {BatchState.PLANNED})
    return replace(batch, state=BatchState.IN_PROGRESS, started_at=now)


def set_costs(batch: Batch, material_cost_idr: Rupiah, other_cost_idr: Rupiah) -> Batch:
    """Set the costs of the batch; completion freezes them."""
    _require_state(batch, {BatchState.PLANNED, *OPEN_STATES})
    return replace(batch, material_cost_idr=material_cost_idr, other_cost_idr=other_cost_idr)


def has_booked_cost(batch: Batch) -> bool:
    """Return whether the cost of the batch is in the books: from the start of production on."""
    return batch.state is not BatchState.PLANNED


def start_quality_check(batch: Batch) -> Batch:
    """End production and start the quality check."""
    _require_state(batch, {BatchState.IN_PROGRESS})
    return replace(batch, state=BatchState.QUALITY_CHECK)


def complete(
    batch: Batch,
    logs: Iterable[WorkLog],
    *,
    qty_good: int,
    qty_reject: int,
    reject_reason: str,
    now: datetime,
) -> Batch:
    """Freeze the good units with their cost to the rupiah, and the work units of participants.

    Raises BatchWithoutWork, BatchNothingGood or RejectReasonMissing.
    """
    _require_state(batch, {BatchState.QUALITY_CHECK})
    units = sum_units_by_participant(logs)
    if not units:
        raise BatchWithoutWork
    if qty_good == 0:
        raise BatchNothingGood
    if qty_reject > 0 and not reject_reason.strip():
        raise RejectReasonMissing
    portions = tuple(
        Portion(batch_id=batch.id, received_at=now, unit_cost_idr=unit_cost, qty=qty)
        for qty, unit_cost in divide_into_unit_costs(batch.cost_idr, qty_good)
    )
    weights = tuple(
        PremiWeight(participant_ref=person, units=units[person]) for person in sorted(units)
    )
    return replace(
        batch,
        state=BatchState.COMPLETED,
        completed_at=now,
        qty_good=qty_good,
        qty_reject=qty_reject,
        reject_reason=reject_reason,
        portions=portions,
        weights=weights,
    )


def reject(batch: Batch, *, qty_reject: int, reason: str, now: datetime) -> Batch:
    """Reject the batch: no unit of it can be sold. Raises RejectReasonMissing."""
    _require_state(batch, {BatchState.QUALITY_CHECK})
    if not reason.strip():
        raise RejectReasonMissing
    return replace(
        batch,
        state=BatchState.REJECTED,
        completed_at=now,
        qty_reject=qty_reject,
        reject_reason=reason,
    )


def divide_into_unit_costs(cost_idr: Rupiah, qty: int) -> list[tuple[int, Rupiah]]:
    """Return pairs of quantity and whole unit cost that sum to exactly the cost.

    The remainder of the division makes some units one rupiah dearer; these come first.
    """
    unit_cost, dearer_qty = divmod(cost_idr, qty)
    parts = [
        (dearer_qty, Rupiah(unit_cost + 1)),
        (qty - dearer_qty, Rupiah(unit_cost)),
    ]
    return [part for part in parts if part[0] > 0]


def sum_units_by_participant(logs: Iterable[WorkLog]) -> dict[str, int]:
    """Return the sum of work units of each participant; a sum of zero is left out."""
    units: dict[str, int] = {}
    for log in logs:
        units[log.participant_ref] = units.get(log.participant_ref, 0) + log.work_units
    return {person: count for person, count in units.items() if count}


def log_work(
    log: WorkLog,
    batch: Batch,
    workshop: Workshop,
    worker: Worker,
    assignments: Sequence[Assignment],
    now: datetime,
) -> WorkLog:
    """Record work in an open batch, on a day with an assignment and a decision in effect.

    Raises BatchStateDiffers, WorkDateInvalid, NotAssigned or WorkNotAllowed.
    """
    raise_first(
        [
            *errors_of_batch(log, batch, workshop, now),
            *errors_of_worker(log, workshop, worker, assignments),
        ]
    )
    return log


def errors_of_batch(
    log: WorkLog, batch: Batch, workshop: Workshop, now: datetime
) -> list[DomainError]:
    """Return why the batch admits no work on that day: BatchStateDiffers, WorkDateInvalid."""
    errors = _errors_of_state(batch, OPEN_STATES)
    first_day = log.worked_on
    if batch.started_at is not None:
        first_day = local_day(batch.started_at, workshop.zone)
    today = local_day(now, workshop.zone)
    if log.worked_on < first_day or log.worked_on > today:
        errors.append(WorkDateInvalid())
    return errors


def errors_of_worker(
    log: WorkLog, workshop: Workshop, worker: Worker, assignments: Sequence[Assignment]
) -> list[DomainError]:
    """Return why the worker may not have worked on that day: NotAssigned, WorkNotAllowed."""
    is_assigned = any(
        assignment.workshop_id == workshop.id and assignment.covers(log.worked_on)
        for assignment in assignments
    )
    errors: list[DomainError] = [] if is_assigned else [NotAssigned()]
    return errors + errors_of_decision(worker, log.worked_on)


def correct(
    log: WorkLog, batch: Batch, *, units: int, reason: str, by: str, now: datetime
) -> WorkLog:
    """Correct the units within seven days while the batch is open. Raises WorkLogLocked.

    The old value and the reason are kept.
    """
    raise_first(errors_against_correction(log, batch, now))
    correction = WorkLogCorrection(
        was_units=log.work_units, reason=reason, edited_by=by, edited_at=now
    )
    return replace(log, work_units=units, edits=(*log.edits, correction))


def errors_against_correction(log: WorkLog, batch: Batch, now: datetime) -> list[DomainError]:
    """Return WorkLogLocked if the batch is closed or the window of seven days has passed."""
    is_locked = batch.state not in OPEN_STATES or now - log.recorded_at > CORRECTION_WINDOW
    return [WorkLogLocked()] if is_locked else []


def find_known_here(
    worker: Worker | None, assignments: Sequence[Assignment], facility_id: str
) -> Worker | None:
    """Return a worker who is at this facility, or was assigned here before they left."""
    if worker is None:
        return None
    was_assigned_here = any(assignment.facility_id == facility_id for assignment in assignments)
    return worker if worker.facility_id == facility_id or was_assigned_here else None


def require_known_here(
    worker: Worker | None, assignments: Sequence[Assignment], facility_id: str
) -> Worker:
    """Return the worker who is known here.

    Raises WorkerUnknown for anybody else: no answer shows who is at another facility.
    """
    known = find_known_here(worker, assignments, facility_id)
    if known is None:
        raise WorkerUnknown
    return known


def rekey_work_log(log: WorkLog, participant_ref: str) -> WorkLog:
    """Return the log under the surviving reference of a merge."""
    return replace(log, participant_ref=participant_ref)


def makers_of(batches: Iterable[Batch]) -> list[str]:
    """Return the participants whose work these batches name."""
    return sorted({weight.participant_ref for batch in batches for weight in batch.weights})


def sum_weights_by_survivor(
    weights: Iterable[PremiWeight], survivors: Mapping[str, str]
) -> dict[str, int]:
    """Return the weights by surviving participant; merged references are summed."""
    units: dict[str, int] = {}
    for weight in weights:
        person = survivors.get(weight.participant_ref, weight.participant_ref)
        units[person] = units.get(person, 0) + weight.units
    return units


def _require_state(batch: Batch, states: Iterable[BatchState]) -> None:
    raise_first(_errors_of_state(batch, states))


def _errors_of_state(batch: Batch, states: Iterable[BatchState]) -> list[DomainError]:
    return [] if batch.state in states else [BatchStateDiffers(state=batch.state)]
