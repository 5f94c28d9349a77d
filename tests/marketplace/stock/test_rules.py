"""Rules of stock: balances, portions by batch, reservations resolved once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from services.marketplace.money import Rupiah
from services.marketplace.stock import rules
from services.marketplace.stock.rules import (
    HeldStock,
    Movement,
    MovementCause,
    Portion,
    Reservation,
    ReservationState,
    Stock,
    StockShort,
)

START = datetime(2026, 11, 2, 3, tzinfo=UTC)


def stock(*portions: Portion) -> Stock:
    qty = sum(portion.qty for portion in portions)
    return Stock(
        id="KURSI@LP-TJP:lapas",
        sku="KURSI",
        location="LP-TJP:lapas",
        facility_id="LP-TJP",
        on_hand=qty,
        portions=portions,
    )


def portion(batch: str, qty: int, cost: int, day: int = 0) -> Portion:
    return Portion(
        batch_id=batch, received_at=START + timedelta(days=day), unit_cost_idr=Rupiah(cost), qty=qty
    )


def cause(reference: str) -> MovementCause:
    return MovementCause(reference=reference, actor="officer", at=START)


def test_the_oldest_batch_is_sold_first_and_its_cost_goes_with_it() -> None:
    older = portion("b1", 2, 40_000)
    newer = portion("b2", 5, 45_000, day=1)
    after, held, movement = rules.reserve(stock(older, newer), 3, cause("o1"))
    assert held.portions == (older, replace(newer, qty=1))
    assert rules.cost_of(held.portions) == 125_000
    assert (after.on_hand, after.reserved, after.available) == (7, 3, 4)
    assert (movement.on_hand, movement.reserved, movement.allocated) == (0, 3, 0)


def test_one_unit_more_than_available_is_refused_as_stok_habis() -> None:
    with pytest.raises(StockShort) as refused:
        rules.reserve(stock(portion("b1", 7, 40_000)), 8, cause("o1"))
    assert (refused.value.title.id, refused.value.code, refused.value.facts["available"]) == (
        "Stok habis",
        "stock_short",
        7,
    )


def test_released_units_are_sold_before_newer_batches() -> None:
    before = stock(portion("b1", 2, 40_000), portion("b2", 5, 45_000, day=1))
    after, held, _ = rules.reserve(before, 3, cause("o1"))
    back, _ = rules.release(after, held, cause("o1"), expired=True)
    assert back.portions == before.portions
    assert (back.on_hand, back.reserved) == (7, 0)


def test_two_lines_of_one_sku_share_what_was_reserved_for_both() -> None:
    portions = (portion("b1", 4, 40_000), portion("b2", 2, 45_000, day=1))
    first, second = rules.distribute_portions(portions, [3, 3])
    assert [(share.batch_id, share.qty) for share in first] == [("b1", 3)]
    assert [(share.batch_id, share.qty) for share in second] == [("b1", 1), ("b2", 2)]


def test_the_id_of_a_movement_is_made_of_its_cause() -> None:
    _, _, movement = rules.reserve(stock(portion("b1", 1, 1)), 1, cause("o1"))
    assert movement.id == "reserve/o1/KURSI@LP-TJP:lapas"


def test_more_than_was_allocated_cannot_be_shipped() -> None:
    with pytest.raises(rules.StockUnsound):
        rules.ship(stock(portion("b1", 3, 1)), 1, cause("o1"))


@pytest.mark.parametrize(
    "first", [ReservationState.CONSUMED, ReservationState.RELEASED, ReservationState.EXPIRED]
)
def test_a_resolved_reservation_is_never_resolved_again(first: ReservationState) -> None:
    reservation = Reservation(id="o1", facility_id="LP-TJP", goods=(), expires_at=START)
    resolved = rules.resolve(reservation, first)
    for again in (ReservationState.CONSUMED, ReservationState.RELEASED, ReservationState.EXPIRED):
        with pytest.raises(rules.ReservationResolved):
            rules.resolve(resolved, again)


class StockLife(RuleBasedStateMachine):
    """Any sequence of movements keeps three invariants.

    Stock is never oversold, movements sum to the balances, and every unit keeps its batch and
    cost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stock = stock()
        self.movements: list[Movement] = []
        self.received: list[Portion] = []
        self.shipped: list[Portion] = []
        self.active: dict[str, HeldStock] = {}
        self.allocated: dict[str, HeldStock] = {}
        self.orders = 0

    reservations = Bundle("reservations")
    sales = Bundle("sales")

    def apply(self, after: Stock, movement: Movement) -> None:
        """Keep the stock after a movement, and the movement."""
        self.stock = after
        self.movements.append(movement)

    def next_order(self) -> str:
        """Return the id of a new order."""
        self.orders += 1
        return f"o{self.orders}"

    @rule(qty=st.integers(1, 9), cost=st.integers(0, 90_000))
    def receive(self, qty: int, cost: int) -> None:
        batch = portion(f"b{len(self.received)}", qty, cost, day=len(self.received))
        self.apply(*rules.receive(self.stock, [batch], cause(batch.batch_id)))
        self.received.append(batch)

    @rule(target=reservations, qty=st.integers(1, 6))
    def reserve(self, qty: int) -> str | None:
        order = self.next_order()
        if qty > self.stock.available:
            with pytest.raises(StockShort):
                rules.reserve(self.stock, qty, cause(order))
            return None
        after, held, movement = rules.reserve(self.stock, qty, cause(order))
        assert held.qty == qty
        self.apply(after, movement)
        self.active[order] = held
        return order

    @rule(order=consumes(reservations), expired=st.booleans())
    def release(self, order: str | None, expired: bool) -> None:  # noqa: FBT001 - drawn values
        if order is None:
            return
        held = self.active.pop(order)
        self.apply(*rules.release(self.stock, held, cause(order), expired=expired))

    @rule(target=sales, order=consumes(reservations))
    def sell(self, order: str | None) -> str | None:
        if order is None:
            return None
        held = self.active.pop(order)
        self.apply(*rules.allocate(self.stock, held, cause(order)))
        self.allocated[order] = held
        return order

    @rule(order=consumes(sales), reversed_=st.booleans())
    def end(self, order: str | None, reversed_: bool) -> None:  # noqa: FBT001 - drawn values
        if order is None:
            return
        held = self.allocated.pop(order)
        if reversed_:
            self.apply(*rules.unallocate(self.stock, held, cause(order)))
            return
        self.apply(*rules.ship(self.stock, held.qty, cause(order)))
        self.shipped.extend(held.portions)

    @rule(target=sales, qty=st.integers(1, 6))
    def sell_late(self, qty: int) -> str | None:
        order = self.next_order()
        if qty > self.stock.available:
            with pytest.raises(StockShort):
                rules.allocate_direct(self.stock, qty, cause(order))
            return None
        after, held, movement = rules.allocate_direct(self.stock, qty, cause(order))
        self.apply(after, movement)
        self.allocated[order] = held
        return order

    @invariant()
    def never_oversold(self) -> None:
        assert min(self.stock.on_hand, self.stock.reserved, self.stock.allocated) >= 0
        assert self.stock.reserved + self.stock.allocated <= self.stock.on_hand

    @invariant()
    def movements_sum_to_the_balances(self) -> None:
        assert sum(movement.on_hand for movement in self.movements) == self.stock.on_hand
        assert sum(movement.reserved for movement in self.movements) == self.stock.reserved
        assert sum(movement.allocated for movement in self.movements) == self.stock.allocated
        assert sum(held.qty for held in self.active.values()) == self.stock.reserved
        assert sum(held.qty for held in self.allocated.values()) == self.stock.allocated
        assert len({movement.id for movement in self.movements}) == len(self.movements)

    @invariant()
    def every_unit_keeps_its_batch_and_cost(self) -> None:
        portions = [*self.stock.portions, *self.shipped]
        for held in (*self.active.values(), *self.allocated.values()):
            portions += held.portions
        for batch in self.received:
            batch_and_cost = (batch.batch_id, batch.unit_cost_idr)
            units = [
                held.qty
                for held in portions
                if (held.batch_id, held.unit_cost_idr) == batch_and_cost
            ]
            assert sum(units) == batch.qty
        oldest_first = sorted(self.stock.portions, key=lambda available: available.received_at)
        assert list(self.stock.portions) == oldest_first


StockLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStockLife = pytest.mark.scenario("INV-1/rules")(
    pytest.mark.scenario("INV-2/rules")(pytest.mark.scenario("INV-3/rules")(StockLife.TestCase))
)
