"""How carts are kept."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Store
from services.marketplace.carts.rules import Cart, CartUnknown


class Carts(Store[Cart]):
    """Whoever knows the random id of a cart may use it; MongoDB forgets it when it is over."""

    kind = Cart
    collection = "carts"
    unknown = CartUnknown
    scope = {"public": ""}
    indexes = (Index("expires_at", expire_seconds=0),)
    audited = False
