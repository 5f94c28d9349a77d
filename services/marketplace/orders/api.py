"""How orders are asked for: by buyers, whose token opens their order, and by officers of the Lapas."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from chassis.errors import Refused
from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.marketplace.carts.rules import Cart, CartId, quantities_by_sku
from services.marketplace.orders import usecases
from services.marketplace.orders.rules import (
    Contact,
    Order,
    OrderId,
    OrderLine,
    OrderState,
    OrderStep,
)
from services.marketplace.payments import payment_process
from services.marketplace.payments.api import CurrentPaymentProvider
from services.marketplace.payments.rules import PaymentProviderUnreachable
from services.marketplace.stock.rules import home_location, stock_id
from services.marketplace.texts import text
from services.marketplace.transaction import Run, Transaction, without_idempotency_key

router = APIRouter(prefix="/v1", tags=["Pesanan"])

Token = Annotated[
    str, Query(min_length=20, max_length=60, description="Token pesanan, diberikan saat checkout")
]


class ContactMissing(Refused):
    title = "Isi nomor telepon atau alamat surel"
    field = "phone"


class ContactIn(BaseModel):
    model_config = dependencies.STRICT
    name: str = Field(min_length=1, max_length=120)
    phone: str = Field("", max_length=30)
    email: str = Field("", max_length=120)
    address: str = Field(min_length=1, max_length=400)


class CheckoutIn(BaseModel):
    model_config = dependencies.STRICT
    cart_id: str = Field(min_length=1, max_length=40)
    contact: ContactIn


class TransitionIn(BaseModel):
    model_config = dependencies.STRICT
    step: Literal["pack", "ship", "deliver", "complete"]


class PaymentBody(BaseModel):
    provider: str
    order_ref: str
    method: str
    qr_string: str
    expires_at: datetime


class OrderLineBody(BaseModel):
    number: int
    sku: str
    title: str
    qty: int
    unit_price_idr: int
    total_idr: int

    @classmethod
    def of(cls, line: OrderLine) -> Self:
        """The body of a line, as its buyer sees it."""
        return cls(
            number=line.number,
            sku=line.sku,
            title=line.title,
            qty=line.qty,
            unit_price_idr=line.unit_price_idr,
            total_idr=line.total_idr,
        )


class OrderBody(BaseModel):
    """An order as its buyer sees it; `payment` says how to pay it."""

    id: str
    version: int
    state: str
    lines: list[OrderLineBody]
    total_idr: int
    placed_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    payment: PaymentBody | None

    @classmethod
    def of(cls, order: Order, **more: Any) -> Self:
        """The body of an order."""
        payment = order.charge and PaymentBody(
            provider=order.charge.provider,
            order_ref=order.charge.order_ref,
            method=order.charge.method,
            qr_string=order.charge.qr_string,
            expires_at=order.charge.expires_at,
        )
        return cls(
            id=order.id,
            version=order.version,
            state=order.state,
            lines=[OrderLineBody.of(line) for line in order.lines],
            total_idr=order.total_idr,
            placed_at=order.placed_at,
            expires_at=order.expires_at,
            paid_at=order.paid_at,
            payment=payment,
            **more,
        )


class PlacedBody(OrderBody):
    """A new order with the token that opens it: shown once, to whoever placed it."""

    token: str


class OfficerLineBody(OrderLineBody):
    workshop_id: str
    product_class: str
    portions: list[dict[str, str | int]]
    policy_id: str
    policy_version: int
    base: str
    shares_bps: dict[str, int]


class OfficerOrderBody(OrderBody):
    """An order as its officers see it: to whom it goes, and what was frozen when it was placed."""

    facility_id: str
    contact: ContactIn
    frozen_lines: list[OfficerLineBody]

    @classmethod
    def for_officer(cls, order: Order) -> Self:
        """The body of an order for its officers."""
        contact = ContactIn(
            name=order.contact.name,
            phone=order.contact.phone,
            email=order.contact.email,
            address=order.contact.address,
        )
        return cls.of(
            order,
            facility_id=order.facility_id,
            contact=contact,
            frozen_lines=[_officer_line(line) for line in order.lines],
        )


class TermsBody(BaseModel):
    policy_id: str
    policy_version: int
    base: str
    shares_bps: dict[str, int]
    notice: str


class SplitBody(BaseModel):
    """How the money of one order was divided, by the books."""

    order_id: str
    total_idr: int
    split: dict[str, int]
    terms: list[TermsBody]


@router.post("/checkout", status_code=201)
async def check_out(
    body: CheckoutIn, request: Request, run: Run, payment_provider: CurrentPaymentProvider
) -> PlacedBody:
    """Place an order: goods are reserved, everything is frozen, a charge is opened. "Stok habis" when fewer are left than wanted."""
    if not body.contact.phone and not body.contact.email:
        raise ContactMissing
    ttl: timedelta = request.app.state.reservation_ttl
    contact = Contact(
        name=body.contact.name,
        phone=body.contact.phone,
        email=body.contact.email,
        address=body.contact.address,
    )
    command = partial(
        usecases.place_order,
        CartId(body.cart_id),
        OrderId(new_id()),
        secrets.token_urlsafe(16),
        contact,
        ttl,
    )
    order = await run(
        command,
        contended=await without_idempotency_key(run)(partial(_contended_stock, body.cart_id)),
    )
    try:
        order = await payment_process.open_charge(
            order, request.app.state.payment_grace, payment_provider, run
        )
    except PaymentProviderUnreachable:
        return PlacedBody.of(
            order, token=order.token
        )  # the job opens it as soon as the gateway answers
    return PlacedBody.of(order, token=order.token)


@router.get("/orders")
async def list_orders(
    run: Run,
    state: OrderState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[OfficerOrderBody]:
    """The orders of the caller's Lapas; the read of buyers' contacts is noted."""

    async def read(tx: Transaction) -> paging.PageBody[OfficerOrderBody]:
        page = await tx.orders.list_page(state, cursor, limit)
        tx.note("orders.read", "", refs=[order.id for order in page.items])
        return paging.PageBody(
            items=[OfficerOrderBody.for_officer(order) for order in page.items],
            next_cursor=page.next_cursor,
        )

    return await run(read)


@router.get("/orders/{order_id}")
async def read_order(order_id: str, token: Token, run: Run) -> OrderBody:
    """One order, for whoever holds its token."""

    async def read(tx: Transaction) -> Order:
        return await tx.orders.get_by_token(order_id, token)

    return OrderBody.of(await run(read))


@router.get("/orders/{order_id}/record")
async def read_order_record(order_id: str, run: Run, response: Response) -> OfficerOrderBody:
    """One order, for the officers of its Lapas; the read of the buyer's contact is noted."""

    async def read(tx: Transaction) -> Order:
        order = await tx.orders.get(order_id)
        tx.note("orders.read", order.id)
        return order

    order = await run(read)
    dependencies.set_etag(response, order)
    return OfficerOrderBody.for_officer(order)


