"""The stored orders.

Not here: rules.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.orders.rules import UNPAID_STATES, Order, OrderState, OrderUnknown


class Orders(Store[Order]):
    """The orders. Officers see those of their Lapas, a buyer sees one by its token."""

    kind = Order
    collection = "orders"
    unknown = OrderUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("facility_id"),
        Index("state", "expires_at", where={"state": {"$in": sorted(UNPAID_STATES)}}),
    )
    secret = frozenset({"contact", "token", "charge"})

    async def get_by_token(
        self, order_id: str, token: str, *, if_match: int | None = None
    ) -> Order:
        """Return the order that this token opens.

        Raises OrderUnknown for any other order, VersionDiffers.
        """
        order = await self.seek(order_id, scoped=False)
        if order is None or not hmac.compare_digest(order.token.encode(), token.encode()):
            raise OrderUnknown
        return await self.get(order_id, if_match=if_match, scoped=False)

    async def list_overdue(self, now: datetime, limit: int) -> list[Order]:
        """Return unpaid orders that have expired, oldest first."""
        return await self.find(
            {"state": {"$in": sorted(UNPAID_STATES)}, "expires_at": {"$lte": now}},
            sort=[("expires_at", 1)],
            limit=limit,
        )

    async def list_uncharged(
        self, placed_before: datetime, now: datetime, limit: int
    ) -> list[Order]:
        """Return orders without a charge that were placed before a moment and have not expired."""
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
        """Return one page of the orders in the caller's scope, in one state or all."""
        return await self.page({"state": state} if state else {}, cursor=cursor, limit=limit)
