"""Rules of guests: how much one phone number or e-mail address holds without paying.

Guests have no identity, so hoarding is limited by contact.
Not here: the contact itself, which lies in its order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chassis.errors import Conflict
from services.marketplace.settings import TEXTS

MAX_UNPAID_ORDERS = 3
COUNTRY_CODE = "62"


class TooManyUnpaidOrders(Conflict):
    """The phone number or e-mail address has as many unpaid orders as one may have."""

    title = TEXTS["errors.too_many_unpaid_orders"]


class HoldsTooMuch(Conflict):
    """Unpaid orders of one contact hold at most half of what is available, rounded up."""

    title = TEXTS["errors.holds_too_much"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpaidOrder:
    """An unpaid order, and how many units of each stock it holds."""

    order_id: str
    quantities: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestHolds:
    """The unpaid orders of one contact; the id is a hash of the normalised contact."""

    id: str
    orders: tuple[UnpaidOrder, ...] = ()
    version: int = 0


def contact_ids(phone: str, email: str) -> tuple[str, ...]:
    """Return the id of each contact that is given; spellings of one contact have one id."""
    names: list[str] = []
    if phone:
        names.append(f"phone:{_normalise_phone(phone)}")
    if email:
        names.append(f"email:{_normalise_email(email)}")
    return tuple(hashlib.sha256(name.encode()).hexdigest() for name in names)


def hold(guest: GuestHolds, order: UnpaidOrder, available: Mapping[str, int]) -> GuestHolds:
    """Add an unpaid order; `available` are the units by stock before it.

    What the contact holds already counts as available to it. Raises TooManyUnpaidOrders or
    HoldsTooMuch.
    """
    if len(guest.orders) >= MAX_UNPAID_ORDERS:
        raise TooManyUnpaidOrders(limit=MAX_UNPAID_ORDERS)
    for stock_id, qty in order.quantities.items():
        held = sum(other.quantities.get(stock_id, 0) for other in guest.orders)
        limit = (available[stock_id] + held + 1) // 2
        if held + qty > limit:
            raise HoldsTooMuch(sku=stock_id.partition("@")[0], limit=max(limit - held, 0))
    return replace(guest, orders=(*guest.orders, order))


def release(guest: GuestHolds, order_id: str) -> GuestHolds:
    """Remove an order that is paid or closed."""
    orders = tuple(order for order in guest.orders if order.order_id != order_id)
    return replace(guest, orders=orders)


def _normalise_phone(phone: str) -> str:
    """Return the digits of a number with the country code: 0812, +62 812 and 62812 are one."""
    digits = "".join(str(int(character)) for character in phone if character.isdecimal())
    digits = digits.removeprefix("00")
    digits = digits.removeprefix("0")
    return COUNTRY_CODE + digits.removeprefix(COUNTRY_CODE)


def _normalise_email(email: str) -> str:
    """Return the address in lower case, without a tag: a+b@x is a@x."""
    name, _, domain = email.strip().casefold().rpartition("@")
    return f"{name.partition('+')[0]}@{domain}"
