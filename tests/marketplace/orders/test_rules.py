"""Rules of orders: the states change by the table only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.marketplace.money import Rupiah
from services.marketplace.orders import rules
from services.marketplace.orders.rules import (
    REFUSAL_BY_STEP,
    TRANSITIONS,
    Charge,
    Contact,
    Order,
    OrderId,
    OrderLine,
    OrderState,
    OrderStep,
)
from services.marketplace.proceeds import rules as proceeds
from services.marketplace.proceeds.rules import BatchContribution, Division
from services.marketplace.stock.rules import Portion
from tests.marketplace.factories import create_terms

NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)
TERMS = create_terms()


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


def divide_line() -> Division:
    """Return the division of one line: 100,000 paid, 40,000 cost, one worker."""
    contribution = BatchContribution(batch_id="b1", qty=1, units_by_participant={"a": 1})
    return proceeds.divide(Rupiah(100_000), Rupiah(40_000), TERMS, [contribution])


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("step", OrderStep)
def test_a_step_is_in_the_table_or_raises_its_own_error(state: OrderState, step: OrderStep) -> None:
    before = order(state)
    if (state, step) in TRANSITIONS:
        assert rules.take_step(before, step) == replace(before, state=TRANSITIONS[state, step])
        return
    with pytest.raises(REFUSAL_BY_STEP[step]) as refused:
        rules.take_step(before, step)
    assert refused.value.facts == {"state": state}


def test_every_step_has_an_error_of_its_own() -> None:
    assert set(REFUSAL_BY_STEP) == set(OrderStep)
    assert len({error.title for error in REFUSAL_BY_STEP.values()}) >= len(OrderStep) - 1


def test_goods_stay_reserved_for_the_grace_period_after_the_charge() -> None:
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


def test_an_order_can_be_paid_before_its_charge_is_recorded() -> None:
    paid, events = rules.pay(order(), [divide_line()], NOW)
    assert (paid.state, paid.paid_at) == (OrderState.PAID, NOW)
    assert [event.amounts_idr for event in events] == [
        {"biaya_produksi": 40_000, "premi": 30_000, "pnbp": 9_000, "modal": 21_000}
    ]


def test_each_workshop_of_an_order_gets_its_own_split_event() -> None:
    lines = (line(1), line(2, workshop="w2"), line(3))
    divisions = [divide_line() for _ in lines]
    _, events = rules.pay(order(OrderState.AWAITING_PAYMENT, *lines), divisions, NOW)
    assert [(event.workshop_id, event.amounts_idr["premi"]) for event in events] == [
        ("w1", 60_000),
        ("w2", 30_000),
    ]


def test_a_split_event_names_no_person_and_no_buyer() -> None:
    _, events = rules.pay(order(), [divide_line()], NOW)
    assert set(events[0].model_dump()) == {
        "order_id",
        "workshop_id",
        "product_class",
        "amounts_idr",
    }


def test_a_contact_without_phone_and_email_is_refused() -> None:
    with pytest.raises(rules.ContactMissing):
        rules.require_contact(Contact(name="n", phone="", email="", address="a"))


def test_a_payment_reference_names_its_order() -> None:
    assert rules.order_id_from_ref(order().order_ref) == "o1"


def test_the_goods_of_an_order_are_summed_by_stock() -> None:
    paid = order(OrderState.PAID, line(1, 2), line(2, 1, sku="MEJA"), line(3, 3))
    goods = rules.goods_by_stock(paid)
    assert [(held.stock_id, held.qty) for held in goods] == [
        ("KURSI@LP-TJP:lapas", 5),
        ("MEJA@LP-TJP:lapas", 1),
    ]
