"""Routes of a workshop's day: a line per participant and batch.

Not here: the routes of one work log (api).
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis import rosters
from chassis.http import dependencies
from chassis.http.roster_bodies import ReasonTexts, RosterLineBody
from chassis.moments import Day
from chassis.rosters import MAX_LINES, LineOutcome, RosterLine
from services.marketplace.batches import work_day_acts
from services.marketplace.batches.rules import WorkLog
from services.marketplace.batches.work_days import WorkCell, WorkDay, WorkerDay
from services.marketplace.settings import TEXTS
from services.marketplace.transaction import Run
from services.marketplace.workshops.rules import WorkshopId

router = APIRouter(prefix="/v1/workshops/{workshop_id}/work-days", tags=["Produksi"])
_REASONS = ReasonTexts(TEXTS)


class WorkCellIn(BaseModel):
    """The work units of one participant for one batch.

    A correction of what is recorded names its `version` and a `reason`. `client_ref` is the number
    that the officer's device gave the cell: a cell that is sent twice counts once.
    """

    model_config = dependencies.STRICT
    participant_ref: str = Field(min_length=1, max_length=80)
    batch_id: str = Field(min_length=1, max_length=80)
    work_units: Annotated[int, Field(strict=True, ge=0, le=100_000)]
    client_ref: str = Field("", max_length=64)
    version: Annotated[int | None, Field(strict=True, ge=1)] = None
    reason: str = Field("", max_length=400)

    def to_cell(self) -> WorkCell:
        """Return the cell that this body describes."""
        return WorkCell(**self.model_dump())


class WorkDayIn(BaseModel):
    """The cells of a workshop's day; those that are left out stay as they are."""

    model_config = dependencies.STRICT
    lines: list[WorkCellIn] = Field(min_length=1, max_length=MAX_LINES)


class WorkBody(BaseModel):
    """The work of a participant for one batch."""

    log_id: str
    version: int
    batch_id: str
    work_units: int
    client_ref: str | None

    @classmethod
    def of(cls, log: WorkLog) -> Self:
        """Return the body of a work log in the day."""
        return cls(
            log_id=log.id,
            version=log.version,
            batch_id=log.batch_id,
            work_units=log.work_units,
            client_ref=log.client_ref or None,
        )


class WorkerDayBody(BaseModel):
    """The day of one participant: all work units, and those of each batch."""

    participant_ref: str
    work_units: int
    work: list[WorkBody]

    @classmethod
    def of(cls, worker: WorkerDay) -> Self:
        """Return the body of a participant's day."""
        return cls(
            participant_ref=worker.participant_ref,
            work_units=worker.work_units,
            work=[WorkBody.of(log) for log in worker.logs],
        )


class WorkDayBody(BaseModel):
    """A workshop's day as it is stored, with a line for each participant who worked."""

    workshop_id: str
    worked_on: date
    unit_kind: str
    workers: list[WorkerDayBody]

    @classmethod
    def of(cls, day: WorkDay) -> Self:
        """Return the body of a day."""
        return cls(
            workshop_id=day.workshop.id,
            worked_on=day.worked_on,
            unit_kind=day.workshop.unit_kind,
            workers=[WorkerDayBody.of(worker) for worker in day.workers],
        )


class WorkCellBody(RosterLineBody):
    """What became of one cell; `result_id` and `version` are those of its work log."""

    participant_ref: str
    batch_id: str
    client_ref: str | None

    @classmethod
    def of_cell(cls, cell: WorkCellIn, line: RosterLine) -> Self:
        """Return the body of a cell's line."""
        return cls(
            **RosterLineBody.of(line, _REASONS).model_dump(),
            participant_ref=cell.participant_ref,
            batch_id=cell.batch_id,
            client_ref=cell.client_ref or None,
        )


class RecordedWorkDayBody(BaseModel):
    """The outcome of each cell in the order of the request, and the day as it is then."""

    counts: dict[LineOutcome, int]
    lines: list[WorkCellBody]
    day: WorkDayBody


@router.put("/{date}")
async def record_day(workshop_id: str, date: Day, body: WorkDayIn, run: Run) -> RecordedWorkDayBody:
    """Record a workshop's day; good lines go in, the others name every reason.

    A repeat changes nothing. A line of other units than recorded names their version.
    """
    cells = [line.to_cell() for line in body.lines]
    command = partial(work_day_acts.record_day, WorkshopId(workshop_id), date, cells)
    day = await run(command)
    counts = rosters.count_outcomes(day.lines)
    return RecordedWorkDayBody(
        counts={LineOutcome(name): number for name, number in counts.items()},
        lines=[
            WorkCellBody.of_cell(cell, line)
            for cell, line in zip(body.lines, day.lines, strict=True)
        ],
        day=WorkDayBody.of(day),
    )


@router.get("/{date}")
async def read_day(workshop_id: str, date: Day, run: Run) -> WorkDayBody:
    """Return a workshop's day; the read is audited."""
    day = await run(partial(work_day_acts.read_day, WorkshopId(workshop_id), date))
    return WorkDayBody.of(day)
