"""Rules of payments: events of observations, the status they give, and what each one does."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketplace.money import Rupiah
from services.marketplace.orders.transitions import OrderState
from services.marketplace.payments import rules
from services.marketplace.payments.rules import (
    MoneyState,
    Observation,
    ObservedRefund,
    PaymentEffect,
    PaymentEvent,
    PaymentStatus,
)
from tests.marketplace.factories import NOW, create_order

ORDER = replace(create_order(OrderState.AWAITING_PAYMENT), paid_by="")
OTHERS_THAN_DENIED = [status for status in PaymentStatus if status is not PaymentStatus.DENIED]


def observe(
    status: PaymentStatus, *refunds: tuple[str, int], txn: str = "t-1", cumulative: bool = False
) -> Observation:
    """Return what a provider says about a charge of the order."""
    return Observation(
        provider="sandbox",
        txn_id=txn,
        order_ref=ORDER.order_ref,
        status=status,
        amount_idr=ORDER.total_idr,
        currency="IDR",
        merchant="G1",
        occurred_at=NOW,
        raw_hash="",
        refunds=tuple(
            ObservedRefund(key=key, amount_idr=Rupiah(amount), is_cumulative=cumulative)
            for key, amount in refunds
        ),
    )


def accept_all(observations: Sequence[Observation]) -> list[PaymentEvent]:
    """Return the events of these observations, which arrive in this order."""
    events: list[PaymentEvent] = []
    for observation in observations:
        events += rules.accept(observation, events, order=ORDER, now=NOW)
    return events


def status_of(statuses: Sequence[PaymentStatus]) -> PaymentStatus:
    """Return the status that these observed statuses of one transaction give."""
    return rules.derive_status(accept_all([observe(status) for status in statuses]))


@pytest.mark.parametrize(
    ("observed", "status"),
    [
        ([], PaymentStatus.PENDING),
        ([PaymentStatus.SETTLED, PaymentStatus.PENDING], PaymentStatus.SETTLED),
        ([PaymentStatus.EXPIRED, PaymentStatus.SETTLED], PaymentStatus.SETTLED),
        ([PaymentStatus.SETTLED, PaymentStatus.EXPIRED], PaymentStatus.SETTLED),
        ([PaymentStatus.SETTLED, PaymentStatus.DENIED], PaymentStatus.REVERSED),
        ([PaymentStatus.DENIED, PaymentStatus.SETTLED], PaymentStatus.SETTLED),
        ([PaymentStatus.DENIED, PaymentStatus.SETTLED, PaymentStatus.DENIED], "reversed"),
        ([PaymentStatus.DENIED], PaymentStatus.DENIED),
        (
            [PaymentStatus.SETTLED, PaymentStatus.CHARGEBACK, PaymentStatus.SETTLED],
            PaymentStatus.CHARGEBACK,
        ),
        ([PaymentStatus.SETTLED, PaymentStatus.PARTIAL_REFUND], PaymentStatus.PARTIAL_REFUND),
    ],
)
def test_the_highest_rank_counts_and_denial_after_settlement_reverses(
    observed: list[PaymentStatus], status: PaymentStatus
) -> None:
    assert status_of(observed) == status


@pytest.mark.scenario("INV-8/fold")
@given(
    st.lists(st.sampled_from(OTHERS_THAN_DENIED), min_size=1, max_size=4, unique=True), st.data()
)
def test_the_status_ignores_order_and_repeats_and_never_moves_back(
    observed: list[PaymentStatus], data: st.DataObject
) -> None:
    """A denial is left out: after a settlement it is a reversal, which is documented."""
    by_rank = list(PaymentStatus)
    expected = status_of(observed)
    for arrival in itertools.permutations(observed):
        repeated: list[PaymentStatus] = []
        for status in arrival:
            repeated += [status] * data.draw(st.integers(1, 3))
        after_each = [status_of(repeated[:count]) for count in range(1, len(repeated) + 1)]
        assert after_each[-1] is expected
        assert after_each == sorted(after_each, key=by_rank.index)


def refunds_of(observations: Sequence[Observation]) -> list[tuple[str, int | None]]:
    """Return key and amount of each refund among the events."""
    events = accept_all(observations)
    return [(event.refund_key, event.refunded_idr) for event in events if event.refund_key]


def test_each_refund_that_a_provider_lists_is_one_event() -> None:
    first = observe(PaymentStatus.PARTIAL_REFUND, ("1:a", 10_000))
    both = observe(PaymentStatus.PARTIAL_REFUND, ("1:a", 10_000), ("2:b", 15_000))
    assert refunds_of([first, both, both, first]) == [("1:a", 10_000), ("2:b", 15_000)]


def test_refunds_without_keys_differ_by_their_sum() -> None:
    sums = [
        observe(PaymentStatus.PARTIAL_REFUND, (f"sum:{total}", total), cumulative=True)
        for total in (10_000, 25_000, 25_000)
    ]
    assert refunds_of(sums) == [("sum:10000", 10_000), ("sum:25000", 15_000)]


def test_a_partial_refund_seen_first_shows_a_settlement_before_it() -> None:
    events = accept_all([observe(PaymentStatus.PARTIAL_REFUND, ("1:a", 10_000))])
    assert [event.status for event in events] == ["settled", "partial_refund"]


def test_a_full_refund_of_listed_refunds_reaches_refunded() -> None:
    part = observe(PaymentStatus.PARTIAL_REFUND, ("1:a", 40_000))
    rest = observe(PaymentStatus.REFUNDED, ("1:a", 40_000), ("2:b", 60_000))
    events = accept_all([observe(PaymentStatus.SETTLED), part, rest])
    assert rules.derive_status(events) is PaymentStatus.REFUNDED
    assert [event.refunded_idr for event in events] == [None, 40_000, 60_000]


CLOSE = PaymentEffect.CLOSE
RECEIVE = PaymentEffect.RECEIVE
REVERSE = PaymentEffect.REVERSE
ASK = PaymentEffect.ASK_OFFICER
RETURN = PaymentEffect.RETURN
OWE = PaymentEffect.OWE
UNBOOKED = MoneyState.UNBOOKED
PAYING = MoneyState.PAYING
OWED = MoneyState.OWED
AWAITING = OrderState.AWAITING_PAYMENT
PAID = OrderState.PAID
GONE = OrderState.EXPIRED


@pytest.mark.parametrize(
    ("observed", "before", "money", "order_state", "effects"),
    [
        ("settled", "pending", UNBOOKED, AWAITING, (RECEIVE,)),
        ("settled", "expired", UNBOOKED, GONE, (RECEIVE,)),
        ("settled", "denied", UNBOOKED, GONE, (RECEIVE,)),
        ("settled", "settled", PAYING, PAID, ()),
        ("pending", "pending", UNBOOKED, AWAITING, ()),
        ("expired", "pending", UNBOOKED, AWAITING, (CLOSE,)),
        ("denied", "pending", UNBOOKED, AWAITING, (CLOSE,)),
        ("expired", "pending", UNBOOKED, PAID, ()),
        ("cancelled", "settled", PAYING, PAID, (ASK,)),
        ("expired", "settled", PAYING, PAID, (ASK,)),
        ("failed", "partial_refund", PAYING, PAID, (ASK,)),
        ("failed", "settled", OWED, GONE, (ASK,)),
        ("cancelled", "reversed", PAYING, OrderState.PAYMENT_REVERSED, ()),
        ("reversed", "settled", PAYING, OrderState.PACKED, (REVERSE,)),
        ("chargeback", "settled", PAYING, OrderState.DELIVERED, (REVERSE,)),
        ("chargeback", "reversed", PAYING, OrderState.PAYMENT_REVERSED, ()),
        ("chargeback", "refunded", PAYING, PAID, (ASK,)),
        ("refunded", "settled", PAYING, PAID, (ASK,)),
        ("partial_refund", "settled", PAYING, PAID, (ASK,)),
        ("refunded", "pending", UNBOOKED, AWAITING, (CLOSE, OWE, RETURN, ASK)),
        ("chargeback", "expired", UNBOOKED, GONE, (OWE, RETURN, ASK)),
        ("refunded", "settled", OWED, GONE, (RETURN,)),
        ("partial_refund", "settled", OWED, GONE, (ASK,)),
    ],
)
def test_an_event_has_its_effects_by_where_its_money_is(
    observed: str,
    before: str,
    money: MoneyState,
    order_state: OrderState,
    effects: tuple[PaymentEffect, ...],
) -> None:
    """A partial refund without an amount cannot be booked; an officer finds out."""
    [*_, event] = accept_all([observe(PaymentStatus(observed))])
    order = replace(ORDER, state=order_state)
    assert rules.decide_effects(event, PaymentStatus(before), money, order) == effects


@pytest.mark.parametrize("changed", [{"attempt": 2}, {"is_replacing": True}])
def test_the_charge_of_a_replaced_attempt_does_not_close_its_order(changed: dict[str, int]) -> None:
    [event] = accept_all([observe(PaymentStatus.CANCELLED)])
    order = replace(ORDER, **changed)
    assert rules.decide_effects(event, PaymentStatus.PENDING, UNBOOKED, order) == ()
