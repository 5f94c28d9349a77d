"""The format of Midtrans notifications and status answers, and their signature.

Source: docs.midtrans.com, HTTP notification webhooks. The signature covers order_id, status_code
and gross_amount, but not transaction_status. Therefore a query to the provider confirms every
status that moves money or stock.
Not here: sending anything.
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
    ObservedRefund,
    PaymentStatus,
)

SUCCESS_CODE = "200"
MAX_AMOUNT_CHARACTERS = len("999999999999.00")
_WHOLE_RUPIAH = re.compile(r"(?a:\d+)\.00")
_PROVIDER_ZONE = ZoneInfo("Asia/Jakarta")


class MidtransRefund(BaseModel):
    """One entry of `refunds`: a refund or chargeback with its own amount."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    refund_chargeback_id: int | str = ""
    refund_key: str = ""
    refund_amount: str


class MidtransNotification(BaseModel):
    """The fields that we read of a notification or status answer; others are ignored.

    Strings stay exactly as received.
    """

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
    refund_amount: str | None = None
    refunds: tuple[MidtransRefund, ...] = ()
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
    """Return the SHA-512 of the four strings, unchanged and concatenated, in lower-case hex."""
    signed = f"{order_id}{status_code}{gross_amount}{server_key}"
    return hashlib.sha512(signed.encode()).hexdigest()


def parse_notification(body: bytes) -> MidtransNotification:
    """Return the notification in these bytes. Raises NotificationMalformed."""
    try:
        return MidtransNotification.model_validate_json(body)
    except ValidationError:
        raise NotificationMalformed from None


def verify_signature(notification: MidtransNotification, server_key: str) -> MidtransNotification:
    """Return the notification if its signature is valid. Raises NotificationForged.

    Signatures are compared in constant time.
    """
    expected = compute_signature(
        notification.order_id, notification.status_code, notification.gross_amount, server_key
    )
    if not hmac.compare_digest(expected.encode(), notification.signature_key.encode()):
        raise NotificationForged
    return notification


def to_observation(
    notification: MidtransNotification, *, provider: str, body: bytes
) -> Observation:
    """Return what a verified notification says, in our terms.

    Raises NotificationContradictory when it claims success under another status code than 200,
    NotificationMalformed when its time cannot be read.
    """
    try:
        local_time = datetime.fromisoformat(notification.transaction_time)
    except ValueError:
        raise NotificationMalformed from None
    return Observation(
        provider=provider,
        txn_id=notification.transaction_id,
        order_ref=notification.order_id,
        status=_payment_status(notification),
        amount_idr=parse_rupiah(notification.gross_amount),
        currency=notification.currency,
        merchant=notification.merchant_id,
        occurred_at=local_time.replace(tzinfo=_PROVIDER_ZONE),
        raw_hash=hashlib.sha256(body).hexdigest(),
        refunds=_observed_refunds(notification),
    )


def parse_rupiah(amount: str) -> Rupiah | None:
    """Return the amount of a string such as `5539.00`; None if it is not whole rupiah."""
    if len(amount) > MAX_AMOUNT_CHARACTERS or not _WHOLE_RUPIAH.fullmatch(amount):
        return None
    return Rupiah(int(amount.partition(".")[0]))


def _observed_refunds(notification: MidtransNotification) -> tuple[ObservedRefund, ...]:
    """Return the refunds that a notification lists, or else the sum that it reports."""
    if notification.refunds:
        return tuple(
            ObservedRefund(
                key=f"{refund.refund_chargeback_id}:{refund.refund_key}",
                amount_idr=parse_rupiah(refund.refund_amount),
            )
            for refund in notification.refunds
        )
    if notification.refund_amount is None:
        return ()
    key = notification.refund_key or f"sum:{notification.refund_amount}"
    amount_idr = parse_rupiah(notification.refund_amount)
    return (ObservedRefund(key=key, amount_idr=amount_idr, is_cumulative=True),)


def _payment_status(notification: MidtransNotification) -> PaymentStatus:
    """Return the status; success needs the code 200 and no objection of fraud detection.

    A capture under review has the code 201, a capture that was denied has 202.
    """
    status = notification.transaction_status
    if status not in {"settlement", "capture"}:
        return _PAYMENT_STATUSES[status]
    verdict = notification.fraud_status, notification.status_code
    if status == "capture" and verdict in {("challenge", "201"), ("challenge", "200")}:
        return PaymentStatus.AUTHORIZED
    if status == "capture" and verdict == ("deny", "202"):
        return PaymentStatus.DENIED
    if notification.status_code != SUCCESS_CODE:
        raise NotificationContradictory
    if notification.fraud_status in {None, "accept"}:
        return PaymentStatus.SETTLED
    if notification.fraud_status == "challenge":
        return PaymentStatus.AUTHORIZED
    return PaymentStatus.DENIED
