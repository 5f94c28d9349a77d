"""Use cases of stock: each movement happens in the transaction of its cause.

Not here: rules, and who may cause a movement (batches, orders).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from chassis.persistence.store import Page
from services.marketplace.stock import rules
from services.marketplace.stock.rules import (
    HeldStock,
    Movement,
    MovementCause,
    Portion,
    Reservation,
    ReservationState,
    Stock,
    stock_id,
)
from services.marketplace.transaction import Transaction

TakeUnits = Callable[[Stock, int, MovementCause], tuple[Stock, HeldStock, Movement]]


async def receive(
    sku: str,
    location: str,
    facility_id: str,
    portions: Sequence[Portion],
    batch_id: str,
    tx: Transaction,
) -> Stock:
    """Receive the good units of a batch into stock."""
    key = stock_id(sku, location)
    stored = await tx.stocks.seek(key, scoped=False)
    before = stored or Stock(id=key, sku=sku, location=location, facility_id=facility_id)
    after, movement = rules.receive(before, portions, _movement_cause(batch_id, tx))
    tx.movements.add(movement, scoped=False)
    if stored is None:
        return tx.stocks.add(after)
    return tx.stocks.save(stored, after)


async def reserve(
    order_id: str,
    facility_id: str,
    quantities: Mapping[str, int],
    expires_at: datetime,
    tx: Transaction,
) -> Reservation:
    """Reserve quantities (by stock id, summed and sorted) for an unpaid order.

    Raises StockShort when one of them is not available.
    """
    goods = await _take_goods(order_id, quantities, rules.reserve, tx)
    reservation = Reservation(
        id=order_id, facility_id=facility_id, goods=tuple(goods), expires_at=expires_at
    )
    return tx.reservations.add(reservation, scoped=False)


async def count_available(quantities: Iterable[str], tx: Transaction) -> dict[str, int]:
    """Return the available units of each stock by its id."""
    stocks = await tx.stocks.many(quantities, scoped=False)
    return {key: stocks[key].available if key in stocks else 0 for key in quantities}


async def extend_reservation(order_id: str, expires_at: datetime, tx: Transaction) -> None:
    """Extend the reservation of an order to `expires_at`."""
    reservation = await tx.reservations.get(order_id, scoped=False)
    tx.reservations.save(reservation, rules.extend(reservation, expires_at))


async def consume_reservation(reservation: Reservation, tx: Transaction) -> None:
    """Allocate the reserved goods to their order, which is paid."""
    tx.reservations.save(reservation, rules.resolve(reservation, ReservationState.CONSUMED))
    cause = _movement_cause(reservation.id, tx)
    for held in reservation.goods:
        before = await tx.stocks.get(held.stock_id, scoped=False)
        after, movement = rules.allocate(before, held, cause)
        _save_movement(before, after, movement, tx)


async def release_reservation(order_id: str, state: ReservationState, tx: Transaction) -> None:
    """Release the goods of an order that expired or was cancelled unpaid."""
    reservation = await tx.reservations.get(order_id, scoped=False)
    tx.reservations.save(reservation, rules.resolve(reservation, state))
    cause = _movement_cause(order_id, tx)
    is_expired = state is ReservationState.EXPIRED
    for held in reservation.goods:
        before = await tx.stocks.get(held.stock_id, scoped=False)
        after, movement = rules.release(before, held, cause, expired=is_expired)
        _save_movement(before, after, movement, tx)


async def allocate_late(
    order_id: str, quantities: Mapping[str, int], tx: Transaction
) -> list[HeldStock] | None:
    """Allocate goods to an order that was paid late.

    Returns None, and moves nothing, when one quantity is not available.
    """
    stocks = await tx.stocks.many(quantities, scoped=False)
    if not rules.is_available(stocks, quantities):
        return None
    return await _take_goods(order_id, quantities, rules.allocate_direct, tx)


async def unallocate(order_id: str, goods: Sequence[HeldStock], tx: Transaction) -> None:
    """Make the goods of an order available again after a reversal of its payment."""
    cause = _movement_cause(order_id, tx)
    for held in goods:
        before = await tx.stocks.get(held.stock_id, scoped=False)
        after, movement = rules.unallocate(before, held, cause)
        _save_movement(before, after, movement, tx)


async def ship(order_id: str, goods: Sequence[HeldStock], tx: Transaction) -> None:
    """Ship the goods of an order: they leave the stock."""
    cause = _movement_cause(order_id, tx)
    for held in goods:
        before = await tx.stocks.get(held.stock_id)
        after, movement = rules.ship(before, held.qty, cause)
        _save_movement(before, after, movement, tx)


async def list_stock(
    sku: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Stock]:
    """Return one page of stock, of one SKU or all."""
    return await tx.stocks.list_page(sku, cursor, limit)


async def list_movements(
    id_: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Movement]:
    """Return one page of the movements of the stock of this id."""
    return await tx.movements.list_page(id_, cursor, limit)


async def _take_goods(
    order_id: str, quantities: Mapping[str, int], take_units: TakeUnits, tx: Transaction
) -> list[HeldStock]:
    cause = _movement_cause(order_id, tx)
    goods: list[HeldStock] = []
    for key, qty in quantities.items():
        stored = await tx.stocks.seek(key, scoped=False)
        before = rules.require_stock(stored, rules.sku_of(key))
        after, held, movement = take_units(before, qty, cause)
        _save_movement(before, after, movement, tx)
        goods.append(held)
    return goods


def _save_movement(before: Stock, after: Stock, movement: Movement, tx: Transaction) -> None:
    tx.stocks.save(before, after)
    tx.movements.add(movement, scoped=False)


def _movement_cause(reference: str, tx: Transaction) -> MovementCause:
    return MovementCause(reference=reference, actor=tx.caller.subject, at=tx.now)
