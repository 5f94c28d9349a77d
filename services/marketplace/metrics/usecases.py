"""Use cases of the metrics job: count stock, sum the books.

Not here: the gauges (jobs).
"""

from __future__ import annotations

from services.marketplace.metrics.rules import AccountTotal
from services.marketplace.stock.store import Recount
from services.marketplace.transaction import Transaction


async def recount_stock(after: str, limit: int, tx: Transaction) -> list[Recount]:
    """Return the next stocks by id, each compared with the sum of its movements."""
    return await tx.stocks.recount(after, limit)


async def sum_books(tx: Transaction) -> list[AccountTotal]:
    """Return the sum of each side of each account."""
    return [
        AccountTotal(
            book=row["book"],
            account=row["account"],
            side=row["side"],
            amount_idr=row["amount_idr"],
        )
        for row in await tx.journals.sum_by_account()
    ]
