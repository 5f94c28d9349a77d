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
from services.marketplace.orders.api import CheckoutIn, OrderBody, PlacedBody, Token
from services.marketplace.orders.rules import Contact, OrderId, OrderStep
from services.marketplace.payments import payment_process, usecases
from services.marketplace.payments.provider import PaymentProvider
from services.marketplace.payments.rules import PaymentEvent
from services.marketplace.transaction import Run, step_runner

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
    body: CheckoutIn, run: Run, payment_provider: CurrentPaymentProvider, response: Response
) -> PlacedBody:
    """Place an order: reserve goods, freeze price, cost and policy, open a charge.

    "Stok habis" (409 `stock_short`) when fewer units are available than ordered.
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
    placed = await run(command, contended=contended)
    order = await payment_process.open_charge_if_reachable(
        placed, payment_provider, step_runner(run)
    )
    dependencies.set_etag(response, order)
    return PlacedBody.of(order)


@order_router.post("/orders/{order_id}/cancellation")
async def cancel_order(
    order_id: str,
    token: Token,
    run: Run,
    version: dependencies.RequiredIfMatch,
    payment_provider: CurrentPaymentProvider,
    response: Response,
) -> OrderBody:
    """Cancel an unpaid order, for the holder of its token.

    An order that the payment provider reports as paid is recorded as paid instead.
    """
    query = partial(orders.read_by_token, OrderId(order_id), token, version=version)
    unpaid = await step_runner(run)(query)
    order = await payment_process.close_unpaid(
        unpaid, OrderStep.CANCEL, payment_provider, step_runner(run)
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
