"""What is allowed: nothing here; what the figures of the books are, from their sums alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.marketplace.ledger.rules import PNBP_PAYABLE, Book, Side

AccountTotal = tuple[str, str, str, int]  # book, account, side, rupiah


def book_differences(sums: Iterable[AccountTotal]) -> Mapping[str, int]:
    """By book, how many rupiah its two sides differ by; 0 = it balances."""
    gaps = dict.fromkeys((str(book) for book in Book), 0)
    for book, _, side, amount_idr in sums:
        gaps[book] += amount_idr if side == Side.DEBIT else -amount_idr
    return {book: abs(gap) for book, gap in gaps.items()}


def amounts_owed(sums: Iterable[AccountTotal]) -> Mapping[str, int]:
    """What the Lapas together still owe, in rupiah: to the State as PNBP, and to all participants together as premi."""
    named = {PNBP_PAYABLE: "pnbp", "utang_premi": "premi"}
    open_ = dict.fromkeys(named.values(), 0)
    for book, account, side, amount_idr in sums:
        if book == Book.LAPAS and account in named:
            open_[named[account]] += amount_idr if side == Side.CREDIT else -amount_idr
    return open_
