"""The stored orders.

Not here: rules.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.orders.rules import Order, OrderUnknown
from services.marketplace.orders.transitions import UNPAID_STATES, OrderState


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
    schema = 2
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
        """Return unpaid orders that have expired and are not postponed, oldest first."""
        return await self.find(
            {
                "state": {"$in": sorted(UNPAID_STATES)},
                "expires_at": {"$lte": now},
                "retry_at": _is_due(now),
            },
            sort=[("expires_at", 1)],
            limit=limit,
        )

    async def list_uncharged(
        self, placed_before: datetime, now: datetime, limit: int
    ) -> list[Order]:
        """Return orders that wait for a charge, are not postponed and have not expired."""
        return await self.find(
            {
                "state": OrderState.PLACED,
                "expires_at": {"$gt": now},
                "placed_at": {"$lte": placed_before},
                "method": {"$ne": None},
                "retry_at": _is_due(now),
            },
            sort=[("expires_at", 1)],
            limit=limit,
        )

    async def list_page(
        self, state: OrderState | None, cursor: str | None, limit: int
    ) -> Page[Order]:
        """Return one page of the orders in the caller's scope, in one state or all."""
        return await self.page({"state": state} if state else {}, cursor=cursor, limit=limit)


def _is_due(now: datetime) -> dict[str, object]:
    """Return the condition that a moment is not set, or has passed."""
    return {"$not": {"$gt": now}}
