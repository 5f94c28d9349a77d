"""What we say to a payment gateway and hear from it, outside transactions: charges opened, notifications heard, unpaid orders closed. Not here: what follows inside one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from chassis.persistence.transactions import Runner
from services.marketplace.orders import rules as orders_rules
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import UNPAID, Order, State, Step
from services.marketplace.payments import usecases
from services.marketplace.payments.provider import PaymentGateway
from services.marketplace.payments.rules import (
    UNCONFIRMED,
    ChargeRefused,
    GatewayUnreachable,
    NotificationContradictory,
    NotificationForged,
    NotificationMalformed,
    Observation,
    PaymentUnknown,
    ProviderUnknown,
    is_ours,
)
from services.marketplace.transaction import Transaction, plainly

GatewayFor = Callable[[Runner[Transaction]], PaymentGateway]
MANY = 50
UNCHARGED_AFTER = timedelta(seconds=5)


def stock_keys(order: Order) -> list[str]:
    """The contended documents of what happens to an order's goods."""
    return [f"stock/{held.stock_id}" for held in orders_rules.goods(order)]


async def open_charge(
    order: Order, grace: timedelta, gateway: PaymentGateway, run: Runner[Transaction]
) -> Order:
    """Open the charge of a placed order and write it down; safe to repeat."""
    if order.state is not State.PLACED:
        return order
    charge = await gateway.charge(order.order_ref, order.total_idr)
    return await plainly(run)(partial(orders.request_payment, order.id, charge, grace))


async def hear(
    provider: str,
    headers: Mapping[str, str],
    body: bytes,
    gateway: PaymentGateway,
    run: Runner[Transaction],
) -> Order:
    """A notification came. Signature, then order, then amount; what moves money or stock counts only as the gateway itself confirms it when asked."""
    if provider != gateway.provider:
        raise ProviderUnknown
    try:
        said = gateway.verify(headers, body)
    except (NotificationForged, NotificationMalformed, NotificationContradictory) as error:
        await run(partial(usecases.refuse, provider, error.code))
        raise
    order = await run(partial(usecases.find, said.order_ref))
    if said.status not in UNCONFIRMED and is_ours(said, order.total_idr, gateway.merchant):
        asked = await gateway.fetch_status(said.order_ref)
        if asked is None or asked.status is not said.status:
            await run(partial(usecases.doubt, said, asked))
        if asked is None:
            raise PaymentUnknown
        said = asked
    return await _observe(said, order, gateway, run)


async def close_unpaid(
    order: Order, how: Step, gateway: PaymentGateway, run: Runner[Transaction]
) -> Order:
    """Close an unpaid order, but ask the gateway first: a paid one is paid, an open charge is cancelled there. ChargeRefused when it can be neither."""
    if order.state not in UNPAID:
        raise orders_rules.REFUSAL[how](state=order.state)
    said = await gateway.fetch_status(order.order_ref)
    if said is not None and said.status in UNCONFIRMED:
        said = await gateway.cancel(order.order_ref)
    if said is None:
        return await run(
            partial(usecases.close, orders_rules.OrderId(order.id), how),
            contended=stock_keys(order),
        )
    if said.status in UNCONFIRMED:
        raise ChargeRefused
    return await _observe(said, order, gateway, run, closes_as=how)


async def close_overdue(gateway_for: GatewayFor, run: Runner[Transaction]) -> bool:
    """Expire the orders whose time is over; True when there may be more. While the gateway is away nothing expires."""
    gateway, overdue = gateway_for(run), await run(_overdue)
    closed = 0
    for order in overdue:
        try:
            closed += (await close_unpaid(order, Step.EXPIRE, gateway, run)).state not in UNPAID
        except ChargeRefused:
            continue  # authorised and not yet settled: it comes again
        except GatewayUnreachable:
            return False
    return closed > 0 and len(overdue) == MANY


async def open_charges(gateway_for: GatewayFor, grace: timedelta, run: Runner[Transaction]) -> bool:
    """Open the charges that checkout could not open; nothing while the gateway is away."""
    gateway, placed = gateway_for(run), await run(_uncharged)
    for order in placed:
        try:
            await open_charge(order, grace, gateway, run)
        except GatewayUnreachable:
            return False
    return len(placed) == MANY


async def _observe(
    said: Observation,
    order: Order,
    gateway: PaymentGateway,
    run: Runner[Transaction],
    closes_as: Step = Step.EXPIRE,
) -> Order:
    contended = [] if said.status in UNCONFIRMED else stock_keys(order)
    return await run(
        partial(usecases.observe, said, gateway.merchant, closes_as=closes_as), contended=contended
    )


async def _overdue(tx: Transaction) -> list[Order]:
    return await tx.orders.overdue(tx.now, MANY)


async def _uncharged(tx: Transaction) -> list[Order]:
    return await tx.orders.uncharged(tx.now - UNCHARGED_AFTER, tx.now, MANY)
