"""How the books are asked for; nobody can write to them from outside."""

from __future__ import annotations

from datetime import date, datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.marketplace.ledger.rules import Book, Journal, Side
from services.marketplace.ledger.store import AccountSum
from services.marketplace.transaction import Run, Transaction

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
        """The body of a journal."""
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
        """The body of a book."""
        amounts = {
            (row["account"], row["side"]): row["amount_idr"] for row in sums if row["book"] == book
        }
        names = sorted({name for name, _ in amounts})
        accounts = [
            AccountBody(
                account=name,
                debit=amounts.get((name, Side.DEBIT), 0),
                credit=amounts.get((name, Side.CREDIT), 0),
            )
            for name in names
        ]
        return cls(
            book=book,
            debit=sum(account.debit for account in accounts),
            credit=sum(account.credit for account in accounts),
            accounts=accounts,
        )


class TrialBalanceBody(BaseModel):
    """The books balance when debit equals credit in each."""

    books: list[BookBody]
    balanced: bool


@router.get("/journals")
async def list_journals(
    run: Run, source: str | None = None, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[JournalBody]:
    """The journals of the caller's Lapas, of one source (an order) or all."""

    async def read(tx: Transaction) -> paging.PageBody[JournalBody]:
        page = await tx.journals.list_page(source, cursor, limit)
        return paging.PageBody(
            items=[JournalBody.of(journal) for journal in page.items], next_cursor=page.next_cursor
        )

    return await run(read)


@router.get("/trial-balance")
async def read_trial_balance(run: Run) -> TrialBalanceBody:
    """The sums of all journals that the caller sees, book by book."""

    async def read(tx: Transaction) -> list[AccountSum]:
        return await tx.journals.sum_by_account()

    sums = await run(read)
    books = [BookBody.of(book, sums) for book in Book]
    return TrialBalanceBody(books=books, balanced=all(book.debit == book.credit for book in books))
