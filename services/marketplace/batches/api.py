"""Routes of batches and work logs.

Not here: stock, which completion fills.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from chassis.moments import Day
from services.marketplace.batches import usecases
from services.marketplace.batches.rules import Batch, BatchId, WorkLog, WorkLogId
from services.marketplace.money import Idr, Rupiah
from services.marketplace.transaction import Run, step_runner
from services.marketplace.workshops.rules import WorkshopId

router = APIRouter(prefix="/v1", tags=["Produksi"])

Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Units = Annotated[int, Field(strict=True, ge=1, le=100_000)]


class BatchIn(BaseModel):
    model_config = dependencies.STRICT
    workshop_id: str
    sku: str
    qty_planned: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    material_cost_idr: Idr
    other_cost_idr: Idr = 0


class CostsIn(BaseModel):
    model_config = dependencies.STRICT
    material_cost_idr: Idr
    other_cost_idr: Idr


class CompletionIn(BaseModel):
    model_config = dependencies.STRICT
    qty_good: Count
    qty_reject: Count = 0
    reject_reason: str = Field("", max_length=400)


class RejectionIn(BaseModel):
    model_config = dependencies.STRICT
    qty_reject: Count
    reason: str = Field(min_length=1, max_length=400)


class WeightBody(BaseModel):
    participant_ref: str
    units: int


class UnitCostBody(BaseModel):
    qty: int
    unit_cost_idr: int


class BatchBody(BaseModel):
    """A batch as officers see it.

    Internal provenance includes the opaque reference of each participant.
    """

    id: str
    version: int
    number: str
    workshop_id: str
    facility_id: str
    sku: str
    state: str
    qty_planned: int
    qty_good: int
    qty_reject: int
    reject_reason: str
    material_cost_idr: int
    other_cost_idr: int
    unit_costs: list[UnitCostBody]
    weights: list[WeightBody]
    started_at: datetime | None
    completed_at: datetime | None

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """Return the body of a batch."""
        return cls(
            id=batch.id,
            version=batch.version,
            number=batch.number,
            workshop_id=batch.workshop_id,
            facility_id=batch.facility_id,
            sku=batch.sku,
            state=batch.state,
            qty_planned=batch.qty_planned,
            qty_good=batch.qty_good,
            qty_reject=batch.qty_reject,
            reject_reason=batch.reject_reason,
            material_cost_idr=batch.material_cost_idr,
            other_cost_idr=batch.other_cost_idr,
            unit_costs=[
                UnitCostBody(qty=portion.qty, unit_cost_idr=portion.unit_cost_idr)
                for portion in batch.portions
            ],
            weights=[
                WeightBody(participant_ref=weight.participant_ref, units=weight.units)
                for weight in batch.weights
            ],
            started_at=batch.started_at,
            completed_at=batch.completed_at,
        )


class WorkLogIn(BaseModel):
    model_config = dependencies.STRICT
    batch_id: str
    participant_ref: str = Field(min_length=1, max_length=80)
    work_units: Units
    worked_on: Day


class CorrectionIn(BaseModel):
    model_config = dependencies.STRICT
    work_units: Count
    reason: str = Field(min_length=1, max_length=400)


class EditBody(BaseModel):
    was_units: int
    reason: str
    edited_by: str
    edited_at: datetime


class WorkLogBody(BaseModel):
    id: str
    version: int
    batch_id: str
    workshop_id: str
    participant_ref: str
    work_units: int
    worked_on: date
    recorded_by: str
    recorded_at: datetime
    client_ref: str | None
    edits: list[EditBody]

    @classmethod
    def of(cls, log: WorkLog) -> Self:
        """Return the body of a work log."""
        return cls(
            id=log.id,
            version=log.version,
            batch_id=log.batch_id,
            workshop_id=log.workshop_id,
            participant_ref=log.participant_ref,
            work_units=log.work_units,
            worked_on=log.worked_on,
            recorded_by=log.recorded_by,
            recorded_at=log.recorded_at,
            client_ref=log.client_ref or None,
            edits=[
                EditBody(
                    was_units=edit.was_units,
                    reason=edit.reason,
                    edited_by=edit.edited_by,
                    edited_at=edit.edited_at,
                )
                for edit in log.edits
            ],
        )


@router.post("/batches", status_code=201)
async def plan_batch(body: BatchIn, run: Run, response: Response) -> BatchBody:
    """Plan a batch."""
    command = partial(
        usecases.plan,
        BatchId(new_id()),
        WorkshopId(body.workshop_id),
        body.sku,
        body.qty_planned,
        Rupiah(body.material_cost_idr),
        Rupiah(body.other_cost_idr),
    )
    batch = await run(command)
    dependencies.set_etag(response, batch)
    return BatchBody.of(batch)


@router.get("/batches")
async def list_batches(
    run: Run,
    workshop_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[BatchBody]:
    """Return the batches of the caller's Lapas."""
    page = await run(partial(usecases.list_batches, workshop_id, cursor, limit))
    return paging.PageBody(
        items=[BatchBody.of(batch) for batch in page.items], next_cursor=page.next_cursor
    )


