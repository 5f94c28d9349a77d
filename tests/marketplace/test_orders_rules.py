"""The states of an order are its table, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.marketplace.money import Bps, Rupiah
from services.marketplace.orders import rules
from services.marketplace.orders.rules import (
    REFUSAL_BY_STEP,
    TRANSITIONS,
    Contact,
    Order,
    OrderId,
    OrderLine,
    OrderState,
    OrderStep,
)
from services.marketplace.payments.rules import Charge
from services.marketplace.policies.rules import Party, PolicyId, PolicyTerms, Share, ShareBase
from services.marketplace.proceeds import rules as proceeds
from services.marketplace.proceeds.rules import BatchContribution
from services.marketplace.stock.rules import Portion

NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)
TERMS = PolicyTerms(
    policy_id=PolicyId("p1"),
    policy_version=1,
    base=ShareBase.NET_OF_COST,
    shares=tuple(
        Share(party=party, bps=Bps(bps))
        for party, bps in zip(Party, (5000, 1500, 3500), strict=True)
    ),
    needs_legal_confirmation=False,
)


def line(number: int, qty: int = 1, sku: str = "KURSI", workshop: str = "w1") -> OrderLine:
    portion = Portion(batch_id="b1", received_at=NOW, unit_cost_idr=Rupiah(40_000), qty=qty)
    return OrderLine(
        number=number,
        sku=sku,
        product_id="p",
        title="Kursi",
        workshop_id=workshop,
        product_class="mebel",
        qty=qty,
        unit_price_idr=Rupiah(100_000),
        portions=(portion,),
        terms=TERMS,
    )


def order(state: OrderState = OrderState.PLACED, *lines: OrderLine) -> Order:
    return Order(
        id=OrderId("o1"),
        facility_id="LP-TJP",
        zone="Asia/Jakarta",
        location="LP-TJP:lapas",
        buyer_ref="",
        token="t",
        contact=Contact(name="n", phone="1", email="", address="a"),
        lines=lines or (line(1),),
        placed_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
        state=state,
    )


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("taken", OrderStep)
def test_a_step_is_in_the_table_or_raises_its_own_error_and_changes_nothing(
    state: OrderState, taken: OrderStep
) -> None:
    before = order(state)
    if (state, taken) in TRANSITIONS:
        assert rules.take_step(before, taken) == replace(before, state=TRANSITIONS[state, taken])
    else:
        with pytest.raises(REFUSAL_BY_STEP[taken]) as refused:
            rules.take_step(before, taken)
        assert refused.value.facts == {"state": state}


def test_every_step_has_an_error_of_its_own() -> None:
    assert set(REFUSAL_BY_STEP) == set(OrderStep)
    assert len({error.title for error in REFUSAL_BY_STEP.values()}) >= len(OrderStep) - 1


def test_goods_stay_reserved_until_the_charge_has_expired_and_news_has_travelled() -> None:
    charge = Charge(
        provider="sandbox",
        order_ref="o1-1",
        txn_id="t",
        method="qris",
        qr_string="q",
        expires_at=NOW + timedelta(minutes=20),
    )
    after = rules.request_payment(order(), charge, timedelta(minutes=2))
    assert (after.state, after.expires_at) == (
        OrderState.AWAITING_PAYMENT,
        NOW + timedelta(minutes=22),
    )


def test_an_order_that_is_paid_before_its_charge_was_written_down_is_paid() -> None:
    division = proceeds.divide(
        Rupiah(100_000),
        Rupiah(40_000),
        TERMS,
        [BatchContribution(batch_id="b1", qty=1, units_by_participant={"a": 1})],
    )
    paid, events = rules.pay(order(), [division], NOW)
    assert (paid.state, paid.paid_at) == (OrderState.PAID, NOW)
    assert [event.amounts_idr for event in events] == [
        {"biaya_produksi": 40_000, "premi": 30_000, "pnbp": 9_000, "modal": 21_000}
    ]


def test_each_workshop_of_an_order_is_told_its_own_split_and_no_person() -> None:
    lines = (line(1), line(2, workshop="w2"), line(3))
    division = proceeds.divide(
        Rupiah(100_000),
        Rupiah(40_000),
        TERMS,
        [BatchContribution(batch_id="b1", qty=1, units_by_participant={"a": 1})],
    )
    _, events = rules.pay(order(OrderState.AWAITING_PAYMENT, *lines), [division] * 3, NOW)
    assert [(event.workshop_id, event.amounts_idr["premi"]) for event in events] == [
        ("w1", 60_000),
        ("w2", 30_000),
    ]
    assert set(events[0].model_dump()) == {
        "order_id",
        "workshop_id",
        "product_class",
        "amounts_idr",
    }


def test_a_payment_reference_names_its_order() -> None:
    assert rules.order_id_from_ref(order().order_ref) == "o1"


def test_what_an_order_holds_is_summed_by_stock() -> None:
    held = rules.goods_by_stock(
        order(OrderState.PAID, line(1, 2), line(2, 1, sku="MEJA"), line(3, 3))
    )
    assert [(one.stock_id, one.qty) for one in held] == [
        ("KURSI@LP-TJP:lapas", 5),
        ("MEJA@LP-TJP:lapas", 1),
    ]
