"""The route of monthly production. Not here: which rows an office sees (usecases)."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from chassis.http import dependencies, paging
from services.manpower.agencies.usecases import with_access_check
from services.manpower.production import usecases
from services.manpower.transaction import Run

router = APIRouter(tags=["production-statistics"])


class ProductionBody(BaseModel):
    """What a workshop sold of a product class in a month.

    `amounts_idr` are integer rupiah per party of the split.
    """

    model_config = ConfigDict(from_attributes=True)

    workshop_id: str
    facility_id: str
    month: str
    product_class: str
    orders: int
    amounts_idr: dict[str, int]


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
        items=[ProductionBody.model_validate(row) for row in page.items],
        next_cursor=page.next_cursor,
    )
