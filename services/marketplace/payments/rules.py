"""Rules of payments: the status of a payment follows from all events of its provider.

No command sets the amount or the status of a payment.
Not here: the format of a provider (midtrans).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from chassis.errors import Busy, Conflict, Malformed, NotFound
from services.marketplace.money import Rupiah
from services.marketplace.orders.rules import (
    PAID_UNSHIPPED_STATES,
    SHIPPED_STATES,
    UNPAID_STATES,
    Order,
    OrderState,
)

F = TypeVar("F")


class NotificationMalformed(Malformed):
    title = "Notifikasi pembayaran tidak dapat dibaca"


class NotificationForged(Malformed):
    """The signature is not the provider's."""

    title = "Tanda tangan notifikasi pembayaran tidak sah"


class NotificationContradictory(Malformed):
    """The notification claims success under a status code that is not success."""

    title = "Isi notifikasi pembayaran saling bertentangan"


class ProviderUnknown(NotFound):
    title = "Penyedia pembayaran tidak dikenal"


class PaymentUnknown(NotFound):
    title = "Pembayaran tidak ditemukan"


class PaymentProviderUnreachable(Busy):
    """The provider does not answer; the same request may be sent again later."""

    code = "gateway_unreachable"
    title = "Penyedia pembayaran sedang tidak dapat dihubungi"


class PaymentsClosed(Busy):
    """No payment provider is configured here."""

    title = "Pembayaran belum dibuka"


class ChargeRefused(Conflict):
    """The provider refuses this operation on this charge."""

    title = "Penyedia pembayaran menolak permintaan"


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
MANUAL_STATUSES = frozenset(
    {PaymentStatus.PARTIAL_REFUND, PaymentStatus.PARTIAL_CHARGEBACK, PaymentStatus.REFUNDED}
)
"""Money moved at the provider without a command of ours: an officer decides what follows."""

UNCONFIRMED_STATUSES = frozenset({PaymentStatus.PENDING, PaymentStatus.AUTHORIZED})
"""Statuses that move neither money nor stock: a signed notification suffices.

All others are confirmed by a query to the provider.
"""

_RANK = {status: rank for rank, status in enumerate(PaymentStatus)}


class PaymentEffect(StrEnum):
    """What a new status of a payment does to its order."""

    PAY = "pay"
    CLOSE = "close"
    REVERSE = "reverse"
    SETTLE_REFUND = "settle_refund"
    ASK_OFFICER = "ask_officer"
    NONE = "none"


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
    refund_key: str = ""

    @property
    def event_id(self) -> str:
        """The id of its event: equal for a repeat of the same observation."""
        return f"{self.provider}/{self.txn_id}/{self.status}/{self.refund_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent:
    """An accepted observation, append-only; its id is the observation's `event_id`."""

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
    version: int = 0


def require_order(order: Order | None) -> Order:
    """Return the order of a payment. Raises PaymentUnknown when there is none."""
    if order is None:
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


def accept(
    observation: Observation, *, order_id: str, facility_id: str, amount_idr: Rupiah, now: datetime
) -> PaymentEvent:
    """Return the event of an observation whose amount is as expected."""
    return PaymentEvent(
        id=observation.event_id,
        order_id=order_id,
        facility_id=facility_id,
        provider=observation.provider,
        txn_id=observation.txn_id,
        order_ref=observation.order_ref,
        status=observation.status,
        refund_key=observation.refund_key,
        amount_idr=amount_idr,
        occurred_at=observation.occurred_at,
        observed_at=now,
        raw_hash=observation.raw_hash,
    )


def derive_status(events: Iterable[PaymentEvent]) -> PaymentStatus:
    """Return the status of a payment: the highest rank counts, in the order of PaymentStatus.

    The order and the number of the events do not matter. A denial of a settled transaction is its
    reversal (documented by Midtrans for Permata VA, Mandiri Bill and Indomaret).
    """
    statuses_by_txn: dict[str, set[PaymentStatus]] = {}
    for event in events:
        statuses_by_txn.setdefault(event.txn_id, set()).add(event.status)
    highest = PaymentStatus.PENDING
    for statuses in statuses_by_txn.values():
        reached = set(statuses)
        if PaymentStatus.SETTLED in statuses and PaymentStatus.DENIED in statuses:
            reached.add(PaymentStatus.REVERSED)
        highest = max(highest, *reached, key=_RANK.__getitem__)
    return highest


def is_same_outcome(before: PaymentStatus, after: PaymentStatus) -> bool:
    """Return whether the change of status has no further effect; all reversals are alike."""
    if after is before:
        return True
    return before in REVERSAL_STATUSES and after in REVERSAL_STATUSES


def decide_effect(status: PaymentStatus, order_state: OrderState) -> PaymentEffect:
    """Return what the new status of a payment does to its order.

    SETTLE_REFUND: the order is not paid, or no longer, and the provider has returned the money that
    was owed back to the buyer.
    """
    if status is PaymentStatus.SETTLED:
        return PaymentEffect.PAY
    if status in MANUAL_STATUSES:
        return PaymentEffect.ASK_OFFICER
    if order_state in UNPAID_STATES:
        is_closing = status in CLOSING_STATUSES or status in REVERSAL_STATUSES
        return PaymentEffect.CLOSE if is_closing else PaymentEffect.NONE
    if status not in REVERSAL_STATUSES:
        return PaymentEffect.NONE
    if order_state in PAID_UNSHIPPED_STATES or order_state in SHIPPED_STATES:
        return PaymentEffect.REVERSE
    return PaymentEffect.SETTLE_REFUND
