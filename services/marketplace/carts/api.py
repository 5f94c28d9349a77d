"""Routes of carts. The random id of a cart is the key to it.

Not here: checkout (payments).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies
from services.marketplace.carts import usecases
from services.marketplace.carts.rules import Cart, CartId
from services.marketplace.transaction import Run, step_runner

router = APIRouter(prefix="/v1/carts", tags=["Keranjang"])


class LineIn(BaseModel):
    model_config = dependencies.STRICT
    sku: str = Field(min_length=1, max_length=40)
    qty: Annotated[int, Field(strict=True, ge=1, le=10_000)]


class CartIn(BaseModel):
    model_config = dependencies.STRICT
    lines: list[LineIn] = Field(min_length=1, max_length=50)


class LineBody(BaseModel):
    sku: str
    qty: int
    price_idr: int


class CartBody(BaseModel):
    id: str
    version: int
    lines: list[LineBody]
    total_idr: int
    expires_at: datetime

    @classmethod
    def of(cls, cart: Cart) -> Self:
        """Return the body of a cart."""
        return cls(
            id=cart.id,
            version=cart.version,
            lines=[
                LineBody(sku=line.sku, qty=line.qty, price_idr=line.price_idr)
                for line in cart.lines
            ],
            total_idr=sum(line.qty * line.price_idr for line in cart.lines),
            expires_at=cart.expires_at,
        )


@router.post("", status_code=201)
async def open_cart(body: CartIn, run: Run, response: Response) -> CartBody:
    """Open a cart. An Idempotency-Key has no effect: all buyers would share it."""
    quantities = [(line.sku, line.qty) for line in body.lines]
    command = partial(usecases.open_cart, CartId(secrets.token_urlsafe(16)), quantities)
    cart = await step_runner(run)(command)
    dependencies.set_etag(response, cart)
    return CartBody.of(cart)


@router.get("/{cart_id}")
async def read_cart(cart_id: str, run: Run, response: Response) -> CartBody:
    """Return one cart."""
    cart = await run(partial(usecases.read_cart, CartId(cart_id)))
    dependencies.set_etag(response, cart)
    return CartBody.of(cart)


@router.put("/{cart_id}")
async def fill_cart(
    cart_id: str,
    body: CartIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> CartBody:
    """Replace the lines of a cart, at the current prices."""
    quantities = [(line.sku, line.qty) for line in body.lines]
    cart = await run(partial(usecases.fill, CartId(cart_id), quantities, version))
    dependencies.set_etag(response, cart)
    return CartBody.of(cart)
