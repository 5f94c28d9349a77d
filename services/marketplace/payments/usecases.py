"""Use cases of payments: an observation counts once, and the order follows all of them.

Not here: rules, calls to the provider (payment_process).
"""

from __future__ import annotations

from chassis.persistence.store import Page
from services.marketplace.orders import attempts
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import (
    Order,
    OrderId,
    PaymentMethod,
    order_id_from_ref,
)
from services.marketplace.orders.transitions import UNPAID_STATES, OrderState, OrderStep
from services.marketplace.payments import rules
from services.marketplace.payments.rules import (
    CLOSING_STATUSES,
    RETURNED_STATUSES,
    MoneyState,
    Observation,
    PaymentEffect,
    PaymentEvent,
)
from services.marketplace.refunds.usecases import owe_back, record_return, seek_refund
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_task_once
from services.marketplace.transaction import Transaction


async def find_order(order_ref: str, tx: Transaction) -> Order:
    """Return the order that a payment reference names. Raises PaymentUnknown.

    Unscoped: the provider belongs to no Lapas.
    """
    order = await tx.orders.seek(order_id_from_ref(order_ref), scoped=False)
    return rules.require_order(order, order_ref)


async def list_payment_events(
    order_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[PaymentEvent]:
    """Return one page of the payment events of an order."""
    return await tx.payment_events.list_page(order_id, cursor, limit)


async def count_events(order_id: str, tx: Transaction) -> int:
    """Return how many payment events an order has."""
    return len(await tx.payment_events.list_by_order(order_id))


async def record_observation(
    observation: Observation, merchant: str, tx: Transaction, *, known_events: int | None = None
) -> Order | None:
    """Record what a provider reported about a charge; a repeat has no effect.

    An amount, currency or merchant that is not expected pays nothing and raises a task.
    Returns None, and records nothing, when the order has not `known_events` any more: the answer
    of the provider may be older than they are.
    """
    order = await find_order(observation.order_ref, tx)
    if not rules.is_expected_payment(observation, order.total_idr, merchant):
        await _raise_amount_task(observation, order, tx)
        return order
    known = await tx.payment_events.list_by_order(order.id)
    if known_events is not None and len(known) != known_events:
        return None
    events = rules.accept(observation, known, order=order, now=tx.now)
    if events:
        tx.orders.hold(order)  # two concurrent observations must see each other
    for event in events:
        tx.payment_events.add(event, scoped=False)
        order = await _apply(event, known, order, tx)
        known.append(event)
    return order


async def record_final(
    observation: Observation, merchant: str, step: OrderStep, tx: Transaction
) -> Order:
    """Record that a charge is paid or closed; close an order that it leaves unpaid.

    A closed charge closes its order whatever amount it names.
    """
    order = await find_order(observation.order_ref, tx)
    if observation.status in CLOSING_STATUSES and order.state in UNPAID_STATES:
        order = await orders.close_unpaid_order(order, step, tx)
    recorded = await record_observation(observation, merchant, tx) or order
    if recorded.state in UNPAID_STATES and observation.status in RETURNED_STATUSES:
        return await orders.close_unpaid_order(recorded, step, tx)
    return recorded


async def replace_attempt(
    order_id: OrderId,
    observation: Observation | None,
    method: PaymentMethod,
    merchant: str,
    tx: Transaction,
) -> Order:
    """Start the next attempt of an order whose current charge the provider reports as closed.

    A paid charge pays the order; an open one stays the current attempt.
    """
    order = await tx.orders.get(order_id, scoped=False)
    if observation is not None and order.is_replacing:
        order = await record_observation(observation, merchant, tx) or order
    if not order.is_replacing or order.state is not OrderState.AWAITING_PAYMENT:
        return order
    if observation is None or observation.status in CLOSING_STATUSES:
        return tx.orders.save(order, attempts.start_next_attempt(order, method))
    return tx.orders.save(order, attempts.keep_attempt(order))


async def note_refused_notification(provider: str, reason: str, tx: Transaction) -> None:
    """Write an audit row about a refused notification, once a minute for each reason."""
    refused = rules.refused_in_minute(provider, reason, tx.now)
    if await tx.refused_notifications.seek(refused.id) is not None:
        return
    tx.refused_notifications.add(refused)
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


async def _apply(
    event: PaymentEvent, known: list[PaymentEvent], order: Order, tx: Transaction
) -> Order:
    """Apply one new event; `known` are the events of the order before it."""
    of_txn = [other for other in known if other.payment.key == event.payment.key]
    before = rules.derive_status(of_txn)
    refund = await seek_refund(event.provider, event.txn_id, tx)
    money = MoneyState.UNBOOKED if refund is None else MoneyState.OWED
    if order.paid_by == event.payment.key:
        money = MoneyState.PAYING
    for effect in rules.decide_effects(event, before, money, order):
        match effect:
            case PaymentEffect.CLOSE:
                order = await orders.close_unpaid_order(order, OrderStep.EXPIRE, tx)
            case PaymentEffect.RECEIVE:
                order = await orders.record_payment(order, event.payment, tx)
            case PaymentEffect.REVERSE:
                order = await orders.reverse_payment(order, tx)
            case PaymentEffect.OWE:
                refund = await owe_back(
                    event.payment,
                    order_id=order.id,
                    facility_id=order.facility_id,
                    zone=order.zone,
                    tx=tx,
                )
            case PaymentEffect.RETURN if refund is not None:
                await record_return(refund, event.refunded_idr, event.id, tx)
            case _:
                await _raise_money_moved_task(event, order, tx)
    return order


async def _raise_money_moved_task(event: PaymentEvent, order: Order, tx: Transaction) -> None:
    facts = {"status": event.status.value, "order_ref": event.order_ref}
    if event.refunded_idr is not None:
        facts["refunded_idr"] = str(event.refunded_idr)
    await raise_task_once(
        TaskKind.MONEY_MOVED,
        event.id,
        facility_id=order.facility_id,
        subject=order.id,
        facts=facts,
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
