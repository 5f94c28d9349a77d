"""Rules of orders: the states change by the table only."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.marketplace.money import Rupiah
from services.marketplace.orders import rules
from services.marketplace.orders.rules import Charge, Contact, PaymentMethod
from services.marketplace.orders.transitions import (
    REFUSAL_BY_STEP,
    TRANSITIONS,
    OrderState,
    OrderStep,
)
from services.marketplace.proceeds import rules as proceeds
from services.marketplace.proceeds.rules import BatchContribution, Division
from tests.marketplace.factories import NOW, create_order, create_order_line, create_terms


def divide_line() -> Division:
    """Return the division of one line: 100,000 paid, 40,000 cost, one worker."""
    contribution = BatchContribution(batch_id="b1", qty=1, units_by_participant={"a": 1})
    return proceeds.divide(Rupiah(100_000), Rupiah(40_000), create_terms(), [contribution])


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("step", OrderStep)
def test_a_step_is_in_the_table_or_raises_its_own_error(state: OrderState, step: OrderStep) -> None:
    before = create_order(state)
    if (state, step) in TRANSITIONS:
        assert rules.take_step(before, step) == replace(before, state=TRANSITIONS[state, step])
        return
    with pytest.raises(REFUSAL_BY_STEP[step]) as refused:
        rules.take_step(before, step)
    assert refused.value.facts == {"state": state}


def test_every_step_has_an_error_of_its_own() -> None:
    assert set(REFUSAL_BY_STEP) == set(OrderStep)
    assert len({error.title for error in REFUSAL_BY_STEP.values()}) >= len(OrderStep) - 2


def test_goods_stay_reserved_for_the_grace_period_after_the_charge() -> None:
    charge = Charge(
        provider="sandbox",
        order_ref="o1-1",
        txn_id="t",
        method=PaymentMethod.QRIS,
        qr_string="q",
        expires_at=NOW + timedelta(minutes=20),
    )
    after = rules.request_payment(create_order(), charge, timedelta(minutes=2))
    assert (after.state, after.expires_at) == (
        OrderState.AWAITING_PAYMENT,
        NOW + timedelta(minutes=22),
    )


def test_an_order_can_be_paid_before_its_charge_is_recorded() -> None:
    paid, events = rules.pay(create_order(), [divide_line()], "sandbox/t", NOW)
    assert (paid.state, paid.paid_at) == (OrderState.PAID, NOW)
    assert [event.amounts_idr for event in events] == [
        {"biaya_produksi": 40_000, "premi": 30_000, "pnbp": 9_000, "modal": 21_000}
    ]


def test_each_workshop_of_an_order_gets_its_own_split_event() -> None:
    lines = (create_order_line(1), create_order_line(2, workshop="w2"), create_order_line(3))
    divisions = [divide_line() for _ in lines]
    _, events = rules.pay(
        create_order(OrderState.AWAITING_PAYMENT, *lines), divisions, "sandbox/t", NOW
    )
    assert [(event.workshop_id, event.amounts_idr["premi"]) for event in events] == [
        ("w1", 60_000),
        ("w2", 30_000),
    ]


def test_a_split_event_names_no_person_and_no_buyer() -> None:
    _, events = rules.pay(create_order(), [divide_line()], "sandbox/t", NOW)
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
    assert rules.order_id_from_ref(create_order().order_ref) == "o1"


def test_the_goods_of_an_order_are_summed_by_stock() -> None:
    paid = create_order(
        OrderState.PAID,
        create_order_line(1, 2),
        create_order_line(2, 1, sku="MEJA"),
        create_order_line(3, 3),
    )
    goods = rules.goods_by_stock(paid)
    assert [(held.stock_id, held.qty) for held in goods] == [
        ("KURSI@LP-TJP:lapas", 5),
        ("MEJA@LP-TJP:lapas", 1),
    ]
