"""Calls to the payment provider, outside transactions.

They open charges, process notifications and close unpaid orders, with transactions between the
calls. Not here: what happens inside a transaction (usecases).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from chassis.persistence.transactions import Runner
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import (
    UNPAID_STATES,
    Order,
    OrderState,
    OrderStep,
    contended_stock,
    require_unpaid,
)
from services.marketplace.payments import rules, usecases
from services.marketplace.payments.provider import PaymentProvider
from services.marketplace.payments.rules import (
    UNCONFIRMED_STATUSES,
    ChargeRefused,
    NotificationContradictory,
    NotificationForged,
    NotificationMalformed,
    Observation,
    PaymentProviderUnreachable,
    needs_confirmation,
)
from services.marketplace.transaction import Transaction

PaymentProviderFactory = Callable[[Runner[Transaction]], PaymentProvider]
MAX_ORDERS_PER_RUN = 50
UNCHARGED_AFTER = timedelta(seconds=5)


def create_provider(
    provider_factory: PaymentProviderFactory | None, run: Runner[Transaction]
) -> PaymentProvider:
    """Return the payment provider. Raises PaymentsClosed when none is configured."""
    return rules.require_open(provider_factory)(run)


async def open_charge(
    order: Order, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Order:
    """Open the charge of a placed order and record it; safe to repeat.

    Raises PaymentProviderUnreachable.
    """
    if order.state is not OrderState.PLACED:
        return order
    charge = await payment_provider.charge(order.order_ref, order.total_idr)
    return await run(partial(orders.record_charge, order.id, charge))


async def open_charge_if_reachable(
    order: Order, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Order:
    """Open the charge, or return the order unchanged when the provider is unreachable.

    The job `open-charges` opens the charge later.
    """
    try:
        return await open_charge(order, payment_provider, run)
    except PaymentProviderUnreachable:
        return order


async def process_notification(
    provider: str,
    headers: Mapping[str, str],
    body: bytes,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
) -> Order:
    """Process a notification: check its signature, then the order, then the amount.

    A status that moves money or stock takes effect only if a query to the provider confirms it.
    Raises ProviderUnknown, and the errors of `PaymentProvider.verify`.
    """
    rules.require_configured(provider, payment_provider.name)
    observation = await _verify(headers, body, payment_provider, run)
    order = await run(partial(usecases.find_order, observation.order_ref))
    if needs_confirmation(observation, order.total_idr, payment_provider.merchant):
        observation = await _confirm(observation, payment_provider, run)
    return await _record_observation(
        observation, order, payment_provider, run, closing_step=OrderStep.EXPIRE
    )


async def close_unpaid(
    order: Order, step: OrderStep, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Order:
    """Close an unpaid order after querying the provider.

    An order that the provider reports as paid is paid; an open charge is cancelled there.
    Raises ChargeRefused when the charge is neither paid nor cancelled.
    """
    require_unpaid(order, step)
    observation = await payment_provider.fetch_status(order.order_ref)
    if observation is not None and observation.status in UNCONFIRMED_STATUSES:
        observation = await payment_provider.cancel(order.order_ref)
    if observation is None:
        command = partial(usecases.close_uncharged_order, order.id, step)
        return await run(command, contended=contended_stock(order))
    final = rules.require_final(observation)
    return await _record_observation(final, order, payment_provider, run, closing_step=step)


async def close_overdue(provider_factory: PaymentProviderFactory, run: Runner[Transaction]) -> bool:
    """Expire overdue orders. Returns True when there may be more.

    Nothing expires while the provider is unreachable.
    """
    payment_provider = provider_factory(run)
    overdue = await run(partial(orders.list_overdue, MAX_ORDERS_PER_RUN))
    closed_count = 0
    for order in overdue:
        try:
            closed = await close_unpaid(order, OrderStep.EXPIRE, payment_provider, run)
        except ChargeRefused:
            continue  # authorised, not settled yet: a later run tries again
        except PaymentProviderUnreachable:
            return False
        if closed.state not in UNPAID_STATES:
            closed_count += 1
    return closed_count > 0 and len(overdue) == MAX_ORDERS_PER_RUN


async def open_charges(provider_factory: PaymentProviderFactory, run: Runner[Transaction]) -> bool:
    """Open the charges that checkout could not open. Returns True when there may be more."""
    payment_provider = provider_factory(run)
    placed = await run(partial(orders.list_uncharged, UNCHARGED_AFTER, MAX_ORDERS_PER_RUN))
    for order in placed:
        try:
            await open_charge(order, payment_provider, run)
        except PaymentProviderUnreachable:
            return False
    return len(placed) == MAX_ORDERS_PER_RUN


async def _verify(
    headers: Mapping[str, str],
    body: bytes,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
) -> Observation:
    """Return what a signed notification says; a refused one is audited."""
    try:
        return payment_provider.verify(headers, body)
    except (NotificationForged, NotificationMalformed, NotificationContradictory) as error:
        await run(partial(usecases.note_refused_notification, payment_provider.name, error.code))
        raise


async def _confirm(
    observation: Observation, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Observation:
    """Return what a query to the provider says; a difference from the notification is audited."""
    confirmed = await payment_provider.fetch_status(observation.order_ref)
    if confirmed is None or confirmed.status is not observation.status:
        await run(partial(usecases.note_denied_notification, observation, confirmed))
    return rules.require_known_charge(confirmed)


async def _record_observation(
    observation: Observation,
    order: Order,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
    *,
    closing_step: OrderStep,
) -> Order:
    contended = [] if observation.status in UNCONFIRMED_STATUSES else contended_stock(order)
    command = partial(
        usecases.record_observation,
        observation,
        payment_provider.merchant,
        closing_step=closing_step,
    )
    return await run(command, contended=contended)
