"""Use cases of money that is owed back: book it, book its return.

Not here: rules, calls to the provider (payments).
"""

from __future__ import annotations

from services.marketplace.ledger.rules import PROVIDER_RECEIVABLE, credit, debit, refund_payable
from services.marketplace.ledger.usecases import post_journal
from services.marketplace.money import Rupiah
from services.marketplace.refunds import rules
from services.marketplace.refunds.rules import (
    REFUND_AFTER,
    OwedRefund,
    ReceivedPayment,
    refund_id,
)
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_task_once
from services.marketplace.transaction import Transaction


async def owe_back(
    payment: ReceivedPayment, *, order_id: str, facility_id: str, zone: str, tx: Transaction
) -> OwedRefund:
    """Book money that bought nothing as owed back to the buyer of an order."""
    refund = rules.owe(payment, order_id=order_id, facility_id=facility_id, zone=zone, now=tx.now)
    await post_journal(
        f"received:{payment.key}",
        (
            debit(PROVIDER_RECEIVABLE, payment.amount_idr),
            credit(refund_payable(order_id), payment.amount_idr),
        ),
        facility_id=facility_id,
        zone=zone,
        source=order_id,
        tx=tx,
    )
    return tx.owed_refunds.add(refund, scoped=False)


async def seek_refund(provider: str, txn_id: str, tx: Transaction) -> OwedRefund | None:
    """Return the refund of a transaction; None when its money is not owed back."""
    return await tx.owed_refunds.seek(refund_id(provider, txn_id), scoped=False)


async def record_return(
    refund: OwedRefund, amount_idr: Rupiah | None, cause_id: str, tx: Transaction
) -> OwedRefund:
    """Book what the provider gave back; None is everything that remains."""
    after, returned = rules.return_amount(refund, amount_idr)
    if returned == 0:
        return refund
    await post_journal(
        f"refund:{cause_id}",
        (
            debit(refund_payable(refund.order_id), returned),
            credit(PROVIDER_RECEIVABLE, returned),
        ),
        facility_id=refund.facility_id,
        zone=refund.zone,
        source=refund.order_id,
        tx=tx,
    )
    return tx.owed_refunds.save(refund, after)


async def list_due(limit: int, tx: Transaction) -> list[OwedRefund]:
    """Return refunds that the provider can be asked for now, oldest first."""
    return await tx.owed_refunds.list_due(tx.now - REFUND_AFTER, limit)


async def record_refusal(id_: str, tx: Transaction) -> None:
    """Record that the provider refuses a refund, and raise a task for an officer."""
    before = await tx.owed_refunds.get(id_, scoped=False)
    after = tx.owed_refunds.save(before, rules.refuse(before))
    await raise_task_once(
        TaskKind.REFUND_REFUSED,
        after.id,
        facility_id=after.facility_id,
        subject=after.order_id,
        facts={
            "order_ref": after.payment.order_ref,
            "amount_idr": str(after.remaining_idr),
        },
        tx=tx,
    )
