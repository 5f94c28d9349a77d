"""The store of programmes."""

from __future__ import annotations

from chassis.persistence.store import Page, Store
from services.training.programmes.rules import Programme, ProgrammeUnknown


class Programmes(Store[Programme]):
    kind = Programme
    collection = "programmes"
    unknown = ProgrammeUnknown
    scope = {"public": ""}
    schema = 2

    async def list_page(self, cursor: str | None, limit: int) -> Page[Programme]:
        """Return a page of all programmes; every caller can see them."""
        return await self.page({}, cursor=cursor, limit=limit)
