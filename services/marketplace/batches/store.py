"""The stored batches, batch numbers, work logs and work months.

Not here: rules.
"""

from __future__ import annotations

from datetime import date

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.batches.rules import (
    Batch,
    BatchNumberCounter,
    BatchState,
    BatchUnknown,
    WorkLog,
    WorkLogUnknown,
)
from services.marketplace.batches.work_months import WorkMonth


class Batches(Store[Batch]):
    kind = Batch
    collection = "batches"
    unknown = BatchUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("workshop_id", "number", unique=True),
        Index("sku", ("completed_at", -1)),
        Index("facility_id"),
    )

    async def list_page(
        self, workshop_id: str | None, cursor: str | None, limit: int
    ) -> Page[Batch]:
        """Return one page of the batches in the caller's scope, of one workshop or all."""
        where = {"workshop_id": workshop_id} if workshop_id else {}
        return await self.page(where, cursor=cursor, limit=limit)

    async def list_latest_completed(self, skus: list[str], limit: int) -> list[Batch]:
        """Return the last completed batches of these SKUs, latest first.

        Unscoped: public provenance shows their numbers and months.
        """
        return await self.find(
            {"sku": {"$in": skus}, "state": BatchState.COMPLETED},
            sort=[("completed_at", -1)],
            limit=limit,
            scoped=False,
        )


class BatchNumberCounters(Store[BatchNumberCounter]):
    kind = BatchNumberCounter
    collection = "batch_numbers"
    scope = {"facility": "facility_id"}


class WorkLogs(Store[WorkLog]):
    kind = WorkLog
    collection = "work_logs"
    person = "participant_ref"
    unknown = WorkLogUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("batch_id"), Index("participant_ref"), Index("workshop_id", "worked_on"))
    schema = 2

    async def list_by_batch(self, batch_id: str) -> list[WorkLog]:
        """Return all work logs of a batch."""
        return await self.find({"batch_id": batch_id})

    async def list_by_day(self, workshop_id: str, worked_on: date) -> list[WorkLog]:
        """Return all work logs of a workshop on one day, in the order of their recording."""
        where = {"workshop_id": workshop_id, "worked_on": worked_on.isoformat()}
        return await self.find(where, sort=[("recorded_at", 1)])

    async def list_by_participant(self, participant_ref: str) -> list[WorkLog]:
        """Return all work logs of a participant."""
        return await self.find({"participant_ref": participant_ref})

    async def list_page(self, batch_id: str, cursor: str | None, limit: int) -> Page[WorkLog]:
        """Return one page of the work logs of a batch in the caller's scope."""
        return await self.page({"batch_id": batch_id}, cursor=cursor, limit=limit)


class WorkMonths(Store[WorkMonth]):
    kind = WorkMonth
    collection = "work_months"
    person = "participant_ref"
    scope = {"facility": "facility_id"}
    indexes = (Index("participant_ref"),)

    async def list_by_participant(self, participant_ref: str) -> list[WorkMonth]:
        """Return all months in which a participant worked."""
        return await self.find({"participant_ref": participant_ref})