@router.get("/orders/{order_id}/split")
async def read_split(order_id: str, token: Token, run: Run) -> SplitBody:
    """How the money of one order was divided, for whoever holds its token."""
    order, shares = await run(partial(usecases.read_split, order_id, token))
    terms = {line.terms.policy_id: line.terms for line in order.lines}
    return SplitBody(
        order_id=order.id,
        total_idr=order.total_idr,
        split=shares,
        terms=[
            TermsBody(
                policy_id=of.policy_id,
                policy_version=of.policy_version,
                base=of.base,
                shares_bps={share.party: share.bps for share in of.shares},
                notice=text("needs_legal_confirmation") if of.needs_legal_confirmation else "",
            )
            for of in terms.values()
        ],
    )


@router.post("/orders/{order_id}/transitions")
async def advance_order(
    order_id: str, body: TransitionIn, run: Run, if_match: dependencies.IfMatch
) -> OfficerOrderBody:
    """Pack, ship, hand over or complete an order."""

    async def read(tx: Transaction) -> Order:
        return await tx.orders.get(order_id)

    contended = (
        payment_process.contended_stock(await without_idempotency_key(run)(read))
        if body.step == OrderStep.SHIP
        else []
    )
    return OfficerOrderBody.for_officer(
        await run(
            partial(usecases.advance, OrderId(order_id), OrderStep(body.step), if_match),
            contended=contended,
        )
    )


@router.post("/orders/{order_id}/cancellation")
async def cancel_order(
    order_id: str, token: Token, run: Run, payment_provider: CurrentPaymentProvider
) -> OrderBody:
    """Cancel an unpaid order, for whoever holds its token. If the gateway says that it is paid, it is paid."""

    async def read(tx: Transaction) -> Order:
        return await tx.orders.get_by_token(order_id, token)

    plain = without_idempotency_key(run)
    return OrderBody.of(
        await payment_process.close_unpaid(
            await plain(read), OrderStep.CANCEL, payment_provider, plain
        )
    )


async def _contended_stock(cart_id: str, tx: Transaction) -> list[str]:
    cart: Cart | None = await tx.carts.seek(cart_id)
    return (
        [
            f"stock/{stock_id(sku, home_location(cart.facility_id))}"
            for sku in quantities_by_sku(cart)
        ]
        if cart
        else []
    )


def _officer_line(line: OrderLine) -> OfficerLineBody:
    shares: Mapping[str, int] = {share.party: share.bps for share in line.terms.shares}
    return OfficerLineBody(
        number=line.number,
        sku=line.sku,
        title=line.title,
        qty=line.qty,
        unit_price_idr=line.unit_price_idr,
        total_idr=line.total_idr,
        workshop_id=line.workshop_id,
        product_class=line.product_class,
        portions=[
            {
                "batch_id": portion.batch_id,
                "qty": portion.qty,
                "unit_cost_idr": portion.unit_cost_idr,
            }
            for portion in line.portions
        ],
        policy_id=line.terms.policy_id,
        policy_version=line.terms.policy_version,
        base=line.terms.base,
        shares_bps=dict(shares),
    )
