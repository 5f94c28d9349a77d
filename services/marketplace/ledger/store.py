"""The stored journals and their sums.

Not here: rules.
"""

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
    """The journals, append-only: nothing saves or removes one."""

    kind = Journal
    collection = "journals"
    unknown = JournalUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("source"), Index("legs.account"), Index("facility_id", "effective_on"))
    audited = False

    async def list_by_source(self, source: str) -> list[Journal]:
        """Return all journals of one source (an order).

        Unscoped: the buyer reads them with the token of the order.
        """
        return await self.find({"source": source}, scoped=False)

    async def list_by_account(self, account: str) -> list[Journal]:
        """Return all journals with a leg on this account."""
        return await self.find({"legs.account": account})

    async def list_page(self, source: str | None, cursor: str | None, limit: int) -> Page[Journal]:
        """Return one page of the journals in the caller's scope, of one source or all."""
        return await self.page({"source": source} if source else {}, cursor=cursor, limit=limit)

    async def sum_by_account(self) -> list[AccountSum]:
        """Return the sums of all journals in the caller's scope.

        Accounts of subjects (`name:subject`) are summed under their common name.
        """
        scope_filter = self._narrowed({}, scoped=True)
        if scope_filter is None:
            return []
        account_name = {"$arrayElemAt": [{"$split": ["$legs.account", ":"]}, 0]}
        group = {
            "_id": {"book": "$book", "account": account_name, "side": "$legs.side"},
            "amount_idr": {"$sum": "$legs.amount_idr"},
        }
        rows = await self.tx.db.aggregate(
            self.collection,
            [{"$match": dict(scope_filter)}, {"$unwind": "$legs"}, {"$group": group}],
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