@router.get("/batches/{batch_id}")
async def read_batch(batch_id: str, run: Run, response: Response) -> BatchBody:
    """Return one batch with its internal provenance."""
    batch = await run(partial(usecases.read_batch, BatchId(batch_id)))
    dependencies.set_etag(response, batch)
    return BatchBody.of(batch)


@router.post("/batches/{batch_id}/start")
async def start_batch(
    batch_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> BatchBody:
    """Start production."""
    batch = await run(partial(usecases.start, BatchId(batch_id), version))
    dependencies.set_etag(response, batch)
    return BatchBody.of(batch)


@router.patch("/batches/{batch_id}/costs")
async def set_costs(
    batch_id: str,
    body: CostsIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> BatchBody:
    """Set the costs of a batch; completion freezes them."""
    command = partial(
        usecases.set_costs,
        BatchId(batch_id),
        Rupiah(body.material_cost_idr),
        Rupiah(body.other_cost_idr),
        version,
    )
    batch = await run(command)
    dependencies.set_etag(response, batch)
    return BatchBody.of(batch)


@router.post("/batches/{batch_id}/quality-check")
async def check_quality(
    batch_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> BatchBody:
    """End production and start the quality check."""
    batch = await run(partial(usecases.start_quality_check, BatchId(batch_id), version))
    dependencies.set_etag(response, batch)
    return BatchBody.of(batch)


@router.post("/batches/{batch_id}/completion")
async def complete_batch(
    batch_id: str,
    body: CompletionIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> BatchBody:
    """Complete a batch.

    Unit costs and premi weights are frozen, and the good units are received into stock.
    """
    stock = await step_runner(run)(partial(usecases.find_contended_stock, BatchId(batch_id)))
    command = partial(
        usecases.complete,
        BatchId(batch_id),
        body.qty_good,
        body.qty_reject,
        body.reject_reason,
        version,
    )
    batch = await run(command, contended=[stock])
    dependencies.set_etag(response, batch)
    return BatchBody.of(batch)


@router.post("/batches/{batch_id}/rejection")
async def reject_batch(
    batch_id: str,
    body: RejectionIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> BatchBody:
    """Reject a batch of which no unit can be sold."""
    command = partial(usecases.reject, BatchId(batch_id), body.qty_reject, body.reason, version)
    batch = await run(command)
    dependencies.set_etag(response, batch)
    return BatchBody.of(batch)


@router.post("/work-logs", status_code=201)
async def log_work(body: WorkLogIn, run: Run, response: Response) -> WorkLogBody:
    """Record a participant's work on a day."""
    command = partial(
        usecases.log_work,
        WorkLogId(new_id()),
        BatchId(body.batch_id),
        body.participant_ref,
        body.work_units,
        body.worked_on,
    )
    log = await run(command)
    dependencies.set_etag(response, log)
    return WorkLogBody.of(log)


@router.get("/work-logs")
async def list_work_logs(
    run: Run, batch_id: str, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[WorkLogBody]:
    """Return the work logs of a batch; the read is audited."""
    page = await run(partial(usecases.list_work_logs, batch_id, cursor, limit))
    return paging.PageBody(
        items=[WorkLogBody.of(log) for log in page.items], next_cursor=page.next_cursor
    )


@router.patch("/work-logs/{log_id}")
async def correct_work_log(
    log_id: str,
    body: CorrectionIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> WorkLogBody:
    """Correct the units of a work log within seven days, with a reason."""
    command = partial(
        usecases.correct_log, WorkLogId(log_id), body.work_units, body.reason, version
    )
    log = await run(command)
    dependencies.set_etag(response, log)
    return WorkLogBody.of(log)
