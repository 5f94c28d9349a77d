"""How journals are kept, and how their sums are read."""

from __future__ import annotations

from typing import TypedDict

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.ledger.rules import Journal, JournalUnknown


class AccountSum(TypedDict):
    """The sum of one side of one kind of account in one book."""

    book: str
    account: str
    side: str
    amount_idr: int


class Journals(Store[Journal]):
    """Append-only: nothing saves or removes a journal. Its id is its key."""

    kind = Journal
    collection = "journals"
    unknown = JournalUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("source"), Index("legs.account"), Index("facility_id", "effective_on"))
    audited = False

    async def list_by_source(self, source: str) -> list[Journal]:
        """All journals of an order, for anybody: its token shows how it was divided."""
        return await self.find({"source": source}, scoped=False)

    async def list_by_account(self, account: str) -> list[Journal]:
        """All journals that touch an account."""
        return await self.find({"legs.account": account})

    async def list_page(self, source: str | None, cursor: str | None, limit: int) -> Page[Journal]:
        """The journals that the caller sees, of one source or all."""
        return await self.page({"source": source} if source else {}, cursor=cursor, limit=limit)

    async def sum_by_account(self) -> list[AccountSum]:
        """The sums of all journals that the caller sees; accounts of subjects are summed under their common name."""
        where = self._narrowed({}, scoped=True)
        if where is None:
            return []
        name = {"$arrayElemAt": [{"$split": ["$legs.account", ":"]}, 0]}
        group = {
            "_id": {"book": "$book", "account": name, "side": "$legs.side"},
            "amount_idr": {"$sum": "$legs.amount_idr"},
        }
        rows = await self.tx.db.aggregate(
            self.collection,
            [{"$match": dict(where)}, {"$unwind": "$legs"}, {"$group": group}],
            session=self.tx.session,
        )
        return [
            AccountSum(
                book=row["_id"]["book"],
                account=row["_id"]["account"],
                side=row["_id"]["side"],
                amount_idr=row["amount_idr"],
            )
            for row in rows
        ]
