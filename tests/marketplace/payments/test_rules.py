"""Rules of payments: the status that a set of observations gives."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketplace.money import Rupiah
from services.marketplace.orders.rules import OrderState
from services.marketplace.payments import rules
from services.marketplace.payments.rules import (
    Observation,
    PaymentEffect,
    PaymentEvent,
    PaymentStatus,
)

NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)


def event(status: PaymentStatus) -> PaymentEvent:
    observation = Observation(
        provider="sandbox",
        txn_id="t-1",
        order_ref="o-1",
        status=status,
        amount_idr=Rupiah(1),
        currency="IDR",
        merchant="G1",
        occurred_at=NOW,
        raw_hash="",
    )
    return rules.accept(
        observation, order_id="o", facility_id="LP-TJP", amount_idr=Rupiah(1), now=NOW
    )


def status_of(statuses: Sequence[PaymentStatus]) -> PaymentStatus:
    """Return the status that these observed statuses of one transaction give."""
    return rules.derive_status([event(status) for status in statuses])


@pytest.mark.parametrize(
    ("observed", "status"),
    [
        ([], PaymentStatus.PENDING),
        ([PaymentStatus.SETTLED, PaymentStatus.PENDING], PaymentStatus.SETTLED),
        ([PaymentStatus.EXPIRED, PaymentStatus.SETTLED], PaymentStatus.SETTLED),
        ([PaymentStatus.SETTLED, PaymentStatus.EXPIRED], PaymentStatus.SETTLED),
        ([PaymentStatus.SETTLED, PaymentStatus.DENIED], PaymentStatus.REVERSED),
        ([PaymentStatus.DENIED], PaymentStatus.DENIED),
        (
            [PaymentStatus.SETTLED, PaymentStatus.CHARGEBACK, PaymentStatus.SETTLED],
            PaymentStatus.CHARGEBACK,
        ),
        ([PaymentStatus.SETTLED, PaymentStatus.PARTIAL_REFUND], PaymentStatus.PARTIAL_REFUND),
        (
            [PaymentStatus.SETTLED, PaymentStatus.CHARGEBACK, PaymentStatus.DENIED],
            PaymentStatus.CHARGEBACK,
        ),
    ],
)
def test_the_highest_rank_counts_and_denial_after_settlement_reverses(
    observed: list[PaymentStatus], status: PaymentStatus
) -> None:
    assert status_of(observed) is status


@pytest.mark.scenario("INV-8/fold")
@given(st.lists(st.sampled_from(PaymentStatus), min_size=1, max_size=4, unique=True), st.data())
def test_the_status_ignores_order_and_repeats_and_never_moves_back(
    observed: list[PaymentStatus], data: st.DataObject
) -> None:
    by_rank = list(PaymentStatus)
    expected = status_of(observed)
    for arrival in itertools.permutations(observed):
        repeated: list[PaymentStatus] = []
        for status in arrival:
            repeated += [status] * data.draw(st.integers(1, 3))
        after_each = [status_of(repeated[:count]) for count in range(1, len(repeated) + 1)]
        assert after_each[-1] is expected
        assert after_each == sorted(after_each, key=by_rank.index)


@pytest.mark.parametrize(
    ("status", "order_state", "effect"),
    [
        (PaymentStatus.SETTLED, OrderState.AWAITING_PAYMENT, PaymentEffect.PAY),
        (PaymentStatus.SETTLED, OrderState.EXPIRED, PaymentEffect.PAY),
        (PaymentStatus.EXPIRED, OrderState.PLACED, PaymentEffect.CLOSE),
        (PaymentStatus.REVERSED, OrderState.PLACED, PaymentEffect.CLOSE),
        (PaymentStatus.PENDING, OrderState.PLACED, PaymentEffect.NONE),
        (PaymentStatus.EXPIRED, OrderState.PAID, PaymentEffect.NONE),
        (PaymentStatus.REVERSED, OrderState.PACKED, PaymentEffect.REVERSE),
        (PaymentStatus.CHARGEBACK, OrderState.DELIVERED, PaymentEffect.REVERSE),
        (PaymentStatus.REVERSED, OrderState.CANCELLED, PaymentEffect.SETTLE_REFUND),
        (PaymentStatus.REFUNDED, OrderState.PAID, PaymentEffect.ASK_OFFICER),
        (PaymentStatus.PARTIAL_REFUND, OrderState.PLACED, PaymentEffect.ASK_OFFICER),
    ],
)
def test_a_new_status_has_one_effect_on_an_order_of_each_state(
    status: PaymentStatus, order_state: OrderState, effect: PaymentEffect
) -> None:
    assert rules.decide_effect(status, order_state) is effect
