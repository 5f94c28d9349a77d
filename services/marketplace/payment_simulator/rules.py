"""The embedded payment gateway for development and tests: its charges and the Midtrans-shaped notices it sends. Deterministic; no internet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from chassis.errors import NotFound
from chassis.ids import named_id
from services.marketplace.money import Rupiah
from services.marketplace.payments import midtrans
from services.marketplace.payments.rules import ChargeRefused

PROVIDER, MERCHANT = "sandbox", "G-SANDBOX"
CHARGE_LIFETIME = timedelta(minutes=15)
_PROVIDER_ZONE = ZoneInfo("Asia/Jakarta")


class SimulatedChargeUnknown(NotFound):
    code = "sandbox_charge_unknown"
    title = "Tagihan percobaan tidak ditemukan"


class Command(StrEnum):
    """What a tester makes the sandbox do."""

    PAY = "pay"
    DUPLICATE = "duplicate"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_AMOUNT = "wrong_amount"
    PAY_WITHOUT_NOTICE = "pay_unheard"
    PAY_LATE = "pay_late"
    DENY = "deny"
    CLAIM_REFUND = "claim_refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCharge:
    """A charge at the sandbox; its id is our order_ref."""

    id: str
    amount_idr: Rupiah
    transaction_status: str
    opened_at: datetime
    expires_at: datetime
    version: int = 0

    @property
    def txn_id(self) -> str:
        """The sandbox's own id of it: the same for the same order_ref, always."""
        return named_id("sandbox", self.id)

    @property
    def qr_string(self) -> str:
        """What a buyer would scan."""
        return f"SANDBOX.QRIS.{self.id}.{self.amount_idr}"


_STATUS_CODES: Mapping[str, str] = {
    "pending": "201",
    "settlement": "200",
    "expire": "407",
    "cancel": "200",
    "deny": "202",
    "refund": "200",
}


def open_charge(order_ref: str, amount_idr: Rupiah, now: datetime) -> SimulatedCharge:
    """A new charge."""
    return SimulatedCharge(
        id=order_ref,
        amount_idr=amount_idr,
        transaction_status="pending",
        opened_at=now,
        expires_at=now + CHARGE_LIFETIME,
    )


def current_status(charge: SimulatedCharge, now: datetime) -> str:
    """Its status now: a pending charge expires by itself."""
    return (
        "expire"
        if charge.transaction_status == "pending" and now >= charge.expires_at
        else charge.transaction_status
    )


def cancel(charge: SimulatedCharge, now: datetime) -> SimulatedCharge:
    """Cancel what is pending; everything else stays as it is."""
    return (
        replace(charge, transaction_status="cancel")
        if current_status(charge, now) == "pending"
        else charge
    )


def execute(charge: SimulatedCharge, command: Command, now: datetime) -> SimulatedCharge:
    """What the command does to the charge itself."""
    status = current_status(charge, now)
    if command in {Command.PAY, Command.PAY_WITHOUT_NOTICE}:
        if status not in {"pending", "settlement"}:
            raise ChargeRefused(transaction_status=status)
        return replace(charge, transaction_status="settlement")
    if command is Command.PAY_LATE:
        return replace(charge, transaction_status="settlement")
    if command is Command.DENY:
        return replace(charge, transaction_status="deny")
    return charge


def build_notifications(
    charge: SimulatedCharge, command: Command, key: str, now: datetime
) -> list[bytes]:
    """The notifications that the sandbox then sends, in their order."""
    status = current_status(charge, now)
    if command is Command.PAY_WITHOUT_NOTICE:
        return []
    if command is Command.DUPLICATE:
        return [build_notification(charge, status, key)] * 2
    if command is Command.WRONG_SIGNATURE:
        return [build_notification(charge, "settlement", f"not {key}")]
    if command is Command.WRONG_AMOUNT:
        return [
            build_notification(
                replace(charge, amount_idr=Rupiah(charge.amount_idr // 10)), "settlement", key
            )
        ]
    if command is Command.CLAIM_REFUND:
        return [build_notification(charge, "refund", key)]
    return [build_notification(charge, status, key)]


def build_notification(charge: SimulatedCharge, status: str, key: str) -> bytes:
    """One signed notification in the shape of Midtrans."""
    code, amount = _STATUS_CODES[status], f"{charge.amount_idr}.00"
    body = {
        "transaction_time": f"{charge.opened_at.astimezone(_PROVIDER_ZONE):%Y-%m-%d %H:%M:%S}",
        "transaction_status": status,
        "transaction_id": charge.txn_id,
        "status_code": code,
        "signature_key": midtrans.compute_signature(charge.id, code, amount, key),
        "payment_type": "qris",
        "order_id": charge.id,
        "merchant_id": MERCHANT,
        "gross_amount": amount,
        "fraud_status": "accept",
        "currency": "IDR",
    }
    return json.dumps(body).encode()
