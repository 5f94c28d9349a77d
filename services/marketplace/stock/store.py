"""How stock, its movements and reservations are kept."""

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
    """A stock, and how many units its balances are away from what its movements sum to."""

    id: str
    gap: int


class Stocks(Store[Stock]):
    kind = Stock
    collection = "stock"
    unknown = StockUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id"), Index("sku"))

    async def list_by_sku(self, skus: Iterable[str]) -> list[Stock]:
        """Stock of these SKUs everywhere, for anybody: the shop says what is available."""
        return await self.find({"sku": {"$in": sorted(set(skus))}}, scoped=False)

    async def list_page(self, sku: str | None, cursor: str | None, limit: int) -> Page[Stock]:
        """The stock that the caller sees, of one SKU or all."""
        return await self.page({"sku": sku} if sku else {}, cursor=cursor, limit=limit)

    async def recount(self, after: str, limit: int) -> list[Recount]:
        """The next stocks in the order of their ids, each with how far its balances are from the sum of its movements. Unscoped, for the audit."""
        balances = ("on_hand", "reserved", "allocated")
        moved = [{"$group": {"_id": None} | {name: {"$sum": f"${name}"} for name in balances}}]
        gaps = [
            {"$abs": {"$subtract": [f"${name}", {"$ifNull": [{"$first": f"$moved.{name}"}, 0]}]}}
            for name in balances
        ]
        steps: list[Document] = [
            {"$match": {"_id": {"$gt": after}}},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
            {
                "$lookup": {
                    "from": Movements.collection,
                    "localField": "_id",
                    "foreignField": "stock_id",
                    "pipeline": moved,
                    "as": "moved",
                }
            },
            {"$project": {"gap": {"$add": gaps}}},
        ]
        return [
            Recount(id=row["_id"], gap=row["gap"])
            for row in await self.tx.db.aggregate(self.collection, steps, session=self.tx.session)
        ]


class Movements(Store[Movement]):
    """Append-only: nothing saves or removes a movement."""

    kind = Movement
    collection = "stock_movements"
    scope = {"facility": "facility_id"}
    indexes = (Index("stock_id"), Index("reference"))
    audited = False

    async def list_page(self, stock_id: str, cursor: str | None, limit: int) -> Page[Movement]:
        """The movements of one stock in their order."""
        return await self.page(
            {"stock_id": stock_id}, sort=("moved_at", 1), cursor=cursor, limit=limit
        )


class Reservations(Store[Reservation]):
    kind = Reservation
    collection = "reservations"
    unknown = ReservationUnknown
    scope = {"facility": "facility_id"}
    audited = False
