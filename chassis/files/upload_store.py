"""The store of uploads, and the transaction of services that have them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from chassis.files.upload_rules import Upload, UploadState, UploadUnknown
from chassis.persistence import unit_of_work
from chassis.persistence.store import Index, Store
from chassis.persistence.unit_of_work import StoreOf


class Uploads(Store[Upload]):
    kind = Upload
    collection = "uploads"
    unknown = UploadUnknown
    scope: ClassVar = {"facility": "facility_id"}
    indexes = (Index("facility_id", "state"), Index("sweep_at"))
    audited = False

    async def count_open(self, facility_id: str) -> int:
        """Return how many uploads of a facility are not complete."""
        return await self.count({"facility_id": facility_id, "state": UploadState.OPEN.value})

    async def find_to_sweep(self, now: datetime, limit: int) -> list[Upload]:
        """Return the uploads whose turn to be swept came first."""
        return await self.find({"sweep_at": {"$lte": now}}, sort=[("sweep_at", 1)], limit=limit)


class UploadTransaction(unit_of_work.Transaction):
    """A transaction with a store of uploads."""

    uploads = StoreOf(Uploads)
