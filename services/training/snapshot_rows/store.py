"""The store of reported row errors."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.snapshot_rows.rules import ReportedError


class RowErrors(Store[ReportedError]):
    kind = ReportedError
    collection = "row_errors"
    scope = {"facility": "facility_id"}
    indexes = (Index("snapshot_id"),)
    schema = 2
    audited = False

    async def list_page(
        self, snapshot_id: str, cursor: str | None, limit: int
    ) -> Page[ReportedError]:
        """Return a page of the errors of a snapshot's rows, in the order of the file."""
        return await self.page({"snapshot_id": snapshot_id}, cursor=cursor, limit=limit)
