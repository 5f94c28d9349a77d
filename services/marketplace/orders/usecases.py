"""Use cases of orders: place, pay, close, advance, reverse.

Each changes stock, journals and events in the same transaction.
Not here: rules, and what a payment provider reports (payments).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from chassis.persistence.store import Page
from services.marketplace.batches.rules import sum_weights_by_survivor
from services.marketplace.buyers import usecases as buyers
from services.marketplace.buyers.rules import UnpaidOrder, contact_ids
from services.marketplace.carts import rules as carts
from services.marketplace.carts.rules import CartId
from services.marketplace.ledger.rules import (
    BUYER_RECEIVABLE,
    PROVIDER_RECEIVABLE,
    Journal,
    Leg,
    debit,
)
from services.marketplace.ledger.usecases import post_journal, reverse_journals
from services.marketplace.orders import attempts, rules
from services.marketplace.orders.rules import (
    Charge,
    Contact,
    Order,
    OrderId,
    OrderLine,
    PaymentMethod,
)
from services.marketplace.orders.transitions import (
    PAID_UNSHIPPED_STATES,
    RESERVATION_STATE_BY_STEP,
    UNPAID_STATES,
    OrderState,
    OrderStep,
)
from services.marketplace.proceeds import rules as proceeds
from services.marketplace.proceeds.rules import BatchContribution, Division
from services.marketplace.refunds.rules import ReceivedPayment
from services.marketplace.refunds.usecases import owe_back
from services.marketplace.stock import usecases as stock
from services.marketplace.stock.rules import contention_key, cost_of, home_location, stock_id
from services.marketplace.tasks.rules import TaskKind
from services.marketplace.tasks.usecases import raise_task_once
from services.marketplace.transaction import Transaction
from services.marketplace.zones import local_day


class OrderSplit(NamedTuple):
    """An order, and by party how the books divided its proceeds."""

    order: Order
    amounts_idr: Mapping[str, int]


async def list_contended_stock(cart_id: CartId, tx: Transaction) -> list[str]:
    """Return the contended documents of an order of this cart; empty for an unknown cart."""
    cart = await tx.carts.seek(cart_id)
    if cart is None:
        return []
    location = home_location(cart.facility_id)
    return [contention_key(stock_id(sku, location)) for sku in carts.quantities_by_sku(cart)]


async def place_order(
    cart_id: CartId, order_id: OrderId, token: str, contact: Contact, tx: Transaction
) -> Order:
    """Turn a cart into an order: reserve goods; freeze price, cost, batches and policy.

    The cart is removed, so that it is ordered once. Prices and policies are read, but not held: an
    order that races with a change of them counts as placed before it. No command that changes them
    reads orders.
    """
    rules.require_contact(contact)
    cart = await tx.carts.get(cart_id)
    products = await tx.products.get_by_sku(line.sku for line in cart.lines)
    carts.require_current(cart, products, tx.now)
    policies = await tx.policies.list_ever_active(cart.facility_id)
    zone = next(iter(products.values())).zone
    location = home_location(cart.facility_id)
    lines = rules.freeze_lines(cart, products, policies, local_day(tx.now, zone))
    quantities = {
        stock_id(sku, location): qty for sku, qty in carts.quantities_by_sku(cart).items()
    }
    rules.require_payable_size(lines)
    available = await stock.count_available(quantities, tx)
    reservation = await stock.reserve(
        order_id, cart.facility_id, quantities, tx.now + tx.checkout_hold, tx
    )
    unpaid = UnpaidOrder(order_id=order_id, quantities=quantities)
    await buyers.hold(contact_ids(contact.phone, contact.email), unpaid, available, tx)
    order = Order(
        id=order_id,
        facility_id=cart.facility_id,
        zone=zone,
        location=location,
        buyer_ref="" if tx.caller.role == "public" else tx.caller.subject,
        token=token,
        contact=contact,
        lines=rules.assign_goods(lines, reservation.goods),
        placed_at=tx.now,
        expires_at=reservation.expires_at,
    )
    tx.carts.remove(cart)
    return tx.orders.add(order, scoped=False)


async def list_orders(
    state: OrderState | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Order]:
    """Return one page of orders, in one state or all; the read of contacts is audited."""
    page = await tx.orders.list_page(state, cursor, limit)
    tx.note("orders.read", "", refs=[order.id for order in page.items])
    return page


async def read_order(order_id: OrderId, tx: Transaction) -> Order:
    """Return one order of the caller's Lapas, for a decision of the service."""
    return await tx.orders.get(order_id)


async def read_record(order_id: OrderId, tx: Transaction) -> Order:
    """Return one order for officers; the read of the buyer's contact is audited."""
    order = await tx.orders.get(order_id)
    tx.note("orders.read", order.id)
    return order


