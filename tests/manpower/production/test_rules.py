"""Rules of monthly production: each order of a month adds up to the rupiah."""

from datetime import UTC, datetime

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.manpower.production import rules
from services.manpower.production.rules import MonthlyProduction

PARTIES = st.dictionaries(
    st.sampled_from(["premi", "pnbp", "capital"]), st.integers(-(10**12), 10**12)
)


def row() -> MonthlyProduction:
    return MonthlyProduction(
        id="w-1:2026-11:craft",
        workshop_id="w-1",
        facility_id="LP-TJP",
        month="2026-11",
        product_class="craft",
    )


@for_all(orders=st.lists(PARTIES, max_size=8), data=st.data())
def test_the_sum_of_a_month_is_the_sum_of_its_orders_in_any_order(
    orders: list[dict[str, int]], data: st.DataObject
) -> None:
    total = row()
    for amounts in data.draw(st.permutations(orders)):
        total = rules.add_order(total, amounts)
    assert total.orders == len(orders)
    assert total.amounts_idr == {
        party: sum(amounts.get(party, 0) for amounts in orders)
        for party in sorted({party for amounts in orders for party in amounts})
    }


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2026, 11, 30, 16, 59, 59, tzinfo=UTC), "2026-11"),
        (datetime(2026, 11, 30, 17, tzinfo=UTC), "2026-12"),
    ],
)
def test_an_order_belongs_to_the_month_that_people_in_wib_read(at: datetime, month: str) -> None:
    assert rules.month_of(at) == month


@pytest.mark.parametrize(
    ("month", "first"), [("2026-12", "2026-01"), ("2026-11", "2025-12"), ("2026-01", "2025-02")]
)
def test_a_row_counts_the_people_of_its_month_and_the_eleven_before(month: str, first: str) -> None:
    assert rules.observed_months(month) == (first, month)


def test_a_row_of_fewer_than_five_people_is_shown_inside_only() -> None:
    assert rules.is_suppressed(4, is_inside=False)
    assert not rules.is_suppressed(4, is_inside=True)
    assert not rules.is_suppressed(5, is_inside=False)
