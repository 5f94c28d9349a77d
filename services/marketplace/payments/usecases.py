"""What happens: an observation of a payment is accepted once, and the order follows the fold of all of them."""

from __future__ import annotations

from services.marketplace.ledger.usecases import reverse_journals
from services.marketplace.orders import rules as orders_rules
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import (
    PAID_UNSHIPPED_STATES,
    SHIPPED_STATES,
    UNPAID_STATES,
    Order,
    OrderId,
    OrderStep,
    OrderUnknown,
)
from services.marketplace.payments import rules
from services.marketplace.payments.rules import (
    CLOSING_STATUSES,
    MANUAL_STATUSES,
    REVERSAL_STATUSES,
    Observation,
    PaymentStatus,
    PaymentUnknown,
)
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_task_once
from services.marketplace.transaction import Transaction


async def find_order(order_ref: str, tx: Transaction) -> Order:
    """The order that a payment reference speaks of; unscoped, because the gateway belongs to no Lapas. PaymentUnknown when there is none."""
    try:
        return await tx.orders.get(orders_rules.order_id_from_ref(order_ref), scoped=False)
    except OrderUnknown:
        raise PaymentUnknown from None


async def record_observation(
    observation: Observation,
    merchant: str,
    tx: Transaction,
    *,
    closing_step: OrderStep = OrderStep.EXPIRE,
) -> Order:
    """Accept what a gateway said. A repeat has no effect; a sum, currency or merchant that is not ours pays nothing and asks an officer."""
    order = await find_order(observation.order_ref, tx)
    if not rules.is_expected_payment(observation, order.total_idr, merchant):
        await _raise_amount_task(observation, order, tx)
        return order
    if await tx.payment_events.seek(observation.event_id, scoped=False) is not None:
        return order
    before = await tx.payment_events.list_by_order(order.id)
    event = rules.accept(
        observation,
        order_id=order.id,
        facility_id=order.facility_id,
        amount_idr=order.total_idr,
        now=tx.now,
    )
    tx.payment_events.add(event, scoped=False)
    tx.orders.hold(order)  # two observations at once must see one another
    was, stands = rules.derive_status(before), rules.derive_status([*before, event])
    same = stands is was or {stands, was} <= REVERSAL_STATUSES
    return order if same else await _apply_status(order, stands, closing_step, tx)


async def note_refused_notification(provider: str, reason: str, tx: Transaction) -> None:
    """Leave an audit row of a notification that was not believed."""
    tx.note("payments.notification_refused", provider, reason=reason)


async def note_denied_notification(
    claimed: Observation, confirmed: Observation | None, tx: Transaction
) -> None:
    """Leave an audit row of a notification that its own gateway denies."""
    tx.note(
        "payments.notification_denied",
        claimed.order_ref,
        claimed=claimed.status,
        found=confirmed.status if confirmed else "unknown",
    )


async def close_uncharged_order(order_id: OrderId, step: OrderStep, tx: Transaction) -> Order:
    """Close an unpaid order of which the gateway knows nothing."""
    order = await tx.orders.get(order_id, scoped=False)
    return (
        await orders.close_unpaid_order(order, step, tx) if order.state in UNPAID_STATES else order
    )


async def _apply_status(
    order: Order, status: PaymentStatus, closing_step: OrderStep, tx: Transaction
) -> Order:
    if status is PaymentStatus.SETTLED:
        return await orders.record_payment(order, tx)
    if status in CLOSING_STATUSES | REVERSAL_STATUSES and order.state in UNPAID_STATES:
        return await orders.close_unpaid_order(order, closing_step, tx)
    if status in REVERSAL_STATUSES and order.state in PAID_UNSHIPPED_STATES | SHIPPED_STATES:
        return await orders.reverse_payment(order, tx)
    if status in REVERSAL_STATUSES:
        await reverse_journals(order.id, zone=order.zone, tx=tx)  # what was owed back has gone back
    if status in REVERSAL_STATUSES | MANUAL_STATUSES:
        facts = {"status": status.value, "order_ref": order.order_ref}
        await raise_task_once(
            TaskKind.MONEY_MOVED,
            f"{order.id}/{status}",
            facility_id=order.facility_id,
            subject=order.id,
            facts=facts,
            tx=tx,
        )
    return order


async def _raise_amount_task(observation: Observation, order: Order, tx: Transaction) -> None:
    facts = {
        "order_ref": observation.order_ref,
        "expected_idr": str(order.total_idr),
        "reported_idr": str(observation.amount_idr)
        if observation.amount_idr is not None
        else "bukan rupiah bulat",
        "currency": observation.currency,
        "status": observation.status.value,
    }
    await raise_task_once(
        TaskKind.AMOUNT_MISMATCH,
        observation.raw_hash,
        facility_id=order.facility_id,
        subject=order.id,
        facts=facts,
        tx=tx,
    )
