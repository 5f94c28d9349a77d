"""Rules of payments: the status of a payment follows from all events of its provider.

No command sets the amount or the status of a payment.
Not here: the format of a provider (midtrans).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TypeVar

from chassis.errors import Busy, Conflict, Malformed, NotFound
from services.marketplace.money import Rupiah
from services.marketplace.orders.attempts import has_attempt
from services.marketplace.orders.rules import Order
from services.marketplace.orders.transitions import UNPAID_STATES
from services.marketplace.refunds.rules import ReceivedPayment
from services.marketplace.settings import TEXTS

F = TypeVar("F")


class NotificationMalformed(Malformed):
    title = TEXTS["errors.notification_malformed"]


class NotificationForged(Malformed):
    """The signature is not the provider's."""

    title = TEXTS["errors.notification_forged"]


class NotificationContradictory(Malformed):
    """The notification claims success under a status code that is not success."""

    title = TEXTS["errors.notification_contradictory"]


class ProviderUnknown(NotFound):
    title = TEXTS["errors.provider_unknown"]


class PaymentUnknown(NotFound):
    title = TEXTS["errors.payment_unknown"]


class PaymentProviderUnreachable(Busy):
    """The provider does not answer; the same request may be sent again later."""

    code = "gateway_unreachable"
    title = TEXTS["errors.gateway_unreachable"]


class ProviderAnswerUnreadable(Busy):
    """The provider's answer about one charge cannot be read; other charges are not affected."""

    code = "gateway_answer_unreadable"
    title = TEXTS["errors.gateway_answer_unreadable"]


class PaymentsClosed(Busy):
    """No payment provider is configured here."""

    title = TEXTS["errors.payments_closed"]


class ChargeRefused(Conflict):
    """The provider refuses this operation on this charge."""

    title = TEXTS["errors.charge_refused"]


class PaymentStatus(StrEnum):
    """The status of a charge, in our terms; a later member ranks above an earlier one."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DENIED = "denied"
    FAILED = "failed"
    SETTLED = "settled"
    PARTIAL_REFUND = "partial_refund"
    PARTIAL_CHARGEBACK = "partial_chargeback"
    REFUNDED = "refunded"
    REVERSED = "reversed"
    CHARGEBACK = "chargeback"


CLOSING_STATUSES = frozenset(
    {PaymentStatus.EXPIRED, PaymentStatus.CANCELLED, PaymentStatus.DENIED, PaymentStatus.FAILED}
)
REVERSAL_STATUSES = frozenset({PaymentStatus.REVERSED, PaymentStatus.CHARGEBACK})
PARTIAL_STATUSES = frozenset({PaymentStatus.PARTIAL_REFUND, PaymentStatus.PARTIAL_CHARGEBACK})
REFUND_STATUSES = frozenset({PaymentStatus.REFUNDED, *PARTIAL_STATUSES, PaymentStatus.CHARGEBACK})
"""Statuses under which a provider lists refunds or chargebacks, each with its amount."""

HELD_STATUSES = frozenset({PaymentStatus.SETTLED, *PARTIAL_STATUSES})
"""The provider holds the money of the charge, or a part of it, for us."""

RETURNED_STATUSES = frozenset({PaymentStatus.REFUNDED, *REVERSAL_STATUSES})
"""The whole money of the charge went back."""

UNCONFIRMED_STATUSES = frozenset({PaymentStatus.PENDING, PaymentStatus.AUTHORIZED})
"""Statuses that move neither money nor stock: a signed notification suffices.

