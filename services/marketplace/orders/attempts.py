"""Rules of attempts to pay an order: one charge each, a new one after the former is closed.

Here also: the pause after an answer of the provider that cannot be used.
Not here: what a charge has paid (payments).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chassis.errors import Conflict
from services.marketplace.orders.rules import Order, PaymentMethod, take_step
from services.marketplace.orders.transitions import (
    UNPAID_STATES,
    OrderNotPayable,
    OrderState,
    OrderStep,
)
from services.marketplace.settings import TEXTS

MAX_ATTEMPTS = 3
FIRST_PAUSE = timedelta(minutes=1)
MAX_PAUSE = timedelta(hours=1)
MAX_DOUBLINGS = 6


class AttemptStillOpen(Conflict):
    """The charge of the former attempt is not closed at the provider."""

    title = TEXTS["errors.attempt_still_open"]


class AttemptsExhausted(Conflict):
    """The order had as many payment attempts as one may have."""

    title = TEXTS["errors.attempts_exhausted"]


def has_attempt(order: Order, order_ref: str) -> bool:
    """Return whether a payment reference names an attempt that the order had or has."""
    return any(order_ref == f"{order.id}-{number}" for number in range(1, order.attempt + 1))


def start_attempt(order: Order, method: PaymentMethod, hold: timedelta, now: datetime) -> Order:
    """Start the first attempt to pay, or begin to replace the charge of the former one.

    The goods stay reserved for at least `hold`. Raises OrderNotPayable or AttemptsExhausted.
    """
    if order.state not in UNPAID_STATES or now >= order.expires_at:
        raise OrderNotPayable(state=order.state)
    if order.state is OrderState.AWAITING_PAYMENT:
        if order.attempt >= MAX_ATTEMPTS:
            raise AttemptsExhausted(limit=MAX_ATTEMPTS)
        return replace(order, is_replacing=True)
    if order.method is not None:
        return order  # its charge is being opened
    return replace(order, method=method, expires_at=max(order.expires_at, now + hold))


def start_next_attempt(order: Order, method: PaymentMethod) -> Order:
    """Start another attempt after the charge of the former one is closed at the provider."""
    replaced = take_step(order, OrderStep.REPLACE_CHARGE)
    return replace(
        replaced, attempt=order.attempt + 1, method=method, charge=None, is_replacing=False
    )


def keep_attempt(order: Order) -> Order:
    """Keep the current attempt, because its charge is still open at the provider."""
    return replace(order, is_replacing=False)


def require_replaced(before: Order, after: Order) -> None:
    """Require that another attempt began, or that the former one paid. Raises AttemptStillOpen."""
    if after.state is OrderState.AWAITING_PAYMENT and after.attempt == before.attempt:
        raise AttemptStillOpen


def postpone(order: Order, now: datetime) -> Order:
    """Leave the order alone for a while: the provider's answer about it cannot be used.

    The pause doubles with every failure, from one minute to about one hour.
    """
    pause = min(FIRST_PAUSE * 2 ** min(order.failures, MAX_DOUBLINGS), MAX_PAUSE)
    return replace(order, failures=order.failures + 1, retry_at=now + pause)


def needs_officer(order: Order) -> bool:
    """Return whether an officer must look at an order that the jobs could not close."""
    return order.failures > 1
