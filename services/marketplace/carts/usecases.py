"""Use cases of carts: open, read, fill.

Not here: rules, checkout (orders).
"""

from __future__ import annotations

from services.marketplace.carts import rules
from services.marketplace.carts.rules import CART_LIFETIME, Cart, CartId
from services.marketplace.transaction import Transaction


async def open_cart(cart_id: CartId, quantities: list[tuple[str, int]], tx: Transaction) -> Cart:
    """Open a cart with these (sku, quantity) lines."""
    products = await tx.products.get_by_sku(sku for sku, _ in quantities)
    empty = Cart(id=cart_id, facility_id="", lines=(), expires_at=tx.now + CART_LIFETIME)
    return tx.carts.add(rules.fill(empty, quantities, products, tx.now))


async def read_cart(cart_id: CartId, tx: Transaction) -> Cart:
    """Return one cart."""
    return await tx.carts.get(cart_id)


async def fill(
    cart_id: CartId, quantities: list[tuple[str, int]], version: int, tx: Transaction
) -> Cart:
    """Replace the lines of a cart, at the current prices."""
    before = await tx.carts.get(cart_id, if_match=version)
    products = await tx.products.get_by_sku(sku for sku, _ in quantities)
    return tx.carts.save(before, rules.fill(before, quantities, products, tx.now))
