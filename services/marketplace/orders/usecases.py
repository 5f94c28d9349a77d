"""What happens: orders are placed, paid, closed, handed over and reversed, each with its stock, journals and events in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.marketplace.batches.rules import sum_weights_by_survivor
from services.marketplace.carts import rules as carts
from services.marketplace.carts.rules import CartId
from services.marketplace.ledger.rules import (
    BUYER_RECEIVABLE,
    PROVIDER_RECEIVABLE,
    Journal,
    credit,
    debit,
    refund_payable,
)
from services.marketplace.ledger.usecases import post_journal, reverse_journals
from services.marketplace.orders import rules
from services.marketplace.orders.rules import (
    PAID_UNSHIPPED_STATES,
    UNPAID_STATES,
    Contact,
    NotDividedYet,
    Order,
    OrderId,
    OrderLine,
    OrderState,
    OrderStep,
)
from services.marketplace.payments.rules import Charge
from services.marketplace.policies.rules import select_policy
from services.marketplace.proceeds import rules as proceeds
from services.marketplace.proceeds.rules import BatchContribution, Division
from services.marketplace.stock import usecases as stock
from services.marketplace.stock.rules import (
    HeldStock,
    ReservationState,
    cost_of,
    home_location,
    stock_id,
)
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_task_once
from services.marketplace.transaction import Transaction
from services.marketplace.zones import local_day

_RESERVATION_STATE_BY_STEP = {
    OrderStep.EXPIRE: ReservationState.EXPIRED,
    OrderStep.CANCEL: ReservationState.RELEASED,
}


async def place_order(
    cart_id: CartId,
    order_id: OrderId,
    token: str,
    contact: Contact,
    ttl: timedelta,
    tx: Transaction,
) -> Order:
    """Turn a cart into an order: goods reserved; price, cost, batches and policy frozen. The cart is gone afterwards, so it is ordered once.

    Prices and policies are read, not held: an order placed at the moment of their change stands before it, and no command reads orders to change them.
    """
    cart = await tx.carts.get(cart_id)
    products = await tx.products.get_by_sku(line.sku for line in cart.lines)
    carts.require_current(cart, products, tx.now)
    policies = await tx.policies.list_ever_active(cart.facility_id)
    zone, location = next(iter(products.values())).zone, home_location(cart.facility_id)
    lines: list[OrderLine] = []
    for number, line in enumerate(cart.lines, start=1):
        product = products[line.sku]
        policy = select_policy(
            policies,
            workshop_id=product.workshop_id,
            product_class=product.product_class,
            day=local_day(tx.now, zone),
        )
        lines.append(
            OrderLine(
                number=number,
                sku=line.sku,
                product_id=product.id,
                title=product.title,
                workshop_id=product.workshop_id,
                product_class=product.product_class,
                qty=line.qty,
                unit_price_idr=line.price_idr,
                portions=(),
                terms=policy.terms,
            )
        )
    quantities = {
        stock_id(sku, location): qty for sku, qty in carts.quantities_by_sku(cart).items()
    }
    reservation = await stock.reserve(order_id, cart.facility_id, quantities, tx.now + ttl, tx)
    order = Order(
        id=order_id,
        facility_id=cart.facility_id,
        zone=zone,
        location=location,
        buyer_ref="" if tx.caller.role == "public" else tx.caller.subject,
        token=token,
        contact=contact,
        lines=rules.assign_portions(lines, _portions_by_sku(reservation.goods)),
        placed_at=tx.now,
        expires_at=reservation.expires_at,
    )
    tx.carts.remove(cart)
    return tx.orders.add(order, scoped=False)


async def record_charge(
    order_id: OrderId, charge: Charge, grace: timedelta, tx: Transaction
) -> Order:
    """Write down the charge that was opened for an order; one that got it before is left as it is."""
    before = await tx.orders.get(order_id, scoped=False)
    if before.state is not OrderState.PLACED:
        return before
    after = rules.request_payment(before, charge, grace)
    await stock.extend_reservation(order_id, after.expires_at, tx)
    return tx.orders.save(before, after)


async def record_payment(order: Order, tx: Transaction) -> Order:
    """The money of an order came in: goods, journals and events follow. Too late and without goods, or after a cancellation, it is owed back."""
    reservation = await tx.reservations.get(order.id, scoped=False)
    payable = order
    if order.state in UNPAID_STATES:
        await stock.consume_reservation(reservation, tx)
    else:
        quantities = {held.stock_id: held.qty for held in reservation.goods}
        late = (
            await stock.allocate_late(order.id, quantities, tx)
            if order.state is OrderState.EXPIRED
            else None
        )
        if late is None:
            return await _post_refund_owed(order, tx)
        payable = rules.replace_goods(order, _portions_by_sku(late))
    divisions = [await _divide_line(line, tx) for line in payable.lines]
    paid, events = rules.pay(payable, divisions, tx.now)
    for line, division in zip(paid.lines, divisions, strict=True):
        await _post_sale(paid, line, division, tx)
    return tx.orders.save(order, paid, events)


async def close_unpaid_order(order: Order, step: OrderStep, tx: Transaction) -> Order:
    """An unpaid order expires or is cancelled: its goods are for others."""
    after = rules.take_step(order, step)
    await stock.release_reservation(order.id, _RESERVATION_STATE_BY_STEP[step], tx)
    return tx.orders.save(order, after)


async def reverse_payment(order: Order, tx: Transaction) -> Order:
    """The gateway took a paid order's money back: every journal is undone. Goods still here are for others; for goods that have left, the buyer owes what the gateway owed."""
    undone = await reverse_journals(order.id, zone=order.zone, tx=tx)
    if order.state in PAID_UNSHIPPED_STATES:
        await stock.unallocate(order.id, rules.goods_by_stock(order), tx)
        return tx.orders.save(order, rules.take_step(order, OrderStep.REVERSE))
    for journal in undone:
        await _post_buyer_debt(journal, order, tx)
    await raise_task_once(
        TaskKind.REVERSED_AFTER_SHIPPING,
        order.id,
        facility_id=order.facility_id,
        subject=order.id,
        facts={"state": order.state.value},
        tx=tx,
    )
    return order


