"""The route of monthly production. Not here: which rows an office sees (usecases)."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.manpower.agencies.usecases import with_access_check
from services.manpower.production import usecases
from services.manpower.production.usecases import ProductionView
from services.manpower.transaction import Run

router = APIRouter(tags=["production-statistics"])


class ProductionBody(BaseModel):
    """What a workshop sold of a product class in a month.

    `amounts_idr` are integer rupiah per party of the split. Outside the facility a workshop of
    fewer than five people is `suppressed`: its orders and amounts are not shown.
    """

    workshop_id: str
    facility_id: str
    month: str
    product_class: str
    suppressed: bool
    orders: int | None
    amounts_idr: dict[str, int]

    @classmethod
    def of(cls, view: ProductionView) -> ProductionBody:
        """Return the body of a view."""
        row = view.row
        return cls(
            workshop_id=row.workshop_id,
            facility_id=row.facility_id,
            month=row.month,
            product_class=row.product_class,
            suppressed=view.is_suppressed,
            orders=None if view.is_suppressed else row.orders,
            amounts_idr={} if view.is_suppressed else row.amounts_idr,
        )


@router.get("/v1/production-statistics")
async def list_production(
    run: Run,
    month: Annotated[str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ProductionBody]:
    """List the production of the caller's facilities, or of those its agency works with."""
    page = await run(with_access_check(partial(usecases.list_production, month, cursor, limit)))
    return paging.PageBody(
        items=[ProductionBody.of(view) for view in page.items],
        next_cursor=page.next_cursor,
    )
