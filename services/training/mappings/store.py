"""The stores of mappings that officers set, and of single mapped words."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Store
from services.training.mappings.rules import MappedValue, StoredMapping


class MappedValues(Store[MappedValue]):
    kind = MappedValue
    collection = "mapped_values"
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id"),)

    async def list_by_facility(self, facility_id: str) -> list[MappedValue]:
        """Return all words of a facility that officers mapped to a code."""
        return await self.find({"facility_id": facility_id}, sort=[("_id", 1)])


class StoredMappings(Store[StoredMapping]):
    kind = StoredMapping
    collection = "mappings"
    scope = {"facility": "_id"}
