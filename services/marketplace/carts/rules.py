"""What is allowed: carts. A cart promises nothing: prices and stock are looked at again at checkout, and a change is shown, never applied silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NewType

from chassis.errors import Conflict, NotFound, Refused
from services.marketplace.money import Rupiah
from services.marketplace.products.rules import Product, require_published

CartId = NewType("CartId", str)
CART_LIFETIME = timedelta(days=30)


class CartUnknown(NotFound):
    title = "Keranjang tidak ditemukan"


class CartEmpty(Refused):
    title = "Keranjang masih kosong"
    field = "lines"


class CartOfSeveralSellers(Refused):
    """The money of one order belongs to one Lapas."""

    title = "Satu keranjang hanya untuk produk dari satu Lapas"
    field = "lines"


class PriceChanged(Conflict):
    title = "Harga sudah berubah; periksa keranjang Anda"


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """What is wanted, and the price that was shown."""

    sku: str
    qty: int
    price_idr: Rupiah


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """A buyer's cart; whoever knows its random id may change it."""

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
    """Put exactly these (sku, quantity) lines into the cart, at the prices of now."""
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
    return replace(
        cart, facility_id=next(iter(sellers)), lines=lines, expires_at=now + CART_LIFETIME
    )


def require_current(cart: Cart, products: Mapping[str, Product], now: datetime) -> None:
    """CartUnknown when it is over, ProductUnknown when a product was withdrawn, PriceChanged when a price is not the one shown."""
    if now >= cart.expires_at:
        raise CartUnknown
    for line in cart.lines:
        product = products[line.sku]
        require_published(product)
        if product.variant(line.sku).price_idr != line.price_idr:
            raise PriceChanged(sku=line.sku, price_idr=product.variant(line.sku).price_idr)


def quantities_by_sku(cart: Cart) -> dict[str, int]:
    """Quantity by SKU: lines of one SKU are summed first, in sorted order."""
    sums: dict[str, int] = {}
    for line in cart.lines:
        sums[line.sku] = sums.get(line.sku, 0) + line.qty
    return dict(sorted(sums.items()))