async def read_by_token(order_id: OrderId, token: str, tx: Transaction) -> Order:
    """Return the order that this token opens."""
    return await tx.orders.get_by_token(order_id, token)


async def read_split(order_id: OrderId, token: str, tx: Transaction) -> OrderSplit:
    """Return how the books divided an order that this token opens. Raises NotDividedYet."""
    order = await tx.orders.get_by_token(order_id, token)
    rules.require_divided(order)
    journals = await tx.journals.list_by_source(order.id)
    return OrderSplit(order, proceeds.sum_by_party(journals))


async def list_overdue(limit: int, tx: Transaction) -> list[Order]:
    """Return unpaid orders that have expired and are due for an attempt to close them."""
    return await tx.orders.list_overdue(tx.now, limit)


async def list_uncharged(placed_for: timedelta, limit: int, tx: Transaction) -> list[Order]:
    """Return orders that wait for their charge and were placed at least that long ago."""
    return await tx.orders.list_uncharged(tx.now - placed_for, tx.now, limit)


async def postpone(order_id: OrderId, reason: str, tx: Transaction) -> None:
    """Leave an unpaid order alone for a while, because the provider's answer cannot be used.

    An officer gets a task the second time.
    """
    before = await tx.orders.get(order_id, scoped=False)
    if before.state not in UNPAID_STATES:
        return
    after = tx.orders.save(before, attempts.postpone(before, tx.now))
    if attempts.needs_officer(after):
        await raise_task_once(
            TaskKind.CLOSING_FAILED,
            order_id,
            facility_id=after.facility_id,
            subject=order_id,
            facts={"order_ref": after.order_ref, "reason": reason},
            tx=tx,
        )


async def start_attempt(
    order_id: OrderId, token: str, method: PaymentMethod, version: int, tx: Transaction
) -> Order:
    """Start an attempt to pay, for the holder of the token; the goods stay reserved longer."""
    before = await tx.orders.get_by_token(order_id, token, if_match=version)
    after = attempts.start_attempt(before, method, tx.reservation_ttl, tx.now)
    if after == before:
        return before
    await stock.extend_reservation(order_id, after.expires_at, tx)
    return tx.orders.save(before, after)


async def start_cancellation(order_id: OrderId, token: str, version: int, tx: Transaction) -> Order:
    """Return the unpaid order that the holder of its token cancels, at this version."""
    order = await tx.orders.get_by_token(order_id, token, if_match=version)
    rules.require_unpaid(order, OrderStep.CANCEL)
    return order


async def record_charge(order_id: OrderId, charge: Charge, tx: Transaction) -> Order:
    """Record the charge that was opened for an order, unless one is recorded already."""
    before = await tx.orders.get(order_id, scoped=False)
    if before.state is not OrderState.PLACED:
        return before
    after = rules.request_payment(before, charge, tx.payment_grace)
    await stock.extend_reservation(order_id, after.expires_at, tx)
    return tx.orders.save(before, after)


async def record_payment(order: Order, payment: ReceivedPayment, tx: Transaction) -> Order:
    """Record money for an order: allocate goods, post journals, publish the split.

    It is owed back when another transaction has paid the order, and when it comes after a
    cancellation or too late to get the goods.
    """
    if order.paid_by:
        return await _owe_back(TaskKind.RECEIVED_TWICE, order, payment, tx)
    payable = await _allocate_goods(order, tx)
    if payable is None:
        return await _owe_back(TaskKind.RECEIVED_LATE, order, payment, tx)
    divisions = [await _divide_line(line, tx) for line in payable.lines]
    paid, events = rules.pay(payable, divisions, payment.key, tx.now)
    for line, division in zip(paid.lines, divisions, strict=True):
        await _post_sale(paid, line, division, tx)
    await _release_buyer(order, tx)
    return tx.orders.save(order, paid, events)


async def close_unpaid_order(order: Order, step: OrderStep, tx: Transaction) -> Order:
    """Expire or cancel an unpaid order and release its goods."""
    after = rules.take_step(order, step)
    await stock.release_reservation(order.id, RESERVATION_STATE_BY_STEP[step], tx)
    await _release_buyer(order, tx)
    return tx.orders.save(order, after)


