"""The store of raw cells."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Store
from services.training.raw_cells.rules import RawCells


class RawCellsStore(Store[RawCells]):
    kind = RawCells
    collection = "raw_cells"
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id", "snapshot_id"),)
    audited = False

    async def list_by_facility(self, facility_id: str) -> list[RawCells]:
        """Return all parts of a facility."""
        return await self.find({"facility_id": facility_id})

    async def list_by_snapshot(self, facility_id: str, snapshot_id: str) -> list[RawCells]:
        """Return all parts of one snapshot of a facility."""
        return await self.find({"facility_id": facility_id, "snapshot_id": snapshot_id})
