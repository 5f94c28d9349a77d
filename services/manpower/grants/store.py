"""The store of grant orders. Not here: which orders must exist (rules)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from services.manpower.grants import rules
from services.manpower.grants.rules import GrantOrder


class GrantOrders(Store[GrantOrder]):
    """Grant orders by the reference that the gateway knows."""

    kind = GrantOrder
    collection = "grant_orders"
    unknown = rules.GrantOrderUnknown
    scope: ClassVar[Mapping[str, str]] = {"agency": "agency_id"}
    indexes = (Index("state"), Index("consumer_id"))

    async def list_live(self) -> list[GrantOrder]:
        """Return the orders that the gateway holds or refused, or that must be sent to it."""
        return await self.find({"state": {"$in": sorted(rules.LIVE_STATES)}}, scoped=False)

    async def list_refused(self, consumer_id: str) -> list[GrantOrder]:
        """Return a consumer's orders that the gateway refused."""
        return await self.find(
            {"consumer_id": consumer_id, "state": rules.GrantOrderState.REFUSED}, scoped=False
        )

    async def list_due(self, limit: int) -> list[GrantOrder]:
        """Return the oldest orders that must be sent to the gateway."""
        return await self.find(
            {"state": {"$in": sorted(rules.DUE_STATES)}},
            sort=[("_id", 1)],
            limit=limit,
            scoped=False,
        )