async def advance(
    order_id: OrderId, step: OrderStep, if_match: int | None, tx: Transaction
) -> Order:
    """An officer packs, ships, hands over or completes an order; its goods leave the stock when it ships."""
    before = await tx.orders.get(order_id, if_match=if_match)
    after = rules.take_step(before, step)
    if step is OrderStep.SHIP:
        await stock.ship(order_id, rules.goods_by_stock(before), tx)
    return tx.orders.save(before, after)


async def read_split(order_id: str, token: str, tx: Transaction) -> tuple[Order, dict[str, int]]:
    """How an order was divided, by the books; only for whoever holds its token."""
    order = await tx.orders.get_by_token(order_id, token)
    journals = await tx.journals.list_by_source(order.id)
    if order.paid_at is None:
        raise NotDividedYet
    return order, dict(proceeds.sum_by_party(journals))


async def _divide_line(line: OrderLine, tx: Transaction) -> Division:
    batches = await tx.batches.many((portion.batch_id for portion in line.portions), scoped=False)
    people = {weight.participant_ref for batch in batches.values() for weight in batch.weights}
    await tx.resolve_many(people)
    survivors = {person: await tx.resolve(person) for person in people}
    pieces: dict[str, int] = {}
    for portion in line.portions:
        pieces[portion.batch_id] = pieces.get(portion.batch_id, 0) + portion.qty
    made = [
        BatchContribution(
            batch_id=batch_id,
            qty=qty,
            units_by_participant=sum_weights_by_survivor(batches[batch_id].weights, survivors),
        )
        for batch_id, qty in pieces.items()
    ]
    return proceeds.divide(line.total_idr, cost_of(line.portions), line.terms, made)


async def _post_sale(order: Order, line: OrderLine, division: Division, tx: Transaction) -> None:
    of, policy = f"{order.id}:{line.number}", line.terms.policy_id
    legs = proceeds.sale_legs(line.total_idr, division)
    await post_journal(
        f"sale:{of}",
        legs,
        facility_id=order.facility_id,
        zone=order.zone,
        source=order.id,
        policy_id=policy,
        tx=tx,
    )
    if division.shortfall:
        legs = proceeds.shortfall_legs(division.shortfall)
        await post_journal(
            f"loss:{of}",
            legs,
            facility_id=order.facility_id,
            zone=order.zone,
            source=order.id,
            policy_id=policy,
            tx=tx,
        )


async def _post_refund_owed(order: Order, tx: Transaction) -> Order:
    legs = (
        debit(PROVIDER_RECEIVABLE, order.total_idr),
        credit(refund_payable(order.id), order.total_idr),
    )
    await post_journal(
        f"received:{order.id}",
        legs,
        facility_id=order.facility_id,
        zone=order.zone,
        source=order.id,
        tx=tx,
    )
    facts = {"state": order.state.value, "amount_idr": str(order.total_idr)}
    await raise_task_once(
        TaskKind.RECEIVED_LATE,
        order.id,
        facility_id=order.facility_id,
        subject=order.id,
        facts=facts,
        tx=tx,
    )
    return order


async def _post_buyer_debt(journal: Journal, order: Order, tx: Transaction) -> None:
    legs = tuple(
        debit(BUYER_RECEIVABLE, leg.amount_idr) if leg.account == PROVIDER_RECEIVABLE else leg
        for leg in journal.legs
    )
    key = f"receivable:{journal.id}"
    await post_journal(
        key,
        legs,
        facility_id=order.facility_id,
        zone=order.zone,
        source=order.id,
        policy_id=journal.policy_id,
        tx=tx,
    )


def _portions_by_sku(held: Sequence[HeldStock]) -> dict[str, tuple[rules.Portion, ...]]:
    return {part.stock_id.partition("@")[0]: part.portions for part in held}
