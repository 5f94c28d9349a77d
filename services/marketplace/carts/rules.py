"""Rules of carts.

A cart guarantees nothing: checkout reads prices and stock again, and refuses a changed price.
Not here: reserving goods (stock), placing an order (orders).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NewType

from chassis.errors import Conflict, NotFound, Refused
from services.marketplace.money import Rupiah
from services.marketplace.products.rules import Product, require_published
from services.marketplace.settings import TEXTS

CartId = NewType("CartId", str)
CART_LIFETIME = timedelta(days=30)


class CartUnknown(NotFound):
    title = TEXTS["errors.cart_unknown"]


class CartEmpty(Refused):
    title = TEXTS["errors.cart_empty"]
    field = "lines"


class CartOfSeveralSellers(Refused):
    """The cart has products of several Lapas; the money of one order belongs to one."""

    title = TEXTS["errors.cart_of_several_sellers"]
    field = "lines"


class PriceChanged(Conflict):
    title = TEXTS["errors.price_changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """A quantity of one SKU, and the price that was shown for it."""

    sku: str
    qty: int
    price_idr: Rupiah


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """A buyer's cart. Anyone who knows its random id may change it."""

    id: CartId
    facility_id: str
    lines: tuple[CartLine, ...]
    expires_at: datetime
    version: int = 0


def fill(
    cart: Cart,
    quantities: Sequence[tuple[str, int]],
    products: Mapping[str, Product],
    now: datetime,
) -> Cart:
    """Replace the lines of the cart by these (sku, quantity) pairs, at the current prices.

    Raises CartEmpty, ProductUnknown or CartOfSeveralSellers.
    """
    if not quantities:
        raise CartEmpty
    for product in products.values():
        require_published(product)
    sellers = {product.facility_id for product in products.values()}
    if len(sellers) != 1:
        raise CartOfSeveralSellers
    lines = tuple(
        CartLine(sku=sku, qty=qty, price_idr=products[sku].variant(sku).price_idr)
        for sku, qty in quantities
    )
    return replace(cart, facility_id=sellers.pop(), lines=lines, expires_at=now + CART_LIFETIME)


def require_current(cart: Cart, products: Mapping[str, Product], now: datetime) -> None:
    """Require that the cart can be ordered as it was shown.

    Raises CartUnknown (expired), ProductUnknown (withdrawn) or PriceChanged.
    """
    if now >= cart.expires_at:
        raise CartUnknown
    for line in cart.lines:
        product = products[line.sku]
        require_published(product)
        current_price_idr = product.variant(line.sku).price_idr
        if current_price_idr != line.price_idr:
            raise PriceChanged(sku=line.sku, price_idr=current_price_idr)


def quantities_by_sku(cart: Cart) -> dict[str, int]:
    """Return the quantity of each SKU, summed over the lines, in the order of SKUs."""
    quantities: dict[str, int] = {}
    for line in cart.lines:
        quantities[line.sku] = quantities.get(line.sku, 0) + line.qty
    return dict(sorted(quantities.items()))
