"""Routes that talk to the payment provider: checkout, cancellation, notifications.

Not here: what a payment changes (usecases), routes of orders without the provider (orders).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.marketplace.carts.rules import CartId
from services.marketplace.orders import usecases as orders
from services.marketplace.orders.api import AttemptIn, CheckoutIn, OrderBody, PlacedBody, Token
from services.marketplace.orders.rules import Contact, OrderId
from services.marketplace.orders.transitions import UNPAID_STATES, OrderStep
from services.marketplace.payments import payment_process, usecases
from services.marketplace.payments.provider import PaymentProvider
from services.marketplace.payments.rules import PaymentEvent
from services.marketplace.transaction import Run, run_within, step_runner

router = APIRouter(prefix="/v1/payments", tags=["Pembayaran"])
order_router = APIRouter(prefix="/v1", tags=["Pesanan"])

MAX_NOTIFICATION_BYTES = 64 * 1024


def require_payment_provider(request: Request, run: Run) -> PaymentProvider:
    """Return the payment provider of this installation. Raises PaymentsClosed."""
    provider_factory = request.app.state.payment_provider_factory
    return payment_process.create_provider(provider_factory, step_runner(run))


CurrentPaymentProvider = Annotated[PaymentProvider, Depends(require_payment_provider)]


class ReceivedBody(BaseModel):
    """The response that a payment provider expects."""

    status: str = "ok"


class PaymentEventBody(BaseModel):
    id: str
    order_id: str
    provider: str
    status: str
    amount_idr: int
    occurred_at: datetime
    observed_at: datetime

    @classmethod
    def of(cls, event: PaymentEvent) -> Self:
        """Return the body of a payment event."""
        return cls(
            id=event.id,
            order_id=event.order_id,
            provider=event.provider,
            status=event.status,
            amount_idr=event.amount_idr,
            occurred_at=event.occurred_at,
            observed_at=event.observed_at,
        )


@order_router.post("/checkout", status_code=201)
async def check_out(
    body: CheckoutIn, run: Run, _payment_provider: CurrentPaymentProvider, response: Response
) -> PlacedBody:
    """Place an order: reserve goods for five minutes; freeze price, cost and policy.

    `POST /v1/orders/{order_id}/payment-attempts` opens a charge and reserves the goods until it
    expires. "Stok habis" (409 `stock_short`) when fewer units are available than ordered. One
    contact has at most 3 unpaid orders, and half of what is available of a SKU in them.
    """
    cart_id = CartId(body.cart_id)
    contact = Contact(
        name=body.contact.name,
        phone=body.contact.phone,
        email=body.contact.email,
        address=body.contact.address,
    )
    contended = await step_runner(run)(partial(orders.list_contended_stock, cart_id))
    command = partial(
        orders.place_order, cart_id, OrderId(new_id()), secrets.token_urlsafe(16), contact
    )
    order = await run_within(run, cart_id)(command, contended=contended)
    dependencies.set_etag(response, order)
    return PlacedBody.of(order)


@order_router.post("/orders/{order_id}/payment-attempts")
async def pay_order(
    order_id: str,
    body: AttemptIn,
    version: dependencies.RequiredIfMatch,
    token: Token,
    run: Run,
    payment_provider: CurrentPaymentProvider,
    response: Response,
) -> OrderBody:
    """Open a charge for an order, for the holder of its token, or change its payment method.

    Another attempt closes the charge of the former one first. 409 `attempt_still_open` when the
    payment provider does not close it. An order that was paid meanwhile is returned as paid.
    """
    command = partial(orders.start_attempt, OrderId(order_id), token, body.method, version)
    started = await run_within(run, order_id)(command)
    order = await payment_process.pay(started, body.method, payment_provider, step_runner(run))
    dependencies.set_etag(response, order)
    return OrderBody.of(order)


@order_router.post("/orders/{order_id}/cancellation")
async def cancel_order(
    order_id: str,
    version: dependencies.RequiredIfMatch,
    token: Token,
    run: Run,
    payment_provider: CurrentPaymentProvider,
    response: Response,
) -> OrderBody:
    """Cancel an unpaid order, for the holder of its token.

    An order that the payment provider reports as paid is recorded as paid instead.
    """
    command = partial(orders.start_cancellation, OrderId(order_id), token, version)
    order = await run_within(run, order_id)(command)
    if order.state in UNPAID_STATES:
        order = await payment_process.close_unpaid(
            order, OrderStep.CANCEL, payment_provider, step_runner(run)
        )
    dependencies.set_etag(response, order)
    return OrderBody.of(order)


@router.post("/notifications/{provider}")
async def hear_notification(
    provider: str, request: Request, run: Run, payment_provider: CurrentPaymentProvider
) -> ReceivedBody:
    """Receive a notification of a payment provider.

    200: applied, repeated, or a task for an officer. 400: malformed or forged. 404: unknown.
    503: send it again later.
    """
    body = await dependencies.whole_body(request, limit=MAX_NOTIFICATION_BYTES)
    await payment_process.process_notification(
        provider, request.headers, body, payment_provider, step_runner(run)
    )
    return ReceivedBody()


@router.get("/events")
async def list_payment_events(
    run: Run, order_id: str, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[PaymentEventBody]:
    """Return what was observed about the payment of an order."""
    page = await run(partial(usecases.list_payment_events, order_id, cursor, limit))
    return paging.PageBody(
        items=[PaymentEventBody.of(event) for event in page.items], next_cursor=page.next_cursor
    )