async def reverse_payment(order: Order, tx: Transaction) -> Order:
    """Reverse the sale of a paid order whose money the provider took back.

    Goods still in stock become available again. For goods that have left, the buyer owes what the
    provider owed, and the split remains.
    """
    sales = await reverse_journals(order.id, rules.sale_keys(order), zone=order.zone, tx=tx)
    if order.state in PAID_UNSHIPPED_STATES:
        await stock.unallocate(order.id, rules.goods_by_stock(order), tx)
        amounts_by_line = [_amounts_taken_back(sales, order, line) for line in order.lines]
        after, events = rules.reverse(order, amounts_by_line, tx.now)
        return tx.orders.save(order, after, events)
    for journal in sales:
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


async def advance(order_id: OrderId, step: OrderStep, version: int, tx: Transaction) -> Order:
    """Pack, ship, deliver or complete an order; its goods leave the stock when it ships."""
    before = await tx.orders.get(order_id, if_match=version)
    after = rules.take_step(before, step)
    if step is OrderStep.SHIP:
        await stock.ship(order_id, rules.goods_by_stock(before), tx)
    return tx.orders.save(before, after)


async def _allocate_goods(order: Order, tx: Transaction) -> Order | None:
    """Allocate the goods of an order that is being paid; None when it gets none."""
    reservation = await tx.reservations.get(order.id, scoped=False)
    if order.state in UNPAID_STATES:
        await stock.consume_reservation(reservation, tx)
        return order
    if order.state is not OrderState.EXPIRED:
        return None
    quantities = {held.stock_id: held.qty for held in reservation.goods}
    goods = await stock.allocate_late(order.id, quantities, tx)
    return None if goods is None else rules.replace_goods(order, goods)


async def _divide_line(line: OrderLine, tx: Transaction) -> Division:
    pieces_by_batch = rules.count_pieces_by_batch(line)
    batches = await tx.batches.many(pieces_by_batch, scoped=False)
    people = {weight.participant_ref for batch in batches.values() for weight in batch.weights}
    await tx.resolve_many(people)
    survivors = {person: await tx.resolve(person) for person in people}
    contributions = [
        BatchContribution(
            batch_id=batch_id,
            qty=qty,
            units_by_participant=sum_weights_by_survivor(batches[batch_id].weights, survivors),
        )
        for batch_id, qty in pieces_by_batch.items()
    ]
    for worker in (await tx.workers.many(survivors.values(), scoped=False)).values():
        tx.workers.hold(worker)  # a merge moves what is owed to them
    return proceeds.divide(line.total_idr, cost_of(line.portions), line.terms, contributions)


async def _post_sale(order: Order, line: OrderLine, division: Division, tx: Transaction) -> None:
    sale_key, loss_key = rules.line_keys(order, line)
    policy_id = line.terms.policy_id
    sale = proceeds.sale_legs(line.total_idr, division)
    await _post(sale_key, sale, order, tx, policy_id=policy_id)
    if division.shortfall:
        loss = proceeds.shortfall_legs(division.shortfall)
        await _post(loss_key, loss, order, tx, policy_id=policy_id)


def _amounts_taken_back(
    journals: list[Journal], order: Order, line: OrderLine
) -> Mapping[str, int]:
    keys = rules.line_keys(order, line)
    return proceeds.sum_by_party(journal for journal in journals if journal.id in keys)


async def _release_buyer(order: Order, tx: Transaction) -> None:
    """Forget what the contact of an order held, when the order is paid or closed."""
    await buyers.release(contact_ids(order.contact.phone, order.contact.email), order.id, tx)


async def _owe_back(
    kind: TaskKind, order: Order, payment: ReceivedPayment, tx: Transaction
) -> Order:
    """Book a payment that bought nothing as owed back, and raise a task about it."""
    facility_id = order.facility_id
    await owe_back(payment, order_id=order.id, facility_id=facility_id, zone=order.zone, tx=tx)
    await raise_task_once(
        kind,
        f"{order.id}/{payment.txn_id}",
        facility_id=facility_id,
        subject=order.id,
        facts={
            "state": order.state.value,
            "order_ref": payment.order_ref,
            "amount_idr": str(payment.amount_idr),
        },
        tx=tx,
    )
    return order


async def _post_buyer_debt(journal: Journal, order: Order, tx: Transaction) -> None:
    """Post a sale again, with the buyer as debtor in place of the provider."""
    legs = tuple(
        debit(BUYER_RECEIVABLE, leg.amount_idr) if leg.account == PROVIDER_RECEIVABLE else leg
        for leg in journal.legs
    )
    await _post(f"receivable:{journal.id}", legs, order, tx, policy_id=journal.policy_id)


async def _post(
    key: str, legs: tuple[Leg, ...], order: Order, tx: Transaction, *, policy_id: str = ""
) -> None:
    await post_journal(
        key,
        legs,
        facility_id=order.facility_id,
        zone=order.zone,
        source=order.id,
        policy_id=policy_id,
        tx=tx,
    )
