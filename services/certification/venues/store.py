"""The store of places of assessment."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.venues.rules import Venue, VenueUnknown


class Venues(Store[Venue]):
    """Venues, scoped by the caller's claim `lsp`."""

    kind = Venue
    collection = "venues"
    unknown = VenueUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (Index("lsp_id"),)

    async def list_page(self, cursor: str | None, limit: int) -> Page[Venue]:
        """Return a page of the caller's venues."""
        return await self.page({}, cursor=cursor, limit=limit)
