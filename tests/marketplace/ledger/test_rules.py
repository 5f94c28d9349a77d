"""Rules of double-entry journals."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.marketplace.ledger import rules as ledger
from services.marketplace.ledger.rules import Book, Journal, Leg, credit, debit


def journal(*legs: Leg, book: Book = Book.LAPAS) -> Journal:
    return Journal(
        id="sale:o1:1",
        book=book,
        facility_id="LP-TJP",
        effective_on=date(2026, 11, 2),
        posted_at=datetime(2026, 11, 2, 3, tzinfo=UTC),
        legs=legs,
        source="o1",
        actor="system",
    )


@pytest.mark.parametrize(
    ("legs", "error"),
    [
        ((debit("piutang_gateway", 10), credit("utang_pnbp", 9)), ledger.JournalUnbalanced),
        (
            (
                debit("piutang_gateway", 10),
                credit("utang_pnbp", 12),
                credit("dana_modal_produksi", -2),
            ),
            ledger.JournalUnbalanced,
        ),
        ((), ledger.JournalUnbalanced),
        ((debit("piutang_gateway", 0), credit("utang_pnbp", 0)), ledger.JournalUnbalanced),
        (
            (
                debit("piutang_gateway", 1),
                debit("kas_titipan", 1),
                credit("utang_pnbp", 1),
                credit("titipan_ongkir", 1),
            ),
            ledger.JournalManyToMany,
        ),
        ((debit("kas", 1), credit("utang_pnbp", 1)), ledger.AccountUnknown),
        ((debit("piutang_gateway", 1), credit("utang_premi:", 1)), ledger.AccountUnknown),
        ((debit("piutang_gateway:x", 1), credit("utang_pnbp", 1)), ledger.AccountUnknown),
    ],
)
def test_a_journal_that_is_not_double_entry_in_one_book_is_refused(
    legs: tuple[Leg, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ledger.check_journal(journal(*legs))


def test_an_account_of_another_book_is_refused() -> None:
    mixed = journal(debit("kas_trust", 1), credit("utang_pnbp", 1), book=Book.WBP_TRUST)
    with pytest.raises(ledger.AccountUnknown):
        ledger.check_journal(mixed)


def test_a_reversal_has_the_same_legs_on_the_other_side() -> None:
    sale = journal(debit("piutang_gateway", 9), credit("utang_pnbp", 4), credit("kas_titipan", 5))
    reversal = ledger.reverse(
        sale,
        key="reversal:sale:o1:1",
        effective_on=date(2026, 11, 3),
        posted_at=sale.posted_at,
        actor="system",
    )
    ledger.check_journal(reversal)
    assert reversal.reverses == sale.id
    assert reversal.legs == (
        credit("piutang_gateway", 9),
        debit("utang_pnbp", 4),
        debit("kas_titipan", 5),
    )
