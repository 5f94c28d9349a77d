"""The stored stock, movements and reservations.

Not here: rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from chassis.persistence.mongo import Document, Index
from chassis.persistence.store import Page, Store
from services.marketplace.stock.rules import (
    Movement,
    Reservation,
    ReservationUnknown,
    Stock,
    StockUnknown,
)


class Recount(NamedTuple):
    """A stock, and by how many units its balances differ from the sum of its movements."""

    id: str
    gap: int


class Stocks(Store[Stock]):
    kind = Stock
    collection = "stock"
    unknown = StockUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id"), Index("sku"))

    async def list_by_sku(self, skus: Iterable[str]) -> list[Stock]:
        """Return the stock of these SKUs at all locations, unscoped: the shop shows it."""
        return await self.find({"sku": {"$in": sorted(set(skus))}}, scoped=False)

    async def list_page(self, sku: str | None, cursor: str | None, limit: int) -> Page[Stock]:
        """Return one page of the stock in the caller's scope, of one SKU or all."""
        return await self.page({"sku": sku} if sku else {}, cursor=cursor, limit=limit)

    async def recount(self, after: str, limit: int) -> list[Recount]:
        """Return the next stocks by id, each compared with the sum of its movements.

        Unscoped: the metrics job counts all Lapas.
        """
        balances = ("on_hand", "reserved", "allocated")
        sum_movements = {
            "$group": {"_id": None} | {name: {"$sum": f"${name}"} for name in balances}
        }
        gaps = [_gap(name) for name in balances]
        steps: list[Document] = [
            {"$match": {"_id": {"$gt": after}}},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
            {
                "$lookup": {
                    "from": Movements.collection,
                    "localField": "_id",
                    "foreignField": "stock_id",
                    "pipeline": [sum_movements],
                    "as": "moved",
                }
            },
            {"$project": {"gap": {"$add": gaps}}},
        ]
        rows = await self.tx.db.aggregate(self.collection, steps, session=self.tx.session)
        return [Recount(id=row["_id"], gap=row["gap"]) for row in rows]


class Movements(Store[Movement]):
    """The movements, append-only: nothing saves or removes one."""

    kind = Movement
    collection = "stock_movements"
    scope = {"facility": "facility_id"}
    indexes = (Index("stock_id"), Index("reference"))
    audited = False

    async def list_page(self, stock_id: str, cursor: str | None, limit: int) -> Page[Movement]:
        """Return one page of the movements of one stock, oldest first."""
        return await self.page(
            {"stock_id": stock_id}, sort=("moved_at", 1), cursor=cursor, limit=limit
        )


class Reservations(Store[Reservation]):
    kind = Reservation
    collection = "reservations"
    unknown = ReservationUnknown
    scope = {"facility": "facility_id"}
    audited = False


def _gap(balance: str) -> Document:
    """Return the expression of the distance between a balance and the sum of its movements."""
    moved = {"$ifNull": [{"$first": f"$moved.{balance}"}, 0]}
    return {"$abs": {"$subtract": [f"${balance}", moved]}}
