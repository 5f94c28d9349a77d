"""The store of monthly production. Not here: how it is summed (rules)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chassis.persistence.store import Index, Page, Store
from services.manpower.production.rules import MonthlyProduction


class Production(Store[MonthlyProduction]):
    """Monthly rows of the workshops of facilities. No person is in them."""

    kind = MonthlyProduction
    collection = "monthly_production"
    scope = {"facility": "facility_id"}
    indexes = (Index("month", "_id"), Index("facility_id", "month"))
    audited = False

    async def list_page(
        self, month: str | None, cursor: str | None, limit: int
    ) -> Page[MonthlyProduction]:
        """Return one page of the rows of the caller's facilities, of one month or all, by id."""
        return await self.page(_in_month(month), cursor=cursor, limit=limit)

    async def list_page_by_facilities(
        self, facility_ids: Iterable[str], month: str | None, cursor: str | None, limit: int
    ) -> Page[MonthlyProduction]:
        """Return one page of the rows of the facilities that an office works with.

        No scope applies: the record of its agency names the facilities, not a claim.
        """
        where = _in_month(month) | {"facility_id": {"$in": sorted(facility_ids)}}
        return await self.page(where, cursor=cursor, limit=limit, scoped=False)


def _in_month(month: str | None) -> dict[str, Any]:
    return {} if month is None else {"month": month}