All others are confirmed by a query to the provider.
"""

_RANK = {status: rank for rank, status in enumerate(PaymentStatus)}


class PaymentEffect(StrEnum):
    """What a new status of a transaction does to its order and the books, in this order."""

    CLOSE = "close"
    RECEIVE = "receive"
    REVERSE = "reverse"
    OWE = "owe"
    RETURN = "return"
    ASK_OFFICER = "ask_officer"


class MoneyState(StrEnum):
    """Where the books have the money of a transaction."""

    UNBOOKED = "unbooked"
    PAYING = "paying"
    OWED = "owed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRefund:
    """One refund or chargeback of a charge, as the provider lists it.

    A list names each with a key and its own amount. Without a list the provider reports the sum of
    all refunds so far (`is_cumulative`). `amount_idr` is None when it is not whole rupiah.
    """

    key: str
    amount_idr: Rupiah | None
    is_cumulative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a provider reported about one charge.

    `amount_idr` is None when the reported amount is not whole rupiah.
    """

    provider: str
    txn_id: str
    order_ref: str
    status: PaymentStatus
    amount_idr: Rupiah | None
    currency: str
    merchant: str
    occurred_at: datetime
    raw_hash: str
    refunds: tuple[ObservedRefund, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent:
    """One accepted fact about a transaction, append-only; its id makes it count once.

    `amount_idr` is the amount of the charge, `refunded_idr` of the refund of this event.
    """

    id: str
    order_id: str
    facility_id: str
    provider: str
    txn_id: str
    order_ref: str
    status: PaymentStatus
    refund_key: str
    amount_idr: Rupiah
    occurred_at: datetime
    observed_at: datetime
    raw_hash: str
    refunded_idr: Rupiah | None = None
    version: int = 0

    @property
    def payment(self) -> ReceivedPayment:
        """The money of the transaction."""
        return ReceivedPayment(
            provider=self.provider,
            txn_id=self.txn_id,
            order_ref=self.order_ref,
            amount_idr=self.amount_idr,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedNotification:
    """That notifications were refused for one reason in one minute; later ones are counted only."""

    id: str
    at: datetime
    version: int = 0


def refused_in_minute(provider: str, reason: str, now: datetime) -> RefusedNotification:
    """Return the document of the refusals of this minute."""
    return RefusedNotification(id=f"{provider}/{reason}/{now:%Y-%m-%dT%H:%M}", at=now)


def require_order(order: Order | None, order_ref: str) -> Order:
    """Return the order of a payment. Raises PaymentUnknown when no attempt has this reference."""
    if order is None or not has_attempt(order, order_ref):
        raise PaymentUnknown
    return order


def require_open(provider_factory: F | None) -> F:
    """Return the factory of the payment provider. Raises PaymentsClosed when there is none."""
    if provider_factory is None:
        raise PaymentsClosed
    return provider_factory


def require_configured(provider: str, configured: str) -> None:
    """Raise ProviderUnknown unless the notified provider is the configured one."""
    if provider != configured:
        raise ProviderUnknown


def require_known_charge(observation: Observation | None) -> Observation:
    """Return what the provider reports. Raises PaymentUnknown when it knows no charge."""
    if observation is None:
        raise PaymentUnknown
    return observation


def require_final(observation: Observation) -> Observation:
    """Return the observation. Raises ChargeRefused while the charge is neither paid nor closed."""
    if observation.status in UNCONFIRMED_STATUSES:
        raise ChargeRefused
    return observation


def is_expected_payment(observation: Observation, amount_idr: Rupiah, merchant: str) -> bool:
    """Return whether exactly this amount was paid in rupiah to our merchant id."""
    if observation.currency != "IDR":
        return False
    if observation.merchant != merchant:
        return False
    return observation.amount_idr == amount_idr


def needs_confirmation(observation: Observation, amount_idr: Rupiah, merchant: str) -> bool:
    """Return whether the provider must confirm the observation before it counts.

    An unexpected amount is not confirmed: it pays nothing and raises a task.
    """
    if observation.status in UNCONFIRMED_STATUSES:
        return False
    return is_expected_payment(observation, amount_idr, merchant)


def derive_status(events: Iterable[PaymentEvent]) -> PaymentStatus:
    """Return the status of one transaction: the highest rank of its events counts.

    The order and the number of the events do not matter.
    """
    statuses = [event.status for event in events]
    return max(statuses, key=_RANK.__getitem__, default=PaymentStatus.PENDING)


def accept(
    observation: Observation,
    known: Sequence[PaymentEvent],
    *,
    order: Order,
    now: datetime,
) -> list[PaymentEvent]:
    """Return the new events of an observation whose amount is as expected; none for a repeat.

    `known` are all events of the order. A denial of a settled transaction is its reversal
    (documented by Midtrans for Permata VA, Mandiri Bill and Indomaret). A partial refund shows that
    the charge was settled before. Each refund that the provider lists is an event of its own.
    """
    of_txn = [
        event
        for event in known
        if (event.provider, event.txn_id) == (observation.provider, observation.txn_id)
    ]
    before = derive_status(of_txn)
    status = observation.status
    if status is PaymentStatus.DENIED and before in HELD_STATUSES:
        status = PaymentStatus.REVERSED
    build = partial(_event, observation, order, now)
    events: list[PaymentEvent] = []
    if status in PARTIAL_STATUSES and _RANK[before] < _RANK[PaymentStatus.SETTLED]:
        events.append(build(PaymentStatus.SETTLED))
    refunds = _list_new_refunds(observation, of_txn)
    if status in REFUND_STATUSES and refunds:
        events += [build(status, key=key, refunded_idr=amount) for key, amount in refunds]
    elif not observation.refunds or _RANK[status] > _RANK[before]:
        events.append(build(status))
    known_ids = {event.id for event in known}
    return [event for event in events if event.id not in known_ids]


def decide_effects(
    event: PaymentEvent, before: PaymentStatus, money: MoneyState, order: Order
) -> tuple[PaymentEffect, ...]:
    """Return what an event does; `before` is the status of its transaction without the event."""
    status = event.status
    if status in UNCONFIRMED_STATUSES:
        return ()
    if status in CLOSING_STATUSES:
        if before in HELD_STATUSES:
            return (PaymentEffect.ASK_OFFICER,)
        is_unbooked = money is MoneyState.UNBOOKED and before not in RETURNED_STATUSES
        return _close_effects(event, order) if is_unbooked else ()
    if status is PaymentStatus.SETTLED:
        return (PaymentEffect.RECEIVE,) if money is MoneyState.UNBOOKED else ()
    return _return_effects(event, before, money, order)


def _return_effects(
    event: PaymentEvent, before: PaymentStatus, money: MoneyState, order: Order
) -> tuple[PaymentEffect, ...]:
    """Return what follows when money of a transaction went back, wholly or in part."""
    if money is MoneyState.UNBOOKED:
        return (
            *_close_effects(event, order),
            PaymentEffect.OWE,
            PaymentEffect.RETURN,
            PaymentEffect.ASK_OFFICER,
        )
    if money is MoneyState.OWED:
        is_sum_unknown = event.status in PARTIAL_STATUSES and event.refunded_idr is None
        return (PaymentEffect.ASK_OFFICER if is_sum_unknown else PaymentEffect.RETURN,)
    if event.status not in REVERSAL_STATUSES or before is PaymentStatus.REFUNDED:
        return (PaymentEffect.ASK_OFFICER,)
    return () if before in REVERSAL_STATUSES else (PaymentEffect.REVERSE,)


def _close_effects(event: PaymentEvent, order: Order) -> tuple[PaymentEffect, ...]:
    """Return the effect on an unpaid order whose current charge is closed at the provider.

    A charge that is being replaced, or was, does not close the order.
    """
    is_current = event.order_ref == order.order_ref and not order.is_replacing
    return (PaymentEffect.CLOSE,) if is_current and order.state in UNPAID_STATES else ()


def _list_new_refunds(
    observation: Observation, of_txn: Sequence[PaymentEvent]
) -> list[tuple[str, Rupiah | None]]:
    """Return key and amount of each refund that is not among the events of the transaction."""
    known_keys = {event.refund_key for event in of_txn}
    known_idr = sum(event.refunded_idr or 0 for event in of_txn)
    new: list[tuple[str, Rupiah | None]] = []
    for refund in observation.refunds:
        if refund.key in known_keys:
            continue
        amount = refund.amount_idr
        if refund.is_cumulative and amount is not None:
            amount = Rupiah(max(amount - known_idr, 0))
        new.append((refund.key, amount))
    return new


def _event(
    observation: Observation,
    order: Order,
    now: datetime,
    status: PaymentStatus,
    *,
    key: str = "",
    refunded_idr: Rupiah | None = None,
) -> PaymentEvent:
    txn = f"{observation.provider}/{observation.txn_id}"
    return PaymentEvent(
        id=f"{txn}/refund/{key}" if key else f"{txn}/{status}/",
        order_id=order.id,
        facility_id=order.facility_id,
        provider=observation.provider,
        txn_id=observation.txn_id,
        order_ref=observation.order_ref,
        status=status,
        refund_key=key,
        amount_idr=order.total_idr,
        occurred_at=observation.occurred_at,
        observed_at=now,
        raw_hash=observation.raw_hash,
        refunded_idr=refunded_idr,
    )
