"""The stored refunds of money that bought nothing.

Not here: rules.
"""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Store
from services.marketplace.refunds.rules import OwedRefund, RefundState, RefundUnknown


class OwedRefunds(Store[OwedRefund]):
    kind = OwedRefund
    collection = "owed_refunds"
    unknown = RefundUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("owed_at", where={"state": RefundState.OWED.value}),)

    async def list_due(self, owed_before: datetime, limit: int) -> list[OwedRefund]:
        """Return refunds that are owed since before a moment, oldest first."""
        return await self.find(
            {"state": RefundState.OWED, "owed_at": {"$lte": owed_before}},
            sort=[("owed_at", 1)],
            limit=limit,
        )
