"""What is allowed: stock of one SKU at one place, its movements and reservations. Stock changes through movements only.

A Stock is never oversold: on_hand, reserved and allocated are never negative and reserved + allocated <= on_hand. What is available lies in
portions by batch and unit cost; they are taken first-in-first-out, so that every unit sold is traced to its batch and its cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound
from services.marketplace.money import Rupiah, total
from services.marketplace.texts import text


class StockUnknown(NotFound):
    title = "Stok tidak ditemukan"


class StockShort(Conflict):
    """Fewer are available than asked for."""

    title = "Stok habis"


class StockUnsound(Conflict):
    """A movement that its balances do not allow: less reserved or allocated than it takes."""

    title = "Saldo stok tidak memungkinkan gerakan ini"


class ReservationUnknown(NotFound):
    title = "Reservasi tidak ditemukan"


class ReservationResolved(Conflict):
    """It was consumed, released or expired before: once is all."""

    title = "Reservasi sudah tidak berlaku"


class MovementKind(StrEnum):
    RECEIVE = "receive"
    RESERVE = "reserve"
    RELEASE = "release"
    EXPIRE = "expire"
    ALLOCATE = "allocate"
    ALLOCATE_DIRECT = "allocate_direct"
    UNALLOCATE = "unallocate"
    SHIP = "ship"


class ReservationState(StrEnum):
    ACTIVE = "active"
    CONSUMED = "consumed"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Units of one batch that cost the same."""

    batch_id: str
    received_at: datetime
    unit_cost_idr: Rupiah
    qty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """One SKU at one location; its id is `sku@location`. `portions` are the available units, oldest first."""

    id: str
    sku: str
    location: str
    facility_id: str
    on_hand: int = 0
    reserved: int = 0
    allocated: int = 0
    portions: tuple[Portion, ...] = ()
    version: int = 0

    @property
    def available(self) -> int:
        """Units that may still be promised to somebody."""
        return self.on_hand - self.reserved - self.allocated


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of a stock, append-only. Its id is made of what caused it, so that the same cause moves stock once."""

    id: str
    stock_id: str
    facility_id: str
    kind: MovementKind
    on_hand: int
    reserved: int
    allocated: int
    reference: str
    actor: str
    moved_at: datetime
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldStock:
    """What a reservation holds of one stock."""

    stock_id: str
    portions: tuple[Portion, ...]

    @property
    def qty(self) -> int:
        """How many units are held."""
        return sum(portion.qty for portion in self.portions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What one order holds; its id is the order's. It is resolved once."""

    id: str
    facility_id: str
    goods: tuple[HeldStock, ...]
    expires_at: datetime
    state: ReservationState = ReservationState.ACTIVE
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementCause:
    """Why stock moves: the batch or order it moves for, who did it, when."""

    reference: str
    actor: str
    at: datetime


def stock_id(sku: str, location: str) -> str:
    """The id of a stock."""
    return f"{sku}@{location}"


def home_location(facility_id: str) -> str:
    """The store of the Lapas itself, where its batches are received."""
    return f"{facility_id}:lapas"


def receive(
    stock: Stock, portions: Sequence[Portion], cause: MovementCause
) -> tuple[Stock, Movement]:
    """Good units of a completed batch come in."""
    qty = _count_units(portions)
    return _apply_movement(
        replace(stock, portions=_add_portions(stock.portions, portions)),
        MovementKind.RECEIVE,
        cause,
        on_hand=qty,
    )


def reserve(stock: Stock, qty: int, cause: MovementCause) -> tuple[Stock, HeldStock, Movement]:
    """Promise units to an unpaid order; StockShort when fewer are available."""
    taken, left = _take_units(stock, qty)
    after, movement = _apply_movement(
        replace(stock, portions=left), MovementKind.RESERVE, cause, reserved=qty
    )
    return after, HeldStock(stock_id=stock.id, portions=taken), movement


def release(
    stock: Stock, held: HeldStock, cause: MovementCause, *, expired: bool
) -> tuple[Stock, Movement]:
    """Units of an unpaid order become available again, at their old place in the line."""
    kind = MovementKind.EXPIRE if expired else MovementKind.RELEASE
    return _apply_movement(
        replace(stock, portions=_add_portions(stock.portions, held.portions)),
        kind,
        cause,
        reserved=-held.qty,
    )


def allocate(stock: Stock, held: HeldStock, cause: MovementCause) -> tuple[Stock, Movement]:
    """Reserved units now belong to a paid order."""
    return _apply_movement(
        stock, MovementKind.ALLOCATE, cause, reserved=-held.qty, allocated=held.qty
    )


