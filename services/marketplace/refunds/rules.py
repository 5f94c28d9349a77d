"""Rules of money that bought nothing and is owed back to its buyer: it came late or twice.

One document is one received transaction. Its refund has one key, so that a repeated request refunds
once.
Not here: refunds of a divided sale, which an officer settles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import NotFound
from chassis.ids import named_id
from services.marketplace.money import Rupiah
from services.marketplace.settings import TEXTS

REFUND_AFTER = timedelta(minutes=10)
"""A provider may deny a settled payment within 1 to 5 minutes; a refund waits for longer."""


class RefundUnknown(NotFound):
    title = TEXTS["errors.refund_unknown"]


class RefundState(StrEnum):
    OWED = "owed"
    RETURNED = "returned"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPayment:
    """One transaction in which a provider received money for an order."""

    provider: str
    txn_id: str
    order_ref: str
    amount_idr: Rupiah

    @property
    def key(self) -> str:
        """The transaction, named with its provider."""
        return f"{self.provider}/{self.txn_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedRefund:
    """Money of one transaction that is owed back; its id is the refund key at the provider."""

    id: str
    order_id: str
    facility_id: str
    zone: str
    payment: ReceivedPayment
    owed_at: datetime
    returned_idr: int = 0
    state: RefundState = RefundState.OWED
    version: int = 0

    @property
    def remaining_idr(self) -> Rupiah:
        """What is still owed."""
        return Rupiah(self.payment.amount_idr - self.returned_idr)


def refund_id(provider: str, txn_id: str) -> str:
    """Return the id of the refund of a transaction."""
    return named_id("refund", f"{provider}/{txn_id}")


def owe(
    payment: ReceivedPayment, *, order_id: str, facility_id: str, zone: str, now: datetime
) -> OwedRefund:
    """Return the refund of a payment that bought nothing."""
    return OwedRefund(
        id=refund_id(payment.provider, payment.txn_id),
        order_id=order_id,
        facility_id=facility_id,
        zone=zone,
        payment=payment,
        owed_at=now,
    )


def return_amount(refund: OwedRefund, amount_idr: Rupiah | None) -> tuple[OwedRefund, Rupiah]:
    """Return the refund after the provider gave money back, and how much of it was owed.

    Without an amount everything that remains was given back. More than what remains is not owed.
    """
    returned = refund.remaining_idr
    if amount_idr is not None:
        returned = min(amount_idr, refund.remaining_idr)
    after = replace(refund, returned_idr=refund.returned_idr + returned)
    if after.remaining_idr == 0:
        after = replace(after, state=RefundState.RETURNED)
    return after, Rupiah(returned)


def refuse(refund: OwedRefund) -> OwedRefund:
    """Record that the provider refuses the refund: an officer returns the money another way."""
    return replace(refund, state=RefundState.REFUSED)
