"""The stored carts.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Store
from services.marketplace.carts.rules import Cart, CartUnknown


class Carts(Store[Cart]):
    """The carts. The random id of a cart is the key to it; MongoDB deletes expired carts."""

    kind = Cart
    collection = "carts"
    unknown = CartUnknown
    scope = {"public": ""}
    indexes = (Index("expires_at", expire_seconds=0),)
    audited = False
