"""Use cases of guests: count an unpaid order, forget it when it is paid or closed.

Not here: rules, the orders themselves (orders).
"""

from __future__ import annotations

from collections.abc import Mapping

from services.marketplace.buyers import rules
from services.marketplace.buyers.rules import GuestHolds, UnpaidOrder
from services.marketplace.transaction import Transaction


async def hold(
    contact_ids: tuple[str, ...],
    order: UnpaidOrder,
    available: Mapping[str, int],
    tx: Transaction,
) -> None:
    """Count an unpaid order for each contact. Raises TooManyUnpaidOrders or HoldsTooMuch."""
    stored = await tx.guests.many(contact_ids)
    for id_ in contact_ids:
        before = stored.get(id_)
        after = rules.hold(before or GuestHolds(id=id_), order, available)
        if before is None:
            tx.guests.add(after)
        else:
            tx.guests.save(before, after)


async def release(contact_ids: tuple[str, ...], order_id: str, tx: Transaction) -> None:
    """Forget an order that is paid or closed; a contact without others is forgotten too."""
    for before in (await tx.guests.many(contact_ids)).values():
        after = rules.release(before, order_id)
        if not after.orders:
            tx.guests.remove(before)
        elif after != before:
            tx.guests.save(before, after)
