"""How places of assessment are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.venues.rules import Venue, VenueUnknown


class Venues(Store[Venue]):
    kind = Venue
    collection = "venues"
    unknown = VenueUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (Index("lsp_id"),)

    async def list_page(self, cursor: str | None, limit: int) -> Page[Venue]:
        """The caller's venues."""
        return await self.page({}, cursor=cursor, limit=limit)
