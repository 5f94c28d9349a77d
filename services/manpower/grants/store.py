"""How orders are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from services.manpower.grants import rules
from services.manpower.grants.rules import Order


class Orders(Store[Order]):
    """Orders by the gateway's reference."""

    kind = Order
    collection = "grant_orders"
    unknown = rules.OrderUnknown
    scope: ClassVar[Mapping[str, str]] = {"agency": "agency_id"}
    indexes = (Index("state"), Index("consumer_id"))

    async def live(self) -> list[Order]:
        """Those that the gateway may hold, or is to."""
        return await self.find({"state": {"$in": sorted(rules.LIVE)}}, scoped=False)

    async def refused(self, consumer_id: str) -> list[Order]:
        """Those of a consumer that the gateway refused."""
        return await self.find(
            {"consumer_id": consumer_id, "state": rules.State.REFUSED}, scoped=False
        )

    async def due(self, limit: int) -> list[Order]:
        """Those of which the gateway is to be told."""
        return await self.find(
            {"state": {"$in": sorted(rules.DUE)}}, sort=[("_id", 1)], limit=limit, scoped=False
        )
