"""What happens: stock moves for batches and orders, each movement in the transaction of its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.marketplace.stock import rules
from services.marketplace.stock.rules import (
    HeldStock,
    MovementCause,
    Portion,
    Reservation,
    ReservationState,
    Stock,
    StockShort,
    stock_id,
)
from services.marketplace.transaction import Transaction


async def receive(
    sku: str,
    location: str,
    facility_id: str,
    portions: Sequence[Portion],
    batch_id: str,
    tx: Transaction,
) -> Stock:
    """Take the good units of a batch into stock."""
    key = stock_id(sku, location)
    known = await tx.stocks.seek(key, scoped=False)
    before = known or Stock(id=key, sku=sku, location=location, facility_id=facility_id)
    after, movement = rules.receive(before, portions, _movement_cause(batch_id, tx))
    tx.movements.add(movement, scoped=False)
    return tx.stocks.save(before, after) if known else tx.stocks.add(after)


async def reserve(
    order_id: str,
    facility_id: str,
    quantities: Mapping[str, int],
    expires_at: datetime,
    tx: Transaction,
) -> Reservation:
    """Hold these quantities (by stock id, summed and in sorted order) for an unpaid order; StockShort when one is not there."""
    held = [
        await _take_units(key, qty, order_id, tx, reserving=True) for key, qty in quantities.items()
    ]
    return tx.reservations.add(
        Reservation(id=order_id, facility_id=facility_id, goods=tuple(held), expires_at=expires_at),
        scoped=False,
    )


async def extend_reservation(order_id: str, expires_at: datetime, tx: Transaction) -> None:
    """Hold the goods until then."""
    reservation = await tx.reservations.get(order_id, scoped=False)
    tx.reservations.save(reservation, rules.extend(reservation, expires_at))


async def consume_reservation(reservation: Reservation, tx: Transaction) -> None:
    """The order is paid: its goods are its own."""
    tx.reservations.save(reservation, rules.resolve(reservation, ReservationState.CONSUMED))
    for held in reservation.goods:
        before = await tx.stocks.get(held.stock_id, scoped=False)
        after, movement = rules.allocate(before, held, _movement_cause(reservation.id, tx))
        _save_movement(before, after, movement, tx)


async def release_reservation(order_id: str, state: ReservationState, tx: Transaction) -> None:
    """The order was not paid: its goods are for others."""
    reservation = await tx.reservations.get(order_id, scoped=False)
    tx.reservations.save(reservation, rules.resolve(reservation, state))
    for held in reservation.goods:
        before = await tx.stocks.get(held.stock_id, scoped=False)
        after, movement = rules.release(
            before, held, _movement_cause(order_id, tx), expired=state is ReservationState.EXPIRED
        )
        _save_movement(before, after, movement, tx)


async def allocate_late(
    order_id: str, quantities: Mapping[str, int], tx: Transaction
) -> list[HeldStock] | None:
    """Give a late-paid order its goods if all of them are there; None, and nothing moves, if not."""
    known = await tx.stocks.many(quantities, scoped=False)
    if any(known[key].available < qty for key, qty in quantities.items()):
        return None
    return [
        await _take_units(key, qty, order_id, tx, reserving=False)
        for key, qty in quantities.items()
    ]


async def unallocate(order_id: str, goods: Sequence[HeldStock], tx: Transaction) -> None:
    """A payment was taken back before shipping: the goods are for others again."""
    for held in goods:
        before = await tx.stocks.get(held.stock_id, scoped=False)
        after, movement = rules.unallocate(before, held, _movement_cause(order_id, tx))
        _save_movement(before, after, movement, tx)


async def ship(order_id: str, goods: Sequence[HeldStock], tx: Transaction) -> None:
    """The goods of an order leave the house."""
    for held in goods:
        before = await tx.stocks.get(held.stock_id)
        after, movement = rules.ship(before, held.qty, _movement_cause(order_id, tx))
        _save_movement(before, after, movement, tx)


async def _take_units(
    key: str, qty: int, order_id: str, tx: Transaction, *, reserving: bool
) -> HeldStock:
    before = await tx.stocks.seek(key, scoped=False)
    if before is None:
        raise StockShort(sku=key.partition("@")[0], available=0)
    after, held, movement = (rules.reserve if reserving else rules.allocate_direct)(
        before, qty, _movement_cause(order_id, tx)
    )
    _save_movement(before, after, movement, tx)
    return held


def _save_movement(before: Stock, after: Stock, movement: rules.Movement, tx: Transaction) -> None:
    tx.stocks.save(before, after)
    tx.movements.add(movement, scoped=False)


def _movement_cause(reference: str, tx: Transaction) -> MovementCause:
    return MovementCause(reference=reference, actor=tx.caller.subject, at=tx.now)
