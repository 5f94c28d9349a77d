"""Rules of stock: one SKU at one location, its movements and reservations.

Stock changes through movements only. It is never oversold: on_hand, reserved and allocated are
never negative, and reserved + allocated <= on_hand. Available units lie in portions by batch and
unit cost. They are taken first-in-first-out, so that every unit sold is traced to its batch and
its cost.
Not here: why stock moves (batches, orders).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound
from services.marketplace.money import Rupiah, total
from services.marketplace.settings import TEXTS


class StockUnknown(NotFound):
    title = TEXTS["errors.stock_unknown"]


class StockShort(Conflict):
    """Fewer units are available than asked for."""

    title = TEXTS["errors.stock_short"]


class StockUnsound(Conflict):
    """A movement takes more than is reserved or allocated."""

    title = TEXTS["errors.stock_unsound"]


class ReservationUnknown(NotFound):
    title = TEXTS["errors.reservation_unknown"]


class ReservationResolved(Conflict):
    """The reservation was already consumed, released or expired."""

    title = TEXTS["errors.reservation_resolved"]


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
    """One SKU at one location; its id is `sku@location`.

    `portions` are the available units, oldest first.
    """

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
        """Units that are neither reserved nor allocated."""
        return self.on_hand - self.reserved - self.allocated


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of a stock, append-only.

    Its id is made of its cause, so that the same cause moves stock once.
    """

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
    """The units of one stock that a reservation or order holds."""

    stock_id: str
    portions: tuple[Portion, ...]

    @property
    def qty(self) -> int:
        """How many units are held."""
        return sum(portion.qty for portion in self.portions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The goods reserved for one order; its id is the order's. It is resolved once."""

    id: str
    facility_id: str
    goods: tuple[HeldStock, ...]
    expires_at: datetime
    state: ReservationState = ReservationState.ACTIVE
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementCause:
    """The cause of a movement: the batch or order, who did it, when."""

    reference: str
    actor: str
    at: datetime


def stock_id(sku: str, location: str) -> str:
    """Return the id of a stock."""
    return f"{sku}@{location}"


def sku_of(id_: str) -> str:
    """Return the SKU in the id of a stock."""
    return id_.partition("@")[0]


def home_location(facility_id: str) -> str:
    """Return the store room of the Lapas, where its batches are received."""
    return f"{facility_id}:lapas"


def contention_key(id_: str) -> str:
    """Return the name under which writers of a stock queue on a fair lock."""
    return f"stock/{id_}"


def require_stock(stock: Stock | None, sku: str) -> Stock:
    """Return the stock. Raises StockShort when no unit was ever received."""
    if stock is None:
        raise StockShort(sku=sku, available=0)
    return stock


def receive(
    stock: Stock, portions: Sequence[Portion], cause: MovementCause
) -> tuple[Stock, Movement]:
    """Receive the good units of a completed batch."""
    received = replace(stock, portions=_add_portions(stock.portions, portions))
    return _apply_movement(received, MovementKind.RECEIVE, cause, on_hand=_count_units(portions))


def reserve(stock: Stock, qty: int, cause: MovementCause) -> tuple[Stock, HeldStock, Movement]:
    """Reserve units for an unpaid order. Raises StockShort."""
    taken, left = _take_units(stock, qty)
    rest = replace(stock, portions=left)
    after, movement = _apply_movement(rest, MovementKind.RESERVE, cause, reserved=qty)
    return after, HeldStock(stock_id=stock.id, portions=taken), movement


def release(
    stock: Stock, held: HeldStock, cause: MovementCause, *, expired: bool
) -> tuple[Stock, Movement]:
    """Release units of an unpaid order; each goes back to its position by age."""
    kind = MovementKind.EXPIRE if expired else MovementKind.RELEASE
    released = replace(stock, portions=_add_portions(stock.portions, held.portions))
    return _apply_movement(released, kind, cause, reserved=-held.qty)


def allocate(stock: Stock, held: HeldStock, cause: MovementCause) -> tuple[Stock, Movement]:
    """Allocate reserved units to their order, which is paid."""
    return _apply_movement(
        stock, MovementKind.ALLOCATE, cause, reserved=-held.qty, allocated=held.qty
    )


def allocate_direct(
    stock: Stock, qty: int, cause: MovementCause
) -> tuple[Stock, HeldStock, Movement]:
    """Allocate available units to an order that was paid late. Raises StockShort."""
    taken, left = _take_units(stock, qty)
    rest = replace(stock, portions=left)
    after, movement = _apply_movement(rest, MovementKind.ALLOCATE_DIRECT, cause, allocated=qty)
    return after, HeldStock(stock_id=stock.id, portions=taken), movement


def unallocate(stock: Stock, held: HeldStock, cause: MovementCause) -> tuple[Stock, Movement]:
    """Make the units of an order available again after a reversal of its payment."""
    returned = replace(stock, portions=_add_portions(stock.portions, held.portions))
    return _apply_movement(returned, MovementKind.UNALLOCATE, cause, allocated=-held.qty)


def ship(stock: Stock, qty: int, cause: MovementCause) -> tuple[Stock, Movement]:
    """Ship allocated units: they leave the stock."""
    return _apply_movement(stock, MovementKind.SHIP, cause, on_hand=-qty, allocated=-qty)


def resolve(reservation: Reservation, state: ReservationState) -> Reservation:
    """Resolve an active reservation. Raises ReservationResolved."""
    if reservation.state is not ReservationState.ACTIVE:
        raise ReservationResolved(state=reservation.state)
    return replace(reservation, state=state)


def extend(reservation: Reservation, expires_at: datetime) -> Reservation:
    """Extend an active reservation to `expires_at`. Raises ReservationResolved."""
    if reservation.state is not ReservationState.ACTIVE:
        raise ReservationResolved(state=reservation.state)
    return replace(reservation, expires_at=expires_at)


def is_available(stocks: Mapping[str, Stock], quantities: Mapping[str, int]) -> bool:
    """Return whether every quantity (by stock id) is available."""
    return all(stocks[key].available >= qty for key, qty in quantities.items())


def cost_of(portions: Iterable[Portion]) -> Rupiah:
    """Return what these units cost to make."""
    return total(portion.qty * portion.unit_cost_idr for portion in portions)


def distribute_portions(
    portions: Sequence[Portion], quantities: Sequence[int]
) -> list[tuple[Portion, ...]]:
    """Return portions for several lines of one SKU, oldest first, each with its quantity."""
    shares: list[tuple[Portion, ...]] = []
    rest = tuple(portions)
    for qty in quantities:
        share, rest = _split(rest, qty)
        shares.append(share)
    return shares


def _take_units(stock: Stock, qty: int) -> tuple[tuple[Portion, ...], tuple[Portion, ...]]:
    if qty > stock.available:
        detail = TEXTS["details.stock_short"].format(available=stock.available)
        raise StockShort(detail, sku=stock.sku, available=stock.available)
    return _split(stock.portions, qty)


def _split(
    portions: tuple[Portion, ...], qty: int
) -> tuple[tuple[Portion, ...], tuple[Portion, ...]]:
    taken: list[Portion] = []
    left: list[Portion] = []
    missing = qty
    for portion in portions:
        count = min(portion.qty, missing)
        missing -= count
        if count > 0:
            taken.append(replace(portion, qty=count))
        if count < portion.qty:
            left.append(replace(portion, qty=portion.qty - count))
    return tuple(taken), tuple(left)


def _add_portions(portions: Iterable[Portion], more: Iterable[Portion]) -> tuple[Portion, ...]:
    """Merge portions of the same batch and cost, oldest first, then the dearer ones first."""
    units: Counter[tuple[datetime, str, Rupiah]] = Counter()
    for portion in (*portions, *more):
        units[portion.received_at, portion.batch_id, portion.unit_cost_idr] += portion.qty
    merged = [
        Portion(batch_id=batch_id, received_at=received_at, unit_cost_idr=unit_cost_idr, qty=qty)
        for (received_at, batch_id, unit_cost_idr), qty in units.items()
    ]
    return tuple(sorted(merged, key=_sale_order))


def _sale_order(portion: Portion) -> tuple[datetime, str, int]:
    return portion.received_at, portion.batch_id, -portion.unit_cost_idr


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
    lowest_balance = min(after.on_hand, after.reserved, after.allocated, after.available)
    if lowest_balance < 0 or after.available != _count_units(after.portions):
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
