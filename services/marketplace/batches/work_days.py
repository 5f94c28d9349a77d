"""Rules of a workshop's day: a cell per participant and batch, and what it already holds.

A cell that a request leaves out stays as it is. Source: marketplace section 2.
Not here: rules of one work log (rules).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis import rosters
from chassis.errors import Conflict, DomainError, Refused
from chassis.rosters import RosterLine
from services.marketplace.batches import rules
from services.marketplace.batches.rules import Batch, BatchUnknown, WorkLog, WorkLogUnknown
from services.marketplace.settings import TEXTS
from services.marketplace.workers.rules import Assignment, Worker, WorkerUnknown
from services.marketplace.workshops.rules import Workshop


class WorkUnitsMissing(Refused):
    title = TEXTS["errors.work_units_missing"]
    field = "work_units"


class WorkLogDiffers(Conflict):
    """A log of other units is stored, and the cell names no version of it."""

    title = TEXTS["errors.work_log_differs"]
    field = "version"


class WorkLoggedSeveralTimes(Conflict):
    title = TEXTS["errors.work_logged_several_times"]
    field = "work_units"


class CorrectionReasonMissing(Refused):
    title = TEXTS["errors.correction_reason_missing"]
    field = "reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCell:
    """The work units of one participant for one batch on that day.

    `version` and `reason` are those of a correction. `client_ref` is the number that the officer's
    device gave the cell.
    """

    participant_ref: str
    batch_id: str
    work_units: int
    client_ref: str = ""
    version: int | None = None
    reason: str = ""

    @property
    def key(self) -> str:
        """The name of the cell in the day."""
        return f"{self.participant_ref}/{self.batch_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDay:
    """The work logs of one participant on that day."""

    participant_ref: str
    logs: tuple[WorkLog, ...]

    @property
    def work_units(self) -> int:
        """The sum of the work units."""
        return sum(log.work_units for log in self.logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDay:
    """A workshop's day as it is stored, and the lines of the act that recorded it, if any."""

    workshop: Workshop
    worked_on: date
    workers: tuple[WorkerDay, ...]
    lines: tuple[RosterLine, ...] = ()


def group_by_worker(logs: Iterable[WorkLog]) -> tuple[WorkerDay, ...]:
    """Return a row for each participant, in the order of their references."""
    by_worker: dict[str, list[WorkLog]] = {}
    for log in logs:
        by_worker.setdefault(log.participant_ref, []).append(log)
    return tuple(
        WorkerDay(participant_ref=ref, logs=tuple(by_worker[ref])) for ref in sorted(by_worker)
    )


def find_recorded(cell: WorkCell, stored: Sequence[WorkLog]) -> WorkLog | None:
    """Return the log that already records the cell: sent before, or of the same units."""
    if cell.version is None and cell.client_ref:
        for log in stored:
            was_units = log.edits[0].was_units if log.edits else log.work_units
            if log.client_ref == cell.client_ref and was_units == cell.work_units:
                return log
    if stored and sum(log.work_units for log in stored) == cell.work_units:
        return stored[-1]
    return None


def errors_against_new(
    cell: WorkCell,
    log: WorkLog,
    batch: Batch | None,
    workshop: Workshop,
    worker: Worker | None,
    assignments: Sequence[Assignment],
    now: datetime,
) -> list[DomainError]:
    """Return every error against the first log of a cell; empty means allowed.

    The batch must be one of the workshop, and the worker known at its facility.
    """
    errors: list[DomainError] = []
    if cell.work_units == 0:
        errors.append(WorkUnitsMissing())
    if cell.version is not None:
        errors.append(WorkLogUnknown(field="version"))
    if batch is None or batch.workshop_id != workshop.id:
        errors.append(BatchUnknown(field="batch_id"))
    else:
        errors += rules.errors_of_batch(log, batch, workshop, now)
    known = rules.find_known_here(worker, assignments, workshop.facility_id)
    if known is None:
        errors.append(WorkerUnknown(field="participant_ref"))
    else:
        errors += rules.errors_of_worker(log, workshop, known, assignments)
    return errors


def errors_against_change(
    cell: WorkCell, stored: Sequence[WorkLog], batch: Batch, now: datetime
) -> list[DomainError]:
    """Return every error against other units in a cell that is recorded; empty means allowed."""
    if len(stored) > 1:
        return [WorkLoggedSeveralTimes()]
    [log] = stored
    errors: list[DomainError] = []
    if cell.version is None:
        errors.append(WorkLogDiffers())
    else:
        errors += rosters.version_errors(log, cell.version)
    if cell.version is not None and not cell.reason.strip():
        errors.append(CorrectionReasonMissing())
    return errors + rules.errors_against_correction(log, batch, now)
