"""How batches, their work logs and the counts drawn from them are kept."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.batches.rules import (
    Batch,
    BatchNumberCounter,
    BatchState,
    BatchUnknown,
    WorkLog,
    WorkLogUnknown,
    WorkMonth,
)


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
        """The batches that the caller sees, of one workshop or all."""
        return await self.page(
            {"workshop_id": workshop_id} if workshop_id else {}, cursor=cursor, limit=limit
        )

    async def list_latest_completed(self, skus: list[str], limit: int) -> list[Batch]:
        """The last completed batches of these SKUs, for anybody: public provenance shows their numbers and months."""
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
    indexes = (Index("batch_id"), Index("participant_ref"))

    async def list_by_batch(self, batch_id: str) -> list[WorkLog]:
        """All work that went into a batch."""
        return await self.find({"batch_id": batch_id})

    async def list_by_participant(self, participant_ref: str) -> list[WorkLog]:
        """All work of a participant."""
        return await self.find({"participant_ref": participant_ref})

    async def list_page(self, batch_id: str, cursor: str | None, limit: int) -> Page[WorkLog]:
        """The work logs of a batch that the caller sees."""
        return await self.page({"batch_id": batch_id}, cursor=cursor, limit=limit)


class WorkMonths(Store[WorkMonth]):
    kind = WorkMonth
    collection = "work_months"
    person = "participant_ref"
    scope = {"facility": "facility_id"}
    indexes = (Index("participant_ref"),)

    async def list_by_participant(self, participant_ref: str) -> list[WorkMonth]:
        """All months in which a participant worked."""
        return await self.find({"participant_ref": participant_ref})
