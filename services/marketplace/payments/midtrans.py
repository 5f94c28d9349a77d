"""The shape of Midtrans: notifications and status answers, and their signature (docs.midtrans.com, HTTP notification webhooks). Not here: sending anything.

The signature covers order_id, status_code and gross_amount, not transaction_status: what moves money or stock is confirmed by asking the gateway.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError

from services.marketplace.money import Rupiah
from services.marketplace.payments.rules import (
    NotificationContradictory,
    NotificationForged,
    NotificationMalformed,
    Observation,
    PaymentStatus,
)

SUCCESS_CODE = "200"
_WHOLE_RUPIAH = re.compile(r"(?a:\d+)\.00")
_PROVIDER_ZONE = ZoneInfo("Asia/Jakarta")


class MidtransNotification(BaseModel):
    """The fields that we read of a notification or status answer; others are ignored. Strings stay exactly as received."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    order_id: str
    transaction_id: str
    transaction_status: Literal[
        "authorize",
        "capture",
        "settlement",
        "pending",
        "deny",
        "cancel",
        "expire",
        "failure",
        "refund",
        "partial_refund",
        "chargeback",
        "partial_chargeback",
    ]
    status_code: str
    gross_amount: str
    currency: str = "IDR"
    merchant_id: str = ""
    fraud_status: str | None = None
    transaction_time: str
    refund_key: str = ""
    signature_key: str


_PAYMENT_STATUSES = {
    "authorize": PaymentStatus.AUTHORIZED,
    "settlement": PaymentStatus.SETTLED,
    "pending": PaymentStatus.PENDING,
    "deny": PaymentStatus.DENIED,
    "cancel": PaymentStatus.CANCELLED,
    "expire": PaymentStatus.EXPIRED,
    "failure": PaymentStatus.FAILED,
    "refund": PaymentStatus.REFUNDED,
    "partial_refund": PaymentStatus.PARTIAL_REFUND,
    "chargeback": PaymentStatus.CHARGEBACK,
    "partial_chargeback": PaymentStatus.PARTIAL_CHARGEBACK,
}


def compute_signature(order_id: str, status_code: str, gross_amount: str, server_key: str) -> str:
    """SHA-512 of the four strings as they stand, in lower-case hex."""
    return hashlib.sha512(f"{order_id}{status_code}{gross_amount}{server_key}".encode()).hexdigest()


def parse_notification(body: bytes) -> MidtransNotification:
    """The notice in these bytes; NotificationMalformed otherwise."""
    try:
        return MidtransNotification.model_validate_json(body)
    except ValidationError:
        raise NotificationMalformed from None


def verify_signature(notice: MidtransNotification, server_key: str) -> MidtransNotification:
    """The notice, if its signature is the provider's (compared in constant time); NotificationForged otherwise."""
    expected = compute_signature(
        notice.order_id, notice.status_code, notice.gross_amount, server_key
    )
    if not hmac.compare_digest(expected.encode(), notice.signature_key.encode()):
        raise NotificationForged
    return notice


def to_observation(notice: MidtransNotification, *, provider: str, body: bytes) -> Observation:
    """What a verified notice says, in our words. NotificationContradictory when it claims success under another status code than 200."""
    try:
        occurred_at = datetime.fromisoformat(notice.transaction_time).replace(tzinfo=_PROVIDER_ZONE)
    except ValueError:
        raise NotificationMalformed from None
    return Observation(
        provider=provider,
        txn_id=notice.transaction_id,
        order_ref=notice.order_id,
        status=_payment_status(notice),
        amount_idr=parse_rupiah(notice.gross_amount),
        currency=notice.currency,
        merchant=notice.merchant_id,
        occurred_at=occurred_at,
        raw_hash=hashlib.sha256(body).hexdigest(),
        refund_key=notice.refund_key,
    )


def parse_rupiah(amount: str) -> Rupiah | None:
    """The amount of a string such as `5539.00`; None when it is not whole rupiah in that form."""
    return (
        Rupiah(int(amount.partition(".")[0]))
        if _WHOLE_RUPIAH.fullmatch(amount) and len(amount) <= len("999999999999.00")
        else None
    )


def _payment_status(notice: MidtransNotification) -> PaymentStatus:
    if notice.transaction_status not in {"settlement", "capture"}:
        return _PAYMENT_STATUSES[notice.transaction_status]
    if notice.status_code != SUCCESS_CODE:
        raise NotificationContradictory
    if notice.fraud_status in {None, "accept"}:
        return PaymentStatus.SETTLED
    return PaymentStatus.AUTHORIZED if notice.fraud_status == "challenge" else PaymentStatus.DENIED
