"""The stored payment events.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.payments.rules import PaymentEvent, RefusedNotification


class PaymentEvents(Store[PaymentEvent]):
    """The payment events, append-only.

    The id (provider and transaction, then the status or the key of a refund) makes a fact count
    once.
    """

    kind = PaymentEvent
    collection = "payment_events"
    scope = {"facility": "facility_id"}
    indexes = (Index("order_id"),)
    schema = 2

    async def list_by_order(self, order_id: str) -> list[PaymentEvent]:
        """Return all payment events of an order.

        Unscoped: the sender of a notification has no facility.
        """
        return await self.find({"order_id": order_id}, scoped=False)

    async def list_page(self, order_id: str, cursor: str | None, limit: int) -> Page[PaymentEvent]:
        """Return one page of the payment events of an order in the caller's scope."""
        return await self.page({"order_id": order_id}, cursor=cursor, limit=limit)


class RefusedNotifications(Store[RefusedNotification]):
    """One document a minute, provider and reason; MongoDB deletes it after a day."""

    kind = RefusedNotification
    collection = "refused_notifications"
    scope = {"public": ""}
    indexes = (Index("at", expire_seconds=86_400),)
    audited = False
