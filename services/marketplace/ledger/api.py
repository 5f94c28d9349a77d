"""Routes that read the books.

Not here: writing. No route writes to the books.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.marketplace.ledger import usecases
from services.marketplace.ledger.rules import Book, Journal, Side
from services.marketplace.ledger.store import AccountSum
from services.marketplace.transaction import Run

router = APIRouter(prefix="/v1/ledger", tags=["Buku besar"])


class LegBody(BaseModel):
    account: str
    side: str
    amount_idr: int


class JournalBody(BaseModel):
    id: str
    book: str
    facility_id: str
    effective_on: date
    posted_at: datetime
    source: str
    policy_id: str
    reverses: str
    legs: list[LegBody]

    @classmethod
    def of(cls, journal: Journal) -> Self:
        """Return the body of a journal."""
        return cls(
            id=journal.id,
            book=journal.book,
            facility_id=journal.facility_id,
            effective_on=journal.effective_on,
            posted_at=journal.posted_at,
            source=journal.source,
            policy_id=journal.policy_id,
            reverses=journal.reverses,
            legs=[
                LegBody(account=leg.account, side=leg.side, amount_idr=leg.amount_idr)
                for leg in journal.legs
            ],
        )


class AccountBody(BaseModel):
    account: str
    debit: int
    credit: int


class BookBody(BaseModel):
    """The sums of one book; accounts of persons are summed under their common name."""

    book: str
    debit: int
    credit: int
    accounts: list[AccountBody]

    @classmethod
    def of(cls, book: Book, sums: list[AccountSum]) -> Self:
        """Return the body of a book from its sums."""
        debits: dict[str, int] = {}
        credits_: dict[str, int] = {}
        for row in sums:
            if row["book"] == book:
                side = debits if row["side"] == Side.DEBIT else credits_
                side[row["account"]] = row["amount_idr"]
        accounts = [
            AccountBody(account=name, debit=debits.get(name, 0), credit=credits_.get(name, 0))
            for name in sorted(debits.keys() | credits_.keys())
        ]
        return cls(
            book=book,
            debit=sum(account.debit for account in accounts),
            credit=sum(account.credit for account in accounts),
            accounts=accounts,
        )


class TrialBalanceBody(BaseModel):
    """The sums of all books; they balance when debit equals credit in each."""

    books: list[BookBody]
    balanced: bool


@router.get("/journals")
async def list_journals(
    run: Run, source: str | None = None, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[JournalBody]:
    """Return the journals of the caller's Lapas, of one source (an order) or all."""
    page = await run(partial(usecases.list_journals, source, cursor, limit))
    return paging.PageBody(
        items=[JournalBody.of(journal) for journal in page.items], next_cursor=page.next_cursor
    )


@router.get("/trial-balance")
async def read_trial_balance(run: Run) -> TrialBalanceBody:
    """Return the sums of all journals in the caller's scope, book by book."""
    sums = await run(usecases.sum_journals)
    books = [BookBody.of(book, sums) for book in Book]
    return TrialBalanceBody(books=books, balanced=all(book.debit == book.credit for book in books))
