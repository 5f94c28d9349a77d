"""Rules of the payment simulator: its charges, and the signed notifications that it sends.

Notifications have the format of Midtrans. The simulator is deterministic and uses no network.
Not here: how notifications are processed (payments).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from chassis.errors import NotFound
from chassis.ids import named_id
from services.marketplace.money import Rupiah
from services.marketplace.orders.rules import PaymentMethod
from services.marketplace.payments import midtrans
from services.marketplace.payments.rules import ChargeRefused
from services.marketplace.settings import TEXTS

PROVIDER = "sandbox"
MERCHANT = "G-SANDBOX"
CHARGE_LIFETIME = timedelta(minutes=15)
_PROVIDER_ZONE = ZoneInfo("Asia/Jakarta")


class SimulatedChargeUnknown(NotFound):
    code = "sandbox_charge_unknown"
    title = TEXTS["errors.sandbox_charge_unknown"]


class Command(StrEnum):
    """What a tester can make the simulator do."""

    PAY = "pay"
    DUPLICATE = "duplicate"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_AMOUNT = "wrong_amount"
    PAY_WITHOUT_NOTICE = "pay_unheard"
    PAY_LATE = "pay_late"
    DENY = "deny"
    REFUND_PART = "refund_part"
    REFUND = "refund"
    CLAIM_REFUND = "claim_refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRefund:
    """One refund of a charge."""

    key: str
    amount_idr: Rupiah


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCharge:
    """A charge of the simulator; its id is our order_ref. `method` is qris or va."""

    id: str
    amount_idr: Rupiah
    transaction_status: str
    opened_at: datetime
    expires_at: datetime
    method: PaymentMethod = PaymentMethod.QRIS
    refunds: tuple[SimulatedRefund, ...] = ()
    version: int = 0

    @property
    def txn_id(self) -> str:
        """The simulator's transaction id: always the same for the same order_ref."""
        return named_id("sandbox", self.id)

    @property
    def qr_string(self) -> str:
        """The text of the QR code that a buyer would scan."""
        return f"SANDBOX.QRIS.{self.id}.{self.amount_idr}"

    @property
    def va_number(self) -> str:
        """The number of the virtual account to which a buyer would transfer."""
        digits = int(named_id("sandbox-va", self.id).replace("-", ""), 16) % 10**10
        return f"988{digits:010d}"

    @property
    def unrefunded_idr(self) -> Rupiah:
        """What is left of the amount."""
        return Rupiah(self.amount_idr - sum(refund.amount_idr for refund in self.refunds))


SIMULATED_BANK = "bri"

_STATUS_CODES: Mapping[str, str] = {
    "pending": "201",
    "expire": "407",
    "deny": "202",
}


def open_charge(
    order_ref: str, amount_idr: Rupiah, method: PaymentMethod, now: datetime
) -> SimulatedCharge:
    """Open a charge."""
    return SimulatedCharge(
        id=order_ref,
        amount_idr=amount_idr,
        transaction_status="pending",
        opened_at=now,
        expires_at=now + CHARGE_LIFETIME,
        method=method,
    )


def current_status(charge: SimulatedCharge, now: datetime) -> str:
    """Return the status at this moment: a pending charge expires by itself."""
    if charge.transaction_status == "pending" and now >= charge.expires_at:
        return "expire"
    return charge.transaction_status


def cancel(charge: SimulatedCharge, now: datetime) -> SimulatedCharge:
    """Cancel a pending charge; any other stays unchanged."""
    if current_status(charge, now) != "pending":
        return charge
    return replace(charge, transaction_status="cancel")


def execute(charge: SimulatedCharge, command: Command, now: datetime) -> SimulatedCharge:
    """Apply a command to the charge. Raises ChargeRefused when it cannot be paid."""
    if command in {Command.PAY, Command.PAY_WITHOUT_NOTICE}:
        status = current_status(charge, now)
        if status not in {"pending", "settlement"}:
            raise ChargeRefused(transaction_status=status)
        return replace(charge, transaction_status="settlement")
    if command is Command.PAY_LATE:
        return replace(charge, transaction_status="settlement")
    if command is Command.DENY:
        return replace(charge, transaction_status="deny")
    if command is Command.REFUND_PART:
        part = Rupiah(charge.unrefunded_idr // 3)
        return refund(charge, f"part-{len(charge.refunds) + 1}", part)
    if command is Command.REFUND:
        return refund(charge, f"rest-{len(charge.refunds) + 1}", charge.unrefunded_idr)
    return charge


def refund(charge: SimulatedCharge, key: str, amount_idr: Rupiah) -> SimulatedCharge:
    """Refund a part of a paid charge, once per key. Raises ChargeRefused."""
    if any(earlier.key == key for earlier in charge.refunds):
        return charge
    is_paid = charge.transaction_status in {"settlement", "partial_refund"}
    if not is_paid or not 0 < amount_idr <= charge.unrefunded_idr:
        raise ChargeRefused(transaction_status=charge.transaction_status)
    refunds = (*charge.refunds, SimulatedRefund(key=key, amount_idr=amount_idr))
    after = replace(charge, refunds=refunds)
    status = "partial_refund" if after.unrefunded_idr else "refund"
    return replace(after, transaction_status=status)


def build_notifications(
    charge: SimulatedCharge, command: Command, key: str, now: datetime
) -> list[bytes]:
    """Return the notifications that the simulator sends after a command, in their order."""
    status = current_status(charge, now)
    match command:
        case Command.PAY_WITHOUT_NOTICE:
            return []
        case Command.DUPLICATE:
            return [build_notification(charge, status, key)] * 2
        case Command.WRONG_SIGNATURE:
            return [build_notification(charge, "settlement", f"not {key}")]
        case Command.WRONG_AMOUNT:
            underpaid = replace(charge, amount_idr=Rupiah(charge.amount_idr // 10))
            return [build_notification(underpaid, "settlement", key)]
        case Command.CLAIM_REFUND:
            return [build_notification(charge, "refund", key)]
        case _:
            return [build_notification(charge, status, key)]


def build_notification(charge: SimulatedCharge, status: str, key: str) -> bytes:
    """Return one signed notification in the format of Midtrans."""
    status_code = _STATUS_CODES.get(status, "200")
    gross_amount = f"{charge.amount_idr}.00"
    signature = midtrans.compute_signature(charge.id, status_code, gross_amount, key)
    body: dict[str, Any] = {
        "transaction_time": f"{charge.opened_at.astimezone(_PROVIDER_ZONE):%Y-%m-%d %H:%M:%S}",
        "transaction_status": status,
        "transaction_id": charge.txn_id,
        "status_code": status_code,
        "signature_key": signature,
        "payment_type": "qris" if charge.method is PaymentMethod.QRIS else "bank_transfer",
        "order_id": charge.id,
        "merchant_id": MERCHANT,
        "gross_amount": gross_amount,
        "fraud_status": "accept",
        "currency": "IDR",
    }
    if charge.method is PaymentMethod.BANK_TRANSFER:
        body["va_numbers"] = [{"bank": SIMULATED_BANK, "va_number": charge.va_number}]
    if charge.refunds:
        body["refund_amount"] = f"{charge.amount_idr - charge.unrefunded_idr}.00"
        body["refunds"] = [
            {
                "refund_chargeback_id": number,
                "refund_key": entry.key,
                "refund_amount": f"{entry.amount_idr}.00",
            }
            for number, entry in enumerate(charge.refunds, start=1)
        ]
    return json.dumps(body).encode()
