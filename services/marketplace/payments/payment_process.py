"""Calls to the payment provider, outside transactions.

They open charges, process notifications and close unpaid orders, with transactions between the
calls. Not here: what happens inside a transaction (usecases).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from prometheus_client import Counter

from chassis import telemetry
from chassis.errors import DomainError, NotFound
from chassis.persistence.transactions import Runner
from services.marketplace.orders import attempts
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.rules import Order, PaymentMethod, contended_stock, require_unpaid
from services.marketplace.orders.transitions import OrderState, OrderStep
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
    ProviderAnswerUnreadable,
    needs_confirmation,
)
from services.marketplace.refunds import usecases as refunds
from services.marketplace.refunds.rules import OwedRefund
from services.marketplace.transaction import Transaction

PaymentProviderFactory = Callable[[Runner[Transaction]], PaymentProvider]
MAX_ORDERS_PER_RUN = 50
UNCHARGED_AFTER = timedelta(seconds=5)
NOTIFICATIONS_REFUSED = Counter(
    "marketplace_notifications_refused_total",
    "Payment notifications that were forged, malformed or contradictory",
    ["reason"],
)
log = telemetry.log(__name__)


def create_provider(
    provider_factory: PaymentProviderFactory | None, run: Runner[Transaction]
) -> PaymentProvider:
    """Return the payment provider. Raises PaymentsClosed when none is configured."""
    return rules.require_open(provider_factory)(run)


async def open_charge(
    order: Order, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Order:
    """Open the charge of an order whose buyer wants to pay, and record it; safe to repeat.

    Raises PaymentProviderUnreachable.
    """
    if order.state is not OrderState.PLACED or order.method is None:
        return order
    charge = await payment_provider.charge(order.order_ref, order.total_idr, order.method)
    return await run(partial(orders.record_charge, order.id, charge))


async def pay(
    started: Order,
    method: PaymentMethod,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
) -> Order:
    """Open the charge of an attempt that was started, after the former charge is closed.

    When the provider is unreachable the job `open-charges` opens the charge later.
    Raises AttemptStillOpen.
    """
    order = started
    if started.is_replacing:
        observation = await _close_charge(started, payment_provider)
        command = partial(
            usecases.replace_attempt, started.id, observation, method, payment_provider.merchant
        )
        order = await run(command, contended=contended_stock(started))
        attempts.require_replaced(started, order)
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
    claimed = await _verify(headers, body, payment_provider, run)
    order = await run(partial(usecases.find_order, claimed.order_ref))
    if not needs_confirmation(claimed, order.total_idr, payment_provider.merchant):
        return await _record(claimed, order, payment_provider, run) or order
    recorded = None
    while recorded is None:
        known_events = await run(partial(usecases.count_events, order.id))
        confirmed = await _confirm(claimed, payment_provider, run)
        recorded = await _record(confirmed, order, payment_provider, run, known_events)
    return recorded


async def close_unpaid(
    order: Order, step: OrderStep, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Order:
    """Close an unpaid order after querying the provider.

    An order that the provider reports as paid is paid; an open charge is cancelled there.
    Raises ChargeRefused when the charge is neither paid nor cancelled.
    """
    require_unpaid(order, step)
    observation = await _close_charge(order, payment_provider)
    if observation is None:
        command = partial(usecases.close_uncharged_order, order.id, step)
        return await run(command, contended=contended_stock(order))
    final = rules.require_final(observation)
    command = partial(usecases.record_final, final, payment_provider.merchant, step)
    return await run(command, contended=contended_stock(order))


async def close_overdue(provider_factory: PaymentProviderFactory, run: Runner[Transaction]) -> bool:
    """Expire overdue orders. Returns True when there may be more.

    Nothing expires while the provider is unreachable. An order that cannot be closed, for any other
    reason, is left alone for a while, so that it does not delay the others.
    """
    payment_provider = provider_factory(run)
    overdue = await run(partial(orders.list_overdue, MAX_ORDERS_PER_RUN))
    for order in overdue:
        try:
            await close_unpaid(order, OrderStep.EXPIRE, payment_provider, run)
        except PaymentProviderUnreachable:
            return False
        except Exception as error:  # noqa: BLE001 - one order never stops the others
            await _postpone(order, error, run)
    return len(overdue) == MAX_ORDERS_PER_RUN


async def open_charges(provider_factory: PaymentProviderFactory, run: Runner[Transaction]) -> bool:
    """Open the charges that could not be opened at once. Returns True when there may be more."""
    payment_provider = provider_factory(run)
    placed = await run(partial(orders.list_uncharged, UNCHARGED_AFTER, MAX_ORDERS_PER_RUN))
    for order in placed:
        try:
            await open_charge(order, payment_provider, run)
        except PaymentProviderUnreachable:
            return False
        except Exception as error:  # noqa: BLE001 - one order never stops the others
            await _postpone(order, error, run)
    return len(placed) == MAX_ORDERS_PER_RUN


async def send_refunds(provider_factory: PaymentProviderFactory, run: Runner[Transaction]) -> bool:
    """Refund money that is owed back. Returns True when there may be more.

    A refund that the provider refuses becomes a task for an officer.
    """
    payment_provider = provider_factory(run)
    due = await run(partial(refunds.list_due, MAX_ORDERS_PER_RUN))
    for refund in due:
        try:
            await _send_refund(refund, payment_provider, run)
        except PaymentProviderUnreachable:
            return False
        except (ChargeRefused, NotFound, ProviderAnswerUnreadable) as error:
            log.warning("refund_refused", refund=refund.id, reason=error.code)
            await run(partial(refunds.record_refusal, refund.id))
    return len(due) == MAX_ORDERS_PER_RUN


async def _send_refund(
    refund: OwedRefund, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> None:
    """Refund what remains of one payment and record the provider's answer."""
    answer = await _read_answer(
        payment_provider.refund(refund.payment.order_ref, refund.id, refund.remaining_idr)
    )
    observation = rules.require_known_charge(answer)
    order = await run(partial(usecases.find_order, observation.order_ref))
    await _record(observation, order, payment_provider, run)


