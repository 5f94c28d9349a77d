"""How payment gateways tell us what happened, and how officers read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.marketplace.payments import payment_process
from services.marketplace.payments.provider import PaymentProvider
from services.marketplace.payments.rules import PaymentEvent, PaymentsClosed
from services.marketplace.transaction import Run, Transaction, without_idempotency_key

router = APIRouter(prefix="/v1/payments", tags=["Pembayaran"])

MAX_NOTIFICATION_BYTES = 64 * 1024


def require_payment_provider(request: Request, run: Run) -> PaymentProvider:
    """The payment gateway of this installation; PaymentsClosed when it has none."""
    gateway_for: payment_process.PaymentProviderFactory | None = request.app.state.payment_gateway
    if gateway_for is None:
        raise PaymentsClosed
    return gateway_for(without_idempotency_key(run))


CurrentPaymentProvider = Annotated[PaymentProvider, Depends(require_payment_provider)]


class HeardBody(BaseModel):
    """All that a payment gateway needs to know."""

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
        """The body of a payment event."""
        return cls(
            id=event.id,
            order_id=event.order_id,
            provider=event.provider,
            status=event.status,
            amount_idr=event.amount_idr,
            occurred_at=event.occurred_at,
            observed_at=event.observed_at,
        )


@router.post("/notifications/{provider}")
async def hear_notification(
    provider: str, request: Request, run: Run, payment_provider: CurrentPaymentProvider
) -> HeardBody:
    """A notification of a payment gateway: 200 applied, repeated or put before an officer; 400 not believed; 404 unknown; 503 come again."""
    body = await dependencies.whole_body(request, limit=MAX_NOTIFICATION_BYTES)
    await payment_process.process_notification(
        provider, request.headers, body, payment_provider, without_idempotency_key(run)
    )
    return HeardBody()


@router.get("/events")
async def list_payment_events(
    run: Run, order_id: str, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[PaymentEventBody]:
    """What was observed of an order's payment."""

    async def read(tx: Transaction) -> paging.PageBody[PaymentEventBody]:
        page = await tx.payment_events.list_page(order_id, cursor, limit)
        return paging.PageBody(
            items=[PaymentEventBody.of(event) for event in page.items], next_cursor=page.next_cursor
        )

    return await run(read)
