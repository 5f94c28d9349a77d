"""The stored workshops.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.workshops.rules import Workshop, WorkshopUnknown


class Workshops(Store[Workshop]):
    kind = Workshop
    collection = "workshops"
    unknown = WorkshopUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id", "code", unique=True),)

    async def list_page(self, cursor: str | None, limit: int) -> Page[Workshop]:
        """Return one page of the workshops in the caller's scope."""
        return await self.page({}, cursor=cursor, limit=limit)

    async def get_zone(self, facility_id: str) -> str:
        """Return the zone of a Lapas that has workshops. Raises WorkshopUnknown.

        Unscoped: journals are dated in the zone of their Lapas for every caller.
        """
        workshop = await self.first({"facility_id": facility_id}, scoped=False)
        if workshop is None:
            raise WorkshopUnknown
        return workshop.zone
