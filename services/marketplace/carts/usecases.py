"""What happens: carts are opened and filled."""

from __future__ import annotations

from services.marketplace.carts import rules
from services.marketplace.carts.rules import LIFETIME, Cart, CartId
from services.marketplace.transaction import Transaction


async def open_cart(cart_id: CartId, wanted: list[tuple[str, int]], tx: Transaction) -> Cart:
    """Open a cart with these (sku, quantity) lines."""
    products = await tx.products.by_sku(sku for sku, _ in wanted)
    empty = Cart(id=cart_id, facility_id="", lines=(), expires_at=tx.now + LIFETIME)
    return tx.carts.add(rules.fill(empty, wanted, products, tx.now))


async def fill(
    cart_id: CartId, wanted: list[tuple[str, int]], if_match: int | None, tx: Transaction
) -> Cart:
    """Replace the lines of a cart; prices are those of now."""
    before = await tx.carts.get(cart_id, if_match=if_match)
    products = await tx.products.by_sku(sku for sku, _ in wanted)
    return tx.carts.save(before, rules.fill(before, wanted, products, tx.now))
