"""How monthly production is kept."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.persistence.store import Index, Page, Store
from services.manpower.production.rules import MonthlyProduction


class Production(Store[MonthlyProduction]):
    """Rows of a facility's workshops. There is no person in them."""

    kind = MonthlyProduction
    collection = "monthly_production"
    scope = {"facility": "facility_id"}
    indexes = (Index("month", "_id"), Index("facility_id", "month"))
    audited = False

    async def list_page(
        self, month: str | None, cursor: str | None, limit: int
    ) -> Page[MonthlyProduction]:
        """Rows of the caller's facilities, of one month or all."""
        return await self.page(
            {} if month is None else {"month": month}, cursor=cursor, limit=limit
        )

    async def list_page_by_facilities(
        self, facility_ids: Iterable[str], month: str | None, cursor: str | None, limit: int
    ) -> Page[MonthlyProduction]:
        """Rows of the facilities that an office works with: its agency's record says which, not a claim, so no scope applies."""
        where = {"facility_id": {"$in": sorted(facility_ids)}} | (
            {} if month is None else {"month": month}
        )
        return await self.page(where, cursor=cursor, limit=limit, scoped=False)
