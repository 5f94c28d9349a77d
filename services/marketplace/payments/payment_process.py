"""What we say to a payment gateway and hear from it, outside transactions: charges opened, notifications heard, unpaid orders closed. Not here: what follows inside one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from chassis.persistence.transactions import Runner
from services.marketplace.orders import rules as orders_rules
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import UNPAID_STATES, Order, OrderState, OrderStep
from services.marketplace.payments import usecases
from services.marketplace.payments.provider import PaymentProvider
from services.marketplace.payments.rules import (
    UNCONFIRMED_STATUSES,
    ChargeRefused,
    NotificationContradictory,
    NotificationForged,
    NotificationMalformed,
    Observation,
    PaymentProviderUnreachable,
    PaymentUnknown,
    ProviderUnknown,
    is_expected_payment,
)
from services.marketplace.transaction import Transaction, without_idempotency_key

PaymentProviderFactory = Callable[[Runner[Transaction]], PaymentProvider]
MAX_ORDERS_PER_RUN = 50
UNCHARGED_AFTER = timedelta(seconds=5)


def contended_stock(order: Order) -> list[str]:
    """The contended documents of what happens to an order's goods."""
    return [f"stock/{held.stock_id}" for held in orders_rules.goods_by_stock(order)]


async def open_charge(
    order: Order, grace: timedelta, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Order:
    """Open the charge of a placed order and write it down; safe to repeat."""
    if order.state is not OrderState.PLACED:
        return order
    charge = await payment_provider.charge(order.order_ref, order.total_idr)
    return await without_idempotency_key(run)(
        partial(orders.record_charge, order.id, charge, grace)
    )


async def process_notification(
    provider: str,
    headers: Mapping[str, str],
    body: bytes,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
) -> Order:
    """A notification came. Signature, then order, then amount; what moves money or stock counts only as the gateway itself confirms it when asked."""
    if provider != payment_provider.name:
        raise ProviderUnknown
    try:
        said = payment_provider.verify(headers, body)
    except (NotificationForged, NotificationMalformed, NotificationContradictory) as error:
        await run(partial(usecases.note_refused_notification, provider, error.code))
        raise
    order = await run(partial(usecases.find_order, said.order_ref))
    if said.status not in UNCONFIRMED_STATUSES and is_expected_payment(
        said, order.total_idr, payment_provider.merchant
    ):
        asked = await payment_provider.fetch_status(said.order_ref)
        if asked is None or asked.status is not said.status:
            await run(partial(usecases.note_denied_notification, said, asked))
        if asked is None:
            raise PaymentUnknown
        said = asked
    return await _record_observation(said, order, payment_provider, run)


async def close_unpaid(
    order: Order, step: OrderStep, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Order:
    """Close an unpaid order, but ask the gateway first: a paid one is paid, an open charge is cancelled there. ChargeRefused when it can be neither."""
    if order.state not in UNPAID_STATES:
        raise orders_rules.REFUSAL_BY_STEP[step](state=order.state)
    said = await payment_provider.fetch_status(order.order_ref)
    if said is not None and said.status in UNCONFIRMED_STATUSES:
        said = await payment_provider.cancel(order.order_ref)
    if said is None:
        return await run(
            partial(usecases.close_uncharged_order, orders_rules.OrderId(order.id), step),
            contended=contended_stock(order),
        )
    if said.status in UNCONFIRMED_STATUSES:
        raise ChargeRefused
    return await _record_observation(said, order, payment_provider, run, closing_step=step)


async def close_overdue(provider_factory: PaymentProviderFactory, run: Runner[Transaction]) -> bool:
    """Expire the orders whose time is over; True when there may be more. While the gateway is away nothing expires."""
    gateway, overdue = provider_factory(run), await run(_list_overdue)
    closed = 0
    for order in overdue:
        try:
            closed += (
                await close_unpaid(order, OrderStep.EXPIRE, gateway, run)
            ).state not in UNPAID_STATES
        except ChargeRefused:
            continue  # authorised and not yet settled: it comes again
        except PaymentProviderUnreachable:
            return False
    return closed > 0 and len(overdue) == MAX_ORDERS_PER_RUN


async def open_charges(
    provider_factory: PaymentProviderFactory, grace: timedelta, run: Runner[Transaction]
) -> bool:
    """Open the charges that checkout could not open; nothing while the gateway is away."""
    gateway, placed = provider_factory(run), await run(_list_uncharged)
    for order in placed:
        try:
            await open_charge(order, grace, gateway, run)
        except PaymentProviderUnreachable:
            return False
    return len(placed) == MAX_ORDERS_PER_RUN


async def _record_observation(
    observation: Observation,
    order: Order,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
    closing_step: OrderStep = OrderStep.EXPIRE,
) -> Order:
    contended = [] if observation.status in UNCONFIRMED_STATUSES else contended_stock(order)
    return await run(
        partial(
            usecases.record_observation,
            observation,
            payment_provider.merchant,
            closing_step=closing_step,
        ),
        contended=contended,
    )


async def _list_overdue(tx: Transaction) -> list[Order]:
    return await tx.orders.list_overdue(tx.now, MAX_ORDERS_PER_RUN)


async def _list_uncharged(tx: Transaction) -> list[Order]:
    return await tx.orders.list_uncharged(tx.now - UNCHARGED_AFTER, tx.now, MAX_ORDERS_PER_RUN)
