"""How payment events are kept."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.payments.rules import PaymentEvent


class PaymentEvents(Store[PaymentEvent]):
    """Append-only; the id (provider, transaction, status, refund key) makes an observation count once."""

    kind = PaymentEvent
    collection = "payment_events"
    scope = {"facility": "facility_id"}
    indexes = (Index("order_id"),)

    async def list_by_order(self, order_id: str) -> list[PaymentEvent]:
        """All that was observed of an order's payment; unscoped, because a notification comes from nobody of a facility."""
        return await self.find({"order_id": order_id}, scoped=False)

    async def list_page(self, order_id: str, cursor: str | None, limit: int) -> Page[PaymentEvent]:
        """The payment events of an order that the caller sees."""
        return await self.page({"order_id": order_id}, cursor=cursor, limit=limit)
