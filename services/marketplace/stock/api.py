"""Routes that read stock and its movements.

Not here: changing stock. Batches and orders move it.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.marketplace.stock import usecases
from services.marketplace.stock.rules import Movement, Stock
from services.marketplace.transaction import Run

router = APIRouter(prefix="/v1/stock", tags=["Stok"])


class PortionBody(BaseModel):
    batch_id: str
    qty: int
    unit_cost_idr: int


class StockBody(BaseModel):
    id: str
    version: int
    sku: str
    location: str
    facility_id: str
    on_hand: int
    reserved: int
    allocated: int
    available: int
    portions: list[PortionBody]

    @classmethod
    def of(cls, stock: Stock) -> Self:
        """Return the body of a stock; `portions` are its available units, oldest first."""
        portions = [
            PortionBody(
                batch_id=portion.batch_id, qty=portion.qty, unit_cost_idr=portion.unit_cost_idr
            )
            for portion in stock.portions
        ]
        return cls(
            id=stock.id,
            version=stock.version,
            sku=stock.sku,
            location=stock.location,
            facility_id=stock.facility_id,
            on_hand=stock.on_hand,
            reserved=stock.reserved,
            allocated=stock.allocated,
            available=stock.available,
            portions=portions,
        )


class MovementBody(BaseModel):
    id: str
    kind: str
    on_hand: int
    reserved: int
    allocated: int
    reference: str
    actor: str
    moved_at: datetime

    @classmethod
    def of(cls, movement: Movement) -> Self:
        """Return the body of a movement: by how much it changed each balance."""
        return cls(
            id=movement.id,
            kind=movement.kind,
            on_hand=movement.on_hand,
            reserved=movement.reserved,
            allocated=movement.allocated,
            reference=movement.reference,
            actor=movement.actor,
            moved_at=movement.moved_at,
        )


@router.get("")
async def list_stock(
    run: Run, sku: str | None = None, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[StockBody]:
    """Return the stock of the caller's Lapas."""
    page = await run(partial(usecases.list_stock, sku, cursor, limit))
    return paging.PageBody(
        items=[StockBody.of(stock) for stock in page.items], next_cursor=page.next_cursor
    )


@router.get("/movements")
async def list_movements(
    run: Run, stock_id: str, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[MovementBody]:
    """Return the movements of one stock, oldest first."""
    page = await run(partial(usecases.list_movements, stock_id, cursor, limit))
    return paging.PageBody(
        items=[MovementBody.of(movement) for movement in page.items],
        next_cursor=page.next_cursor,
    )
