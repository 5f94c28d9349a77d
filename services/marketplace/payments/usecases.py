"""What happens: an observation of a payment is accepted once, and the order follows the fold of all of them."""

from __future__ import annotations

from services.marketplace.ledger.usecases import reverse_all
from services.marketplace.orders import rules as orders_rules
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import (
    GONE_GOODS,
    HELD_GOODS,
    UNPAID,
    Order,
    OrderId,
    OrderUnknown,
    Step,
)
from services.marketplace.payments import rules
from services.marketplace.payments.rules import (
    BY_HAND,
    CLOSING,
    TAKEN_BACK,
    Observation,
    PaymentUnknown,
    Status,
)
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_once
from services.marketplace.transaction import Transaction


async def find(order_ref: str, tx: Transaction) -> Order:
    """The order that a payment reference speaks of; unscoped, because the gateway belongs to no Lapas. PaymentUnknown when there is none."""
    try:
        return await tx.orders.get(orders_rules.order_of(order_ref), scoped=False)
    except OrderUnknown:
        raise PaymentUnknown from None


async def observe(
    said: Observation, merchant: str, tx: Transaction, *, closes_as: Step = Step.EXPIRE
) -> Order:
    """Accept what a gateway said. A repeat has no effect; a sum, currency or merchant that is not ours pays nothing and asks an officer."""
    order = await find(said.order_ref, tx)
    if not rules.is_ours(said, order.total_idr, merchant):
        await _ask_about_amount(said, order, tx)
        return order
    if await tx.payment_events.seek(said.event_id, scoped=False) is not None:
        return order
    before = await tx.payment_events.of_order(order.id)
    event = rules.accepted(
        said,
        order_id=order.id,
        facility_id=order.facility_id,
        amount_idr=order.total_idr,
        now=tx.now,
    )
    tx.payment_events.add(event, scoped=False)
    tx.orders.hold(order)  # two observations at once must see one another
    was, stands = rules.fold(before), rules.fold([*before, event])
    same = stands is was or {stands, was} <= TAKEN_BACK
    return order if same else await _follow(order, stands, closes_as, tx)


async def refuse(provider: str, reason: str, tx: Transaction) -> None:
    """Leave an audit row of a notification that was not believed."""
    tx.note("payments.notification_refused", provider, reason=reason)


async def doubt(said: Observation, asked: Observation | None, tx: Transaction) -> None:
    """Leave an audit row of a notification that its own gateway denies."""
    tx.note(
        "payments.notification_denied",
        said.order_ref,
        claimed=said.status,
        found=asked.status if asked else "unknown",
    )


async def close(order_id: OrderId, how: Step, tx: Transaction) -> Order:
    """Close an unpaid order of which the gateway knows nothing."""
    order = await tx.orders.get(order_id, scoped=False)
    return await orders.close(order, how, tx) if order.state in UNPAID else order


async def _follow(order: Order, stands: Status, closes_as: Step, tx: Transaction) -> Order:
    if stands is Status.SETTLED:
        return await orders.settle(order, tx)
    if stands in CLOSING | TAKEN_BACK and order.state in UNPAID:
        return await orders.close(order, closes_as, tx)
    if stands in TAKEN_BACK and order.state in HELD_GOODS | GONE_GOODS:
        return await orders.reverse(order, tx)
    if stands in TAKEN_BACK:
        await reverse_all(order.id, zone=order.zone, tx=tx)  # what was owed back has gone back
    if stands in TAKEN_BACK | BY_HAND:
        facts = {"status": stands.value, "order_ref": order.order_ref}
        await raise_once(
            TaskKind.MONEY_MOVED,
            f"{order.id}/{stands}",
            facility_id=order.facility_id,
            subject=order.id,
            facts=facts,
            tx=tx,
        )
    return order


async def _ask_about_amount(said: Observation, order: Order, tx: Transaction) -> None:
    facts = {
        "order_ref": said.order_ref,
        "expected_idr": str(order.total_idr),
        "reported_idr": str(said.amount_idr)
        if said.amount_idr is not None
        else "bukan rupiah bulat",
        "currency": said.currency,
        "status": said.status.value,
    }
    await raise_once(
        TaskKind.AMOUNT_MISMATCH,
        said.raw_hash,
        facility_id=order.facility_id,
        subject=order.id,
        facts=facts,
        tx=tx,
    )
