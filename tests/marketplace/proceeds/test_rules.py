"""The division of the money of one line, and the legs that record it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketplace.ledger import rules as ledger
from services.marketplace.ledger.rules import Book, Journal, Leg, credit, debit
from services.marketplace.money import Rupiah
from services.marketplace.policies.rules import PolicyTerms, ShareBase
from services.marketplace.proceeds import rules as proceeds
from services.marketplace.proceeds.rules import BatchContribution
from tests.marketplace.factories import create_terms

PRESETS = [
    (5000, 1500, 3500),
    (3500, 5000, 1500),
    (1500, 2500, 6000),
    (3000, 7000, 0),
    (10_000, 0, 0),
    (0, 10_000, 0),
]


def contribution(qty: int, batch: str = "b1", **units: int) -> BatchContribution:
    """Return the contribution of a batch; `units` are the work units by participant."""
    return BatchContribution(batch_id=batch, qty=qty, units_by_participant=units)


def journal(*legs: Leg, key: str = "sale:o1:1") -> Journal:
    return Journal(
        id=key,
        book=Book.LAPAS,
        facility_id="LP-TJP",
        effective_on=date(2026, 11, 2),
        posted_at=datetime(2026, 11, 2, 3, tzinfo=UTC),
        legs=legs,
        source="o1",
        actor="system",
    )


def sale(
    paid: int, cost: int, policy_terms: PolicyTerms, *contributions: BatchContribution
) -> list[Journal]:
    """Return the journals of a sale."""
    division = proceeds.divide(Rupiah(paid), Rupiah(cost), policy_terms, contributions)
    journals = [journal(*proceeds.sale_legs(Rupiah(paid), division))]
    if division.shortfall:
        journals.append(journal(*proceeds.shortfall_legs(division.shortfall), key="loss:o1:1"))
    return journals


def test_100_000_with_cost_40_000_is_booked_as_in_the_readme() -> None:
    [booked] = sale(100_000, 40_000, create_terms(), contribution(1, a=2, b=1))
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


def test_gross_shares_are_of_everything_that_was_paid() -> None:
    division = proceeds.divide(
        Rupiah(100_000), Rupiah(40_000), create_terms(base=ShareBase.GROSS), [contribution(1, a=1)]
    )
    assert (division.cost, division.pnbp, division.premi, division.modal) == (
        0,
        15_000,
        {"a": 50_000},
        35_000,
    )


def test_a_gross_sale_takes_its_cost_from_the_capital_fund() -> None:
    terms = create_terms(base=ShareBase.GROSS)
    journals = sale(100_000, 40_000, terms, contribution(1, a=1))
    assert journals[1].legs == (
        debit("dana_modal_produksi", 40_000),
        credit("biaya_produksi", 40_000),
    )
    assert proceeds.sum_by_party(journals) == {
        "biaya_produksi": 40_000,
        "premi": 50_000,
        "pnbp": 15_000,
        "modal": -5_000,
    }


def test_a_sale_below_cost_gives_no_shares_and_capital_bears_the_loss() -> None:
    journals = sale(30_000, 40_000, create_terms(), contribution(1, a=1))
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
    [booked] = sale(40_000, 40_000, create_terms(), contribution(1, a=1))
    assert booked.legs == (debit("piutang_gateway", 40_000), credit("biaya_produksi", 40_000))


def test_premi_of_a_line_from_two_batches_goes_to_those_who_made_each() -> None:
    contributions = [contribution(2, "b1", a=1), contribution(1, "b2", a=1, b=1)]
    premi = proceeds.divide_premi(Rupiah(30_000), contributions)
    assert premi == {"a": 25_000, "b": 5_000}


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
def test_a_premi_pool_is_divided_whole_by_work_units(
    pool: int, batches: list[tuple[int, list[int]]]
) -> None:
    contributions = [
        BatchContribution(
            batch_id=f"b{index}",
            qty=qty,
            units_by_participant={f"p{person}": units for person, units in enumerate(work)},
        )
        for index, (qty, work) in enumerate(batches)
    ]
    owed = proceeds.divide_premi(Rupiah(pool), contributions)
    assert sum(owed.values()) == pool
    assert all(amount > 0 for amount in owed.values())
    workers: set[str] = set()
    for batch in contributions:
        workers |= {person for person, units in batch.units_by_participant.items() if units}
    assert owed.keys() <= workers


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
    units_by_participant = {f"p{person}": units for person, units in enumerate(work)}
    batch = BatchContribution(batch_id="b1", qty=1, units_by_participant=units_by_participant)
    journals = sale(paid, cost, create_terms(shares, base), batch)
    for booked in journals:
        ledger.check_journal(booked)
    balances = proceeds.sum_by_party(journals)
    assert sum(balances.values()) == paid
    assert min(balances["premi"], balances["pnbp"], balances["biaya_produksi"]) >= 0
    assert balances["biaya_produksi"] == cost


def test_a_reversal_clears_the_balance_of_every_party() -> None:
    [booked] = sale(100_001, 33_333, create_terms(), contribution(1, a=2, b=1))
    reversal = ledger.reverse(
        booked,
        key="reversal:sale:o1:1",
        effective_on=date(2026, 11, 3),
        posted_at=booked.posted_at,
        actor="system",
    )
    ledger.check_journal(reversal)
    assert reversal.reverses == booked.id
    assert set(proceeds.sum_by_party([booked, reversal]).values()) == {0}
