"""How orders are kept."""

from __future__ import annotations

import hmac
from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.orders.rules import UNPAID_STATES, Order, OrderState, OrderUnknown


class Orders(Store[Order]):
    """Officers see the orders of their Lapas; whoever holds an order's token sees that order."""

    kind = Order
    collection = "orders"
    unknown = OrderUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("facility_id"),
        Index("state", "expires_at", where={"state": {"$in": sorted(UNPAID_STATES)}}),
    )
    secret = frozenset({"contact", "token", "charge"})

    async def get_by_token(self, order_id: str, token: str) -> Order:
        """The order that this token opens; OrderUnknown for every other."""
        order = await self.seek(order_id, scoped=False)
        if order is None or not hmac.compare_digest(order.token.encode(), token.encode()):
            raise OrderUnknown
        return order

    async def list_overdue(self, now: datetime, limit: int) -> list[Order]:
        """Unpaid orders whose time is over, oldest first."""
        return await self.find(
            {"state": {"$in": sorted(UNPAID_STATES)}, "expires_at": {"$lte": now}},
            sort=[("expires_at", 1)],
            limit=limit,
        )

    async def list_uncharged(
        self, placed_before: datetime, now: datetime, limit: int
    ) -> list[Order]:
        """Orders whose charge nobody managed to open."""
        return await self.find(
            {
                "state": OrderState.PLACED,
                "expires_at": {"$gt": now},
                "placed_at": {"$lte": placed_before},
            },
            limit=limit,
        )

    async def list_page(
        self, state: OrderState | None, cursor: str | None, limit: int
    ) -> Page[Order]:
        """The orders that the caller sees, in one state or all."""
        return await self.page({"state": state} if state else {}, cursor=cursor, limit=limit)
