"""How one line's money is divided, and the journals that say so."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketplace.ledger import rules as ledger
from services.marketplace.ledger.rules import Book, Journal, Leg, credit, debit
from services.marketplace.money import Bps, Rupiah
from services.marketplace.policies.rules import Party, PolicyId, PolicyTerms, Share, ShareBase
from services.marketplace.proceeds import rules as proceeds
from services.marketplace.proceeds.rules import BatchContribution

PRESETS = [
    (5000, 1500, 3500),
    (3500, 5000, 1500),
    (1500, 2500, 6000),
    (3000, 7000, 0),
    (10_000, 0, 0),
    (0, 10_000, 0),
]


def terms(
    shares: tuple[int, int, int] = (5000, 1500, 3500), base: ShareBase = ShareBase.NET_OF_COST
) -> PolicyTerms:
    parts = tuple(
        Share(party=party, bps=Bps(bps)) for party, bps in zip(Party, shares, strict=True)
    )
    return PolicyTerms(
        policy_id=PolicyId("p1"),
        policy_version=1,
        base=base,
        shares=parts,
        needs_legal_confirmation=True,
    )


def made(qty: int, batch: str = "b1", **work: int) -> BatchContribution:
    return BatchContribution(batch_id=batch, qty=qty, units_by_participant=work)


def journal(*legs: Leg, key: str = "sale:o1:1", book: Book = Book.LAPAS) -> Journal:
    at = datetime(2026, 11, 2, 3, tzinfo=UTC)
    return Journal(
        id=key,
        book=book,
        facility_id="LP-TJP",
        effective_on=date(2026, 11, 2),
        posted_at=at,
        legs=legs,
        source="o1",
        actor="system",
    )


def sale(paid: int, cost: int, of: PolicyTerms, *parts: BatchContribution) -> list[Journal]:
    division = proceeds.divide(Rupiah(paid), Rupiah(cost), of, parts)
    journals = [journal(*proceeds.sale_legs(Rupiah(paid), division))]
    if division.shortfall:
        journals.append(journal(*proceeds.shortfall_legs(division.shortfall), key="loss:o1:1"))
    return journals


def test_100_000_with_cost_40_000_is_booked_as_the_house_example() -> None:
    [booked] = sale(100_000, 40_000, terms(), made(1, a=2, b=1))
    assert booked.legs == (
        debit("piutang_gateway", 100_000),
        credit("biaya_produksi", 40_000),
        credit("utang_premi:a", 20_000),
        credit("utang_premi:b", 10_000),
        credit("utang_pnbp", 9_000),
        credit("dana_modal_produksi", 21_000),
    )
    assert proceeds.sum_by_party([booked]) == {
        "biaya_produksi": 40_000,
        "premi": 30_000,
        "pnbp": 9_000,
        "modal": 21_000,
    }


def test_the_base_changes_the_money_gross_gives_the_state_15_000_of_100_000() -> None:
    division = proceeds.divide(
        Rupiah(100_000), Rupiah(40_000), terms(base=ShareBase.GROSS), [made(1, a=1)]
    )
    assert (division.cost, division.pnbp, division.premi, division.modal) == (
        0,
        15_000,
        {"a": 50_000},
        35_000,
    )


def test_a_sale_below_cost_gives_no_shares_and_the_capital_fund_bears_the_shortfall() -> None:
    journals = sale(30_000, 40_000, terms(), made(1, a=1))
    assert journals[0].legs == (debit("piutang_gateway", 30_000), credit("biaya_produksi", 30_000))
    assert journals[1].legs == (
        debit("dana_modal_produksi", 10_000),
        credit("biaya_produksi", 10_000),
    )
    assert proceeds.sum_by_party(journals) == {
        "biaya_produksi": 40_000,
        "premi": 0,
        "pnbp": 0,
        "modal": -10_000,
    }


def test_a_sale_at_cost_gives_no_shares_and_no_shortfall() -> None:
    [booked] = sale(40_000, 40_000, terms(), made(1, a=1))
    assert booked.legs == (debit("piutang_gateway", 40_000), credit("biaya_produksi", 40_000))


def test_premi_of_a_line_from_two_batches_goes_to_those_who_made_each() -> None:
    assert proceeds.divide_premi(Rupiah(30_000), [made(2, "b1", a=1), made(1, "b2", a=1, b=1)]) == {
        "a": 25_000,
        "b": 5_000,
    }


@pytest.mark.scenario("INV-6")
@given(
    pool=st.integers(0, 10**9),
    batches=st.lists(
        st.tuples(
            st.integers(1, 50), st.lists(st.integers(0, 999), min_size=1, max_size=6).filter(any)
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_premi_pool_is_given_out_whole_by_work_units(
    pool: int, batches: list[tuple[int, list[int]]]
) -> None:
    parts = [
        BatchContribution(
            batch_id=f"b{index}",
            qty=qty,
            units_by_participant={f"p{person}": units for person, units in enumerate(work)},
        )
        for index, (qty, work) in enumerate(batches)
    ]
    owed = proceeds.divide_premi(Rupiah(pool), parts)
    assert sum(owed.values()) == pool
    assert all(amount > 0 for amount in owed.values())
    assert all(any(part.units_by_participant.get(person) for part in parts) for person in owed)


@pytest.mark.scenario("INV-4/rules")
@given(
    paid=st.integers(1, 10**9),
    cost=st.integers(0, 10**9),
    shares=st.sampled_from(PRESETS),
    base=st.sampled_from(ShareBase),
    work=st.lists(st.integers(0, 99), min_size=1, max_size=8).filter(any),
)
def test_every_sale_is_booked_whole_and_balanced(
    paid: int, cost: int, shares: tuple[int, int, int], base: ShareBase, work: list[int]
) -> None:
    journals = sale(
        paid,
        cost,
        terms(shares, base),
        BatchContribution(
            batch_id="b1",
            qty=1,
            units_by_participant={f"p{person}": units for person, units in enumerate(work)},
        ),
    )
    for booked in journals:
        ledger.check_journal(booked)
    held = proceeds.sum_by_party(journals)
    assert sum(held.values()) == paid
    assert min(held["premi"], held["pnbp"], held["biaya_produksi"]) >= 0
    assert held["biaya_produksi"] == (cost if base is ShareBase.NET_OF_COST else 0)


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


def test_the_books_never_mix() -> None:
    with pytest.raises(ledger.AccountUnknown):
        ledger.check_journal(
            journal(debit("kas_trust", 1), credit("utang_pnbp", 1), book=Book.WBP_TRUST)
        )


def test_a_reversal_has_the_same_legs_on_the_other_side_and_clears_every_party() -> None:
    [booked] = sale(100_001, 33_333, terms(), made(1, a=2, b=1))
    undone = ledger.reverse(
        booked,
        key="reversal:sale:o1:1",
        effective_on=date(2026, 11, 3),
        posted_at=booked.posted_at,
        actor="system",
    )
    ledger.check_journal(undone)
    assert undone.reverses == booked.id
    assert set(proceeds.sum_by_party([booked, undone]).values()) == {0}
