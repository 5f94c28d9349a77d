"""How programmes are kept."""

from __future__ import annotations

from chassis.persistence.store import Page, Store
from services.training.programmes.rules import Programme, ProgrammeUnknown


class Programmes(Store[Programme]):
    kind = Programme
    collection = "programmes"
    unknown = ProgrammeUnknown
    scope = {"public": ""}

    async def list_page(self, cursor: str | None, limit: int) -> Page[Programme]:
        """All programmes; what can be taught is no secret of one facility."""
        return await self.page({}, cursor=cursor, limit=limit)
