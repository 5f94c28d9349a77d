"""Rules that compute the values of the book gauges from the sums of accounts.

Not here: the gauges (jobs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.marketplace.ledger.rules import PNBP_PAYABLE, Book, Side

PARTY_BY_PAYABLE: Mapping[str, str] = {PNBP_PAYABLE: "pnbp", "utang_premi": "premi"}


class AccountTotal(NamedTuple):
    """The sum of one side of one account in one book, in rupiah."""

    book: str
    account: str
    side: str
    amount_idr: int


def book_differences(totals: Iterable[AccountTotal]) -> Mapping[str, int]:
    """Return by how many rupiah the two sides of each book differ; 0 means it balances."""
    differences = {str(book): 0 for book in Book}
    for row in totals:
        is_debit = row.side == Side.DEBIT
        differences[row.book] += row.amount_idr if is_debit else -row.amount_idr
    return {book: abs(difference) for book, difference in differences.items()}


def amounts_owed(totals: Iterable[AccountTotal]) -> Mapping[str, int]:
    """Return what all Lapas together still owe, in rupiah, as PNBP and as premi."""
    owed = dict.fromkeys(PARTY_BY_PAYABLE.values(), 0)
    for row in totals:
        party = PARTY_BY_PAYABLE.get(row.account)
        if party is None or row.book != Book.LAPAS:
            continue
        is_credit = row.side == Side.CREDIT
        owed[party] += row.amount_idr if is_credit else -row.amount_idr
    return owed
