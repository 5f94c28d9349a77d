"""What is allowed: payments as a fold of what their gateway told us. Amount and standing of a payment are never a field that somebody sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.errors import Busy, Conflict, Malformed, NotFound
from services.marketplace.money import Rupiah


class NotificationMalformed(Malformed):
    title = "Notifikasi pembayaran tidak dapat dibaca"


class NotificationForged(Malformed):
    """The signature is not the provider's."""

    title = "Tanda tangan notifikasi pembayaran tidak sah"


class NotificationContradictory(Malformed):
    """Its parts deny each other: success is claimed under a code that is not success."""

    title = "Isi notifikasi pembayaran saling bertentangan"


class ProviderUnknown(NotFound):
    title = "Penyedia pembayaran tidak dikenal"


class PaymentUnknown(NotFound):
    title = "Pembayaran tidak ditemukan"


class PaymentProviderUnreachable(Busy):
    """The gateway does not answer: ask again later."""

    code = "gateway_unreachable"
    title = "Penyedia pembayaran sedang tidak dapat dihubungi"


class PaymentsClosed(Busy):
    """No payment provider is configured here."""

    title = "Pembayaran belum dibuka"


class ChargeRefused(Conflict):
    """The gateway will not do that with this charge."""

    title = "Penyedia pembayaran menolak permintaan"


class PaymentStatus(StrEnum):
    """What a gateway says of a charge, in our words."""

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
"""Money that moved at the gateway without us: a person decides what follows."""

UNCONFIRMED_STATUSES = frozenset({PaymentStatus.PENDING, PaymentStatus.AUTHORIZED})
"""Statuses that move neither money nor stock: a signed notification suffices. All others are confirmed by asking the gateway."""

_RANK = {status: rank for rank, status in enumerate(PaymentStatus)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a gateway said of one charge. `amount_idr` is None when the amount is not whole rupiah."""

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
        """What makes it the same observation when it comes again."""
        return f"{self.provider}/{self.txn_id}/{self.status}/{self.refund_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent:
    """An accepted observation, append-only; its id is the observation's."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge opened at a gateway, and what the buyer needs to pay it."""

    provider: str
    order_ref: str
    txn_id: str
    method: str
    qr_string: str
    expires_at: datetime


def is_expected_payment(observation: Observation, amount_idr: Rupiah, merchant: str) -> bool:
    """Whether it speaks of exactly this sum, in rupiah, paid to us."""
    return (observation.amount_idr, observation.currency, observation.merchant) == (
        amount_idr,
        "IDR",
        merchant,
    )


def accept(
    observation: Observation, *, order_id: str, facility_id: str, amount_idr: Rupiah, now: datetime
) -> PaymentEvent:
    """The event that an observation becomes once its amount is known to be right."""
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
    """Where a payment stands, whatever the order and number of its events: the highest rank counts, in the order of Status.

    A denial of a settled transaction is its reversal (documented by Midtrans for Permata VA, Mandiri Bill and Indomaret).
    """
    seen: dict[str, set[PaymentStatus]] = {}
    for event in events:
        seen.setdefault(event.txn_id, set()).add(event.status)
    standing = {status for statuses in seen.values() for status in statuses}
    if any({PaymentStatus.SETTLED, PaymentStatus.DENIED} <= statuses for statuses in seen.values()):
        standing.add(PaymentStatus.REVERSED)
    return max(standing, key=_RANK.__getitem__, default=PaymentStatus.PENDING)
