"""Use cases of payments: an observation counts once, and the order follows all of them.

Not here: rules, calls to the provider (payment_process).
"""

from __future__ import annotations

from chassis.persistence.store import Page
from services.marketplace.ledger.usecases import reverse_journals
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import (
    UNPAID_STATES,
    Order,
    OrderId,
    OrderStep,
    order_id_from_ref,
)
from services.marketplace.payments import rules
from services.marketplace.payments.rules import (
    Observation,
    PaymentEffect,
    PaymentEvent,
    PaymentStatus,
)
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_task_once
from services.marketplace.transaction import Transaction


async def find_order(order_ref: str, tx: Transaction) -> Order:
    """Return the order that a payment reference names. Raises PaymentUnknown.

    Unscoped: the provider belongs to no Lapas.
    """
    order = await tx.orders.seek(order_id_from_ref(order_ref), scoped=False)
    return rules.require_order(order)


async def list_payment_events(
    order_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[PaymentEvent]:
    """Return one page of the payment events of an order."""
    return await tx.payment_events.list_page(order_id, cursor, limit)


async def record_observation(
    observation: Observation, merchant: str, tx: Transaction, *, closing_step: OrderStep
) -> Order:
    """Record what a provider reported about a charge; a repeat has no effect.

    An amount, currency or merchant that is not expected pays nothing and raises a task.
    """
    order = await find_order(observation.order_ref, tx)
    if not rules.is_expected_payment(observation, order.total_idr, merchant):
        await _raise_amount_task(observation, order, tx)
        return order
    if await tx.payment_events.seek(observation.event_id, scoped=False) is not None:
        return order
    earlier_events = await tx.payment_events.list_by_order(order.id)
    event = rules.accept(
        observation,
        order_id=order.id,
        facility_id=order.facility_id,
        amount_idr=order.total_idr,
        now=tx.now,
    )
    tx.payment_events.add(event, scoped=False)
    tx.orders.hold(order)  # two concurrent observations must see each other
    status_before = rules.derive_status(earlier_events)
    status = rules.derive_status([*earlier_events, event])
    if rules.is_same_outcome(status_before, status):
        return order
    return await _apply_status(order, status, closing_step, tx)


async def note_refused_notification(provider: str, reason: str, tx: Transaction) -> None:
    """Write an audit row about a notification that was malformed or forged."""
    tx.note("payments.notification_refused", provider, reason=reason)


async def note_denied_notification(
    claimed: Observation, confirmed: Observation | None, tx: Transaction
) -> None:
    """Write an audit row about a notification that the provider denies when queried."""
    tx.note(
        "payments.notification_denied",
        claimed.order_ref,
        claimed=claimed.status,
        found=confirmed.status if confirmed else "unknown",
    )


async def close_uncharged_order(order_id: OrderId, step: OrderStep, tx: Transaction) -> Order:
    """Close an unpaid order of which the provider knows no charge."""
    order = await tx.orders.get(order_id, scoped=False)
    if order.state not in UNPAID_STATES:
        return order
    return await orders.close_unpaid_order(order, step, tx)


async def _apply_status(
    order: Order, status: PaymentStatus, closing_step: OrderStep, tx: Transaction
) -> Order:
    effect = rules.decide_effect(status, order.state)
    match effect:
        case PaymentEffect.PAY:
            return await orders.record_payment(order, tx)
        case PaymentEffect.CLOSE:
            return await orders.close_unpaid_order(order, closing_step, tx)
        case PaymentEffect.REVERSE:
            return await orders.reverse_payment(order, tx)
        case PaymentEffect.SETTLE_REFUND:
            await reverse_journals(order.id, zone=order.zone, tx=tx)
            await _raise_money_moved_task(status, order, tx)
        case PaymentEffect.ASK_OFFICER:
            await _raise_money_moved_task(status, order, tx)
        case PaymentEffect.NONE:
            pass
    return order


async def _raise_money_moved_task(status: PaymentStatus, order: Order, tx: Transaction) -> None:
    await raise_task_once(
        TaskKind.MONEY_MOVED,
        f"{order.id}/{status}",
        facility_id=order.facility_id,
        subject=order.id,
        facts={"status": status.value, "order_ref": order.order_ref},
        tx=tx,
    )


async def _raise_amount_task(observation: Observation, order: Order, tx: Transaction) -> None:
    reported_idr = "bukan rupiah bulat"
    if observation.amount_idr is not None:
        reported_idr = str(observation.amount_idr)
    facts = {
        "order_ref": observation.order_ref,
        "expected_idr": str(order.total_idr),
        "reported_idr": reported_idr,
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
