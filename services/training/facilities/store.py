"""The store of facilities."""

from __future__ import annotations

from collections.abc import Collection

from chassis.persistence.store import Page, Store
from services.training.facilities.rules import Facility, FacilityUnknown


class Facilities(Store[Facility]):
    kind = Facility
    collection = "facilities"
    unknown = FacilityUnknown
    scope = {"facility": "_id", "regency": "regencies"}

    async def list_live(self) -> list[Facility]:
        """Return the facilities with `live_from`, the day from which they send snapshots."""
        return await self.find({"live_from": {"$ne": None}})

    async def list_by_mapping(self, codes: Collection[str]) -> list[Facility]:
        """Return the facilities that use one of these mappings of the mapping file."""
        return await self.find({"mapping": {"$in": sorted(codes)}})

    async def list_page(self, cursor: str | None, limit: int) -> Page[Facility]:
        """Return a page of the facilities in the caller's scope, by code."""
        return await self.page({}, cursor=cursor, limit=limit)
