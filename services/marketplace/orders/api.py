"""Routes of orders, for buyers (whose token opens their order) and officers of the Lapas.

Not here: checkout and cancellation, which talk to the payment provider (payments).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.marketplace.orders import rules, usecases
from services.marketplace.orders.rules import (
    Charge,
    Contact,
    Order,
    OrderId,
    OrderLine,
    PaymentMethod,
    contended_stock,
)
from services.marketplace.orders.transitions import OrderState, OrderStep
from services.marketplace.policies.rules import PolicyTerms
from services.marketplace.settings import TEXTS
from services.marketplace.stock.rules import Portion
from services.marketplace.transaction import Run, step_runner

router = APIRouter(prefix="/v1", tags=["Pesanan"])


OrderToken = Annotated[str, Field(min_length=20, max_length=60)]


def order_token(
    order_token: Annotated[
        OrderToken | None, Header(description="Token pesanan, diberikan saat checkout")
    ] = None,
    token: Annotated[
        OrderToken | None, Query(description="Token pesanan, untuk tautan; lebih baik di header")
    ] = None,
) -> str:
    """Return the token of the header `Order-Token`, or of the query for links."""
    return rules.require_token(order_token or token)


Token = Annotated[str, Depends(order_token)]


class ContactIn(BaseModel):
    model_config = dependencies.STRICT
    name: str = Field(min_length=1, max_length=120)
    phone: str = Field("", max_length=30)
    email: str = Field("", max_length=120)
    address: str = Field(min_length=1, max_length=400)

    @classmethod
    def of(cls, contact: Contact) -> Self:
        """Return the body of a contact."""
        return cls(
            name=contact.name, phone=contact.phone, email=contact.email, address=contact.address
        )


class CheckoutIn(BaseModel):
    model_config = dependencies.STRICT
    cart_id: str = Field(min_length=1, max_length=40)
    contact: ContactIn


class AttemptIn(BaseModel):
    model_config = dependencies.STRICT
    method: PaymentMethod = PaymentMethod.QRIS


class TransitionIn(BaseModel):
    model_config = dependencies.STRICT
    step: Literal["pack", "ship", "deliver", "complete"]


class PaymentBody(BaseModel):
    provider: str
    order_ref: str
    method: str
    qr_string: str
    va_bank: str
    va_number: str
    expires_at: datetime

    @classmethod
    def of(cls, charge: Charge) -> Self:
        """Return what a buyer needs to pay the charge."""
        return cls(
            provider=charge.provider,
            order_ref=charge.order_ref,
            method=charge.method,
            qr_string=charge.qr_string,
            va_bank=charge.va_bank,
            va_number=charge.va_number,
            expires_at=charge.expires_at,
        )


class OrderLineBody(BaseModel):
    number: int
    sku: str
    title: str
    qty: int
    unit_price_idr: int
    total_idr: int

    @classmethod
    def of(cls, line: OrderLine) -> Self:
        """Return the body of a line, as its buyer sees it."""
        return cls(
            number=line.number,
            sku=line.sku,
            title=line.title,
            qty=line.qty,
            unit_price_idr=line.unit_price_idr,
            total_idr=line.total_idr,
        )


class OrderBody(BaseModel):
    """An order as its buyer sees it; `payment` says how to pay it, once an attempt is started."""

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
    def of(cls, order: Order) -> Self:
        """Return the body of an order."""
        return cls(
            id=order.id,
            version=order.version,
            state=order.state,
            lines=[OrderLineBody.of(line) for line in order.lines],
            total_idr=order.total_idr,
            placed_at=order.placed_at,
            expires_at=order.expires_at,
            paid_at=order.paid_at,
            payment=None if order.charge is None else PaymentBody.of(order.charge),
        )


class PlacedBody(OrderBody):
    """A new order with the token that opens it. The token is shown once, to its buyer."""

    token: str

    @classmethod
    def of(cls, order: Order) -> Self:
        """Return the body of a new order with its token."""
        return cls(**dict(OrderBody.of(order)), token=order.token)


class OfficerLineBody(OrderLineBody):
    workshop_id: str
    product_class: str
    portions: list[dict[str, str | int]]
    policy_id: str
    policy_version: int
    base: str
    shares_bps: dict[str, int]

    @classmethod
    def of(cls, line: OrderLine) -> Self:
        """Return the body of a line with what was frozen."""
        return cls(
            **dict(OrderLineBody.of(line)),
            workshop_id=line.workshop_id,
            product_class=line.product_class,
            portions=[_portion_fields(portion) for portion in line.portions],
            policy_id=line.terms.policy_id,
            policy_version=line.terms.policy_version,
            base=line.terms.base,
            shares_bps={share.party: share.bps for share in line.terms.shares},
        )


class OfficerOrderBody(OrderBody):
    """An order as officers see it: its recipient, and what was frozen when it was placed."""

    facility_id: str
    contact: ContactIn
    frozen_lines: list[OfficerLineBody]

    @classmethod
    def of(cls, order: Order) -> Self:
        """Return the body of an order for officers."""
        return cls(
            **dict(OrderBody.of(order)),
            facility_id=order.facility_id,
            contact=ContactIn.of(order.contact),
            frozen_lines=[OfficerLineBody.of(line) for line in order.lines],
        )


class TermsBody(BaseModel):
    policy_id: str
    policy_version: int
    base: str
    shares_bps: dict[str, int]
    notice: str

    @classmethod
    def of(cls, terms: PolicyTerms) -> Self:
        """Return the body of the terms of a split."""
        notice = ""
        if terms.needs_legal_confirmation:
            notice = TEXTS["needs_legal_confirmation"].localised
        return cls(
            policy_id=terms.policy_id,
            policy_version=terms.policy_version,
            base=terms.base,
            shares_bps={share.party: share.bps for share in terms.shares},
            notice=notice,
        )


class SplitBody(BaseModel):
    """How the books divided the proceeds of one order."""

    order_id: str
    total_idr: int
    split: dict[str, int]
    terms: list[TermsBody]


@router.get("/orders")
async def list_orders(
    run: Run,
    state: OrderState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[OfficerOrderBody]:
    """Return the orders of the caller's Lapas; the read of buyers' contacts is audited."""
    page = await run(partial(usecases.list_orders, state, cursor, limit))
    return paging.PageBody(
        items=[OfficerOrderBody.of(order) for order in page.items], next_cursor=page.next_cursor
    )


@router.get("/orders/{order_id}")
async def read_order(order_id: str, token: Token, run: Run, response: Response) -> OrderBody:
    """Return one order to the holder of its token."""
    order = await run(partial(usecases.read_by_token, OrderId(order_id), token))
    dependencies.set_etag(response, order)
    return OrderBody.of(order)


@router.get("/orders/{order_id}/record")
async def read_order_record(order_id: str, run: Run, response: Response) -> OfficerOrderBody:
    """Return one order to the officers of its Lapas; the read of the contact is audited."""
    order = await run(partial(usecases.read_record, OrderId(order_id)))
    dependencies.set_etag(response, order)
    return OfficerOrderBody.of(order)


@router.get("/orders/{order_id}/split")
async def read_split(order_id: str, token: Token, run: Run) -> SplitBody:
    """Return how the proceeds of one order were divided, to the holder of its token."""
    split = await run(partial(usecases.read_split, OrderId(order_id), token))
    terms = {line.terms.policy_id: line.terms for line in split.order.lines}
    return SplitBody(
        order_id=split.order.id,
        total_idr=split.order.total_idr,
        split=dict(split.amounts_idr),
        terms=[TermsBody.of(policy_terms) for policy_terms in terms.values()],
    )


@router.post("/orders/{order_id}/transitions")
async def advance_order(
    order_id: str,
    body: TransitionIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> OfficerOrderBody:
    """Pack, ship, deliver or complete an order."""
    step = OrderStep(body.step)
    contended: list[str] = []
    if step is OrderStep.SHIP:
        packed = await step_runner(run)(partial(usecases.read_order, OrderId(order_id)))
        contended = contended_stock(packed)
    command = partial(usecases.advance, OrderId(order_id), step, version)
    order = await run(command, contended=contended)
    dependencies.set_etag(response, order)
    return OfficerOrderBody.of(order)


def _portion_fields(portion: Portion) -> dict[str, str | int]:
    return {
        "batch_id": portion.batch_id,
        "qty": portion.qty,
        "unit_cost_idr": portion.unit_cost_idr,
    }