def allocate_direct(
    stock: Stock, qty: int, cause: MovementCause
) -> tuple[Stock, HeldStock, Movement]:
    """Available units go straight to a paid order (late payment); StockShort when fewer are available."""
    taken, left = _take_units(stock, qty)
    after, movement = _apply_movement(
        replace(stock, portions=left), MovementKind.ALLOCATE_DIRECT, cause, allocated=qty
    )
    return after, HeldStock(stock_id=stock.id, portions=taken), movement


def unallocate(stock: Stock, held: HeldStock, cause: MovementCause) -> tuple[Stock, Movement]:
    """Units of a paid order whose payment was reversed before shipping become available again."""
    return _apply_movement(
        replace(stock, portions=_add_portions(stock.portions, held.portions)),
        MovementKind.UNALLOCATE,
        cause,
        allocated=-held.qty,
    )


def ship(stock: Stock, qty: int, cause: MovementCause) -> tuple[Stock, Movement]:
    """Allocated units leave the house."""
    return _apply_movement(stock, MovementKind.SHIP, cause, on_hand=-qty, allocated=-qty)


def resolve(reservation: Reservation, state: ReservationState) -> Reservation:
    """Resolve a reservation once; ReservationResolved afterwards."""
    if reservation.state is not ReservationState.ACTIVE:
        raise ReservationResolved(state=reservation.state)
    return replace(reservation, state=state)


def extend(reservation: Reservation, expires_at: datetime) -> Reservation:
    """Hold the goods of an active reservation until then."""
    if reservation.state is not ReservationState.ACTIVE:
        raise ReservationResolved(state=reservation.state)
    return replace(reservation, expires_at=expires_at)


def cost_of(portions: Iterable[Portion]) -> Rupiah:
    """What these units cost to make."""
    return total(portion.qty * portion.unit_cost_idr for portion in portions)


def distribute_portions(
    portions: Sequence[Portion], quantities: Sequence[int]
) -> list[tuple[Portion, ...]]:
    """Hand portions out to several lines of one SKU, oldest first, each its quantity."""
    shares: list[tuple[Portion, ...]] = []
    rest = tuple(portions)
    for qty in quantities:
        share, rest = _split(rest, qty)
        shares.append(share)
    return shares


def _take_units(stock: Stock, qty: int) -> tuple[tuple[Portion, ...], tuple[Portion, ...]]:
    if qty > stock.available:
        raise StockShort(
            text("stock_short", available=stock.available), sku=stock.sku, available=stock.available
        )
    return _split(stock.portions, qty)


def _split(
    portions: tuple[Portion, ...], qty: int
) -> tuple[tuple[Portion, ...], tuple[Portion, ...]]:
    taken: list[Portion] = []
    left: list[Portion] = []
    for portion in portions:
        part = min(portion.qty, qty)
        qty -= part
        taken.extend([replace(portion, qty=part)] if part else [])
        left.extend([replace(portion, qty=portion.qty - part)] if part < portion.qty else [])
    return tuple(taken), tuple(left)


def _add_portions(portions: Iterable[Portion], more: Iterable[Portion]) -> tuple[Portion, ...]:
    units: Counter[tuple[datetime, str, int]] = Counter()
    for portion in (*portions, *more):
        units[portion.received_at, portion.batch_id, -portion.unit_cost_idr] += portion.qty
    return tuple(
        Portion(
            batch_id=batch_id,
            received_at=received_at,
            unit_cost_idr=Rupiah(-negative_cost),
            qty=qty,
        )
        for (received_at, batch_id, negative_cost), qty in sorted(units.items())
    )


def _count_units(portions: Iterable[Portion]) -> int:
    return sum(portion.qty for portion in portions)


def _apply_movement(
    stock: Stock,
    kind: MovementKind,
    cause: MovementCause,
    *,
    on_hand: int = 0,
    reserved: int = 0,
    allocated: int = 0,
) -> tuple[Stock, Movement]:
    after = replace(
        stock,
        on_hand=stock.on_hand + on_hand,
        reserved=stock.reserved + reserved,
        allocated=stock.allocated + allocated,
    )
    if min(
        after.on_hand, after.reserved, after.allocated, after.available
    ) < 0 or after.available != _count_units(after.portions):
        raise StockUnsound(kind=kind)
    movement = Movement(
        id=f"{kind}/{cause.reference}/{stock.id}",
        stock_id=stock.id,
        facility_id=stock.facility_id,
        kind=kind,
        on_hand=on_hand,
        reserved=reserved,
        allocated=allocated,
        reference=cause.reference,
        actor=cause.actor,
        moved_at=cause.at,
    )
    return after, movement
