"""The states of an order, its steps, and the table of allowed transitions.

Not here: what a step does (rules).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chassis.errors import Conflict
from services.marketplace.settings import TEXTS
from services.marketplace.stock.rules import ReservationState


class OrderTransitionRefused(Conflict):
    """The state of the order does not allow this step."""

    title = TEXTS["errors.order_transition_refused"]


class OrderNotPayable(OrderTransitionRefused):
    title = TEXTS["errors.order_not_payable"]


class OrderNotExpirable(OrderTransitionRefused):
    title = TEXTS["errors.order_not_expirable"]


class OrderNotCancellable(OrderTransitionRefused):
    title = TEXTS["errors.order_not_cancellable"]


class OrderNotPackable(OrderTransitionRefused):
    title = TEXTS["errors.order_not_packable"]


class OrderNotShippable(OrderTransitionRefused):
    title = TEXTS["errors.order_not_shippable"]


class OrderNotDeliverable(OrderTransitionRefused):
    title = TEXTS["errors.order_not_deliverable"]


class OrderNotCompletable(OrderTransitionRefused):
    title = TEXTS["errors.order_not_completable"]


class OrderNotReversible(OrderTransitionRefused):
    title = TEXTS["errors.order_not_reversible"]


class OrderState(StrEnum):
    PLACED = "placed"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PAYMENT_REVERSED = "payment_reversed"


class OrderStep(StrEnum):
    REQUEST_PAYMENT = "request_payment"
    REPLACE_CHARGE = "replace_charge"
    PAY = "pay"
    EXPIRE = "expire"
    CANCEL = "cancel"
    PACK = "pack"
    SHIP = "ship"
    DELIVER = "deliver"
    COMPLETE = "complete"
    REVERSE = "reverse"


TRANSITIONS: Mapping[tuple[OrderState, OrderStep], OrderState] = {
    (OrderState.PLACED, OrderStep.REQUEST_PAYMENT): OrderState.AWAITING_PAYMENT,
    (OrderState.PLACED, OrderStep.EXPIRE): OrderState.EXPIRED,
    (OrderState.PLACED, OrderStep.CANCEL): OrderState.CANCELLED,
    (OrderState.AWAITING_PAYMENT, OrderStep.REPLACE_CHARGE): OrderState.PLACED,
    (OrderState.AWAITING_PAYMENT, OrderStep.PAY): OrderState.PAID,
    (OrderState.AWAITING_PAYMENT, OrderStep.EXPIRE): OrderState.EXPIRED,
    (OrderState.AWAITING_PAYMENT, OrderStep.CANCEL): OrderState.CANCELLED,
    (OrderState.EXPIRED, OrderStep.PAY): OrderState.PAID,
    (OrderState.PAID, OrderStep.PACK): OrderState.PACKED,
    (OrderState.PACKED, OrderStep.SHIP): OrderState.SHIPPED,
    (OrderState.SHIPPED, OrderStep.DELIVER): OrderState.DELIVERED,
    (OrderState.DELIVERED, OrderStep.COMPLETE): OrderState.COMPLETED,
    (OrderState.PAID, OrderStep.REVERSE): OrderState.PAYMENT_REVERSED,
    (OrderState.PACKED, OrderStep.REVERSE): OrderState.PAYMENT_REVERSED,
}
"""Every allowed step. A step that is not listed raises its error in `REFUSAL_BY_STEP`."""

REFUSAL_BY_STEP: Mapping[OrderStep, type[OrderTransitionRefused]] = {
    OrderStep.REQUEST_PAYMENT: OrderNotPayable,
    OrderStep.REPLACE_CHARGE: OrderNotPayable,
    OrderStep.PAY: OrderNotPayable,
    OrderStep.EXPIRE: OrderNotExpirable,
    OrderStep.CANCEL: OrderNotCancellable,
    OrderStep.PACK: OrderNotPackable,
    OrderStep.SHIP: OrderNotShippable,
    OrderStep.DELIVER: OrderNotDeliverable,
    OrderStep.COMPLETE: OrderNotCompletable,
    OrderStep.REVERSE: OrderNotReversible,
}

UNPAID_STATES = frozenset({OrderState.PLACED, OrderState.AWAITING_PAYMENT})
PAID_UNSHIPPED_STATES = frozenset({OrderState.PAID, OrderState.PACKED})
"""Paid, and the goods are still in stock."""

SHIPPED_STATES = frozenset({OrderState.SHIPPED, OrderState.DELIVERED, OrderState.COMPLETED})
"""Paid, and the goods have left the stock."""

RESERVATION_STATE_BY_STEP: Mapping[OrderStep, ReservationState] = {
    OrderStep.EXPIRE: ReservationState.EXPIRED,
    OrderStep.CANCEL: ReservationState.RELEASED,
}
"""The resolution of the reservation, by the step that closes an unpaid order."""