async def _postpone(order: Order, error: Exception, run: Runner[Transaction]) -> None:
    """Leave an order alone for a while after a failure, which is logged."""
    reason = error.code if isinstance(error, DomainError) else type(error).__name__
    log.warning("order_postponed", order=order.id, reason=reason)
    await run(partial(orders.postpone, order.id, reason))


async def _close_charge(order: Order, payment_provider: PaymentProvider) -> Observation | None:
    """Return the status of the current charge, cancelled if it was open; None without a charge."""
    observation = await _read_answer(payment_provider.fetch_status(order.order_ref))
    if observation is not None and observation.status in UNCONFIRMED_STATUSES:
        return await _read_answer(payment_provider.cancel(order.order_ref))
    return observation


async def _read_answer(answer: Awaitable[Observation | None]) -> Observation | None:
    """Return an answer of the provider. Raises ProviderAnswerUnreadable."""
    try:
        return await answer
    except (NotificationForged, NotificationMalformed, NotificationContradictory):
        raise ProviderAnswerUnreadable from None


async def _verify(
    headers: Mapping[str, str],
    body: bytes,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
) -> Observation:
    """Return what a signed notification says; a refused one is counted and audited."""
    try:
        return payment_provider.verify(headers, body)
    except (NotificationForged, NotificationMalformed, NotificationContradictory) as error:
        NOTIFICATIONS_REFUSED.labels(error.code).inc()
        await run(partial(usecases.note_refused_notification, payment_provider.name, error.code))
        raise


async def _confirm(
    observation: Observation, payment_provider: PaymentProvider, run: Runner[Transaction]
) -> Observation:
    """Return what a query to the provider says; a difference from the notification is audited."""
    confirmed = await _read_answer(payment_provider.fetch_status(observation.order_ref))
    if confirmed is None or confirmed.status is not observation.status:
        await run(partial(usecases.note_denied_notification, observation, confirmed))
    return rules.require_known_charge(confirmed)


async def _record(
    observation: Observation,
    order: Order,
    payment_provider: PaymentProvider,
    run: Runner[Transaction],
    known_events: int | None = None,
) -> Order | None:
    """Record an observation; None when events arrived since the provider was queried."""
    contended = [] if observation.status in UNCONFIRMED_STATUSES else contended_stock(order)
    command = partial(
        usecases.record_observation,
        observation,
        payment_provider.merchant,
        known_events=known_events,
    )
    return await run(command, contended=contended)
