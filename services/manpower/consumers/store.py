"""The store of consumers. Not here: their grants at the gateway (grants)."""

from __future__ import annotations

from chassis.persistence.store import Index, Page
from services.manpower.agencies.rules import Status
from services.manpower.consumers import rules
from services.manpower.consumers.rules import Consumer
from services.manpower.visibility.store import OwnedRows


class Consumers(OwnedRows[Consumer]):
    """Consumers. Outside readers see none of them."""

    kind = Consumer
    collection = "consumers"
    unknown = rules.ConsumerUnknown
    indexes = (Index("agency_id"),)
    schema = 3

    async def list_page(
        self, agency_id: str | None, cursor: str | None, limit: int
    ) -> Page[Consumer]:
        """Return one page of the consumers, of one agency or all, by id."""
        where = {} if agency_id is None else {"agency_id": agency_id}
        return await self.page(where, cursor=cursor, limit=limit)

    async def list_active(self) -> list[Consumer]:
        """Return all active consumers, for any caller."""
        return await self.find({"status": Status.ACTIVE}, scoped=False)
