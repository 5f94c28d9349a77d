"""What is allowed: orders. Price, cost, batches and policy are frozen when an order is placed; its states change by the table below and no other way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, NotFound
from services.marketplace.events import ProceedsSplit
from services.marketplace.money import Rupiah, total
from services.marketplace.payments.rules import Charge
from services.marketplace.policies.rules import Terms
from services.marketplace.proceeds.rules import Division
from services.marketplace.stock.rules import Held, Portion, share_out, stock_id

OrderId = NewType("OrderId", str)


class OrderUnknown(NotFound):
    title = "Pesanan tidak ditemukan"


class OrderTransitionRefused(Conflict):
    """The order's state does not know this step."""

    title = "Langkah ini tidak mungkin pada keadaan pesanan sekarang"


class OrderNotPayable(OrderTransitionRefused):
    title = "Pesanan ini tidak dapat dibayar"


class OrderNotExpirable(OrderTransitionRefused):
    title = "Pesanan ini tidak dapat kedaluwarsa"


class OrderNotCancellable(OrderTransitionRefused):
    title = "Pesanan ini tidak dapat dibatalkan"


class OrderNotPackable(OrderTransitionRefused):
    title = "Pesanan ini belum atau tidak lagi dapat dikemas"


class OrderNotShippable(OrderTransitionRefused):
    title = "Pesanan ini belum atau tidak lagi dapat dikirim"


class OrderNotDeliverable(OrderTransitionRefused):
    title = "Pesanan ini belum atau tidak lagi dapat diserahkan"


class OrderNotCompletable(OrderTransitionRefused):
    title = "Pesanan ini belum atau tidak lagi dapat diselesaikan"


class OrderNotReversible(OrderTransitionRefused):
    title = "Pembayaran pesanan ini tidak dapat dibalik"


class NotDividedYet(NotFound):
    title = "Hasil penjualan pesanan ini belum dibagi karena belum dibayar"


class State(StrEnum):
    PLACED = "placed"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PAYMENT_REVERSED = "payment_reversed"


class Step(StrEnum):
    REQUEST_PAYMENT = "request_payment"
    PAY = "pay"
    EXPIRE = "expire"
    CANCEL = "cancel"
    PACK = "pack"
    SHIP = "ship"
    DELIVER = "deliver"
    COMPLETE = "complete"
    REVERSE = "reverse"


TABLE: Mapping[tuple[State, Step], State] = {
    (State.PLACED, Step.REQUEST_PAYMENT): State.AWAITING_PAYMENT,
    (State.PLACED, Step.EXPIRE): State.EXPIRED,
    (State.PLACED, Step.CANCEL): State.CANCELLED,
    (State.AWAITING_PAYMENT, Step.PAY): State.PAID,
    (State.AWAITING_PAYMENT, Step.EXPIRE): State.EXPIRED,
    (State.AWAITING_PAYMENT, Step.CANCEL): State.CANCELLED,
    (State.EXPIRED, Step.PAY): State.PAID,
    (State.PAID, Step.PACK): State.PACKED,
    (State.PACKED, Step.SHIP): State.SHIPPED,
    (State.SHIPPED, Step.DELIVER): State.DELIVERED,
    (State.DELIVERED, Step.COMPLETE): State.COMPLETED,
    (State.PAID, Step.REVERSE): State.PAYMENT_REVERSED,
    (State.PACKED, Step.REVERSE): State.PAYMENT_REVERSED,
}
"""Every step an order may take. What is not here raises the error of its step."""

REFUSAL: Mapping[Step, type[OrderTransitionRefused]] = {
    Step.REQUEST_PAYMENT: OrderNotPayable,
    Step.PAY: OrderNotPayable,
    Step.EXPIRE: OrderNotExpirable,
    Step.CANCEL: OrderNotCancellable,
    Step.PACK: OrderNotPackable,
    Step.SHIP: OrderNotShippable,
    Step.DELIVER: OrderNotDeliverable,
    Step.COMPLETE: OrderNotCompletable,
    Step.REVERSE: OrderNotReversible,
}

UNPAID = frozenset({State.PLACED, State.AWAITING_PAYMENT})
HELD_GOODS = frozenset({State.PAID, State.PACKED})
"""Paid for and still in the house."""

GONE_GOODS = frozenset({State.SHIPPED, State.DELIVERED, State.COMPLETED})
"""Paid for and out of the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Who receives the goods: nothing more than delivery needs."""

    name: str
    phone: str
    email: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was bought, frozen: price, the batches and cost it comes from, the terms its proceeds are shared by."""

    number: int
    sku: str
    product_id: str
    title: str
    workshop_id: str
    product_class: str
    qty: int
    unit_price_idr: Rupiah
    portions: tuple[Portion, ...]
    terms: Terms

    @property
    def total_idr(self) -> Rupiah:
        """What the buyer pays for the line."""
        return Rupiah(self.qty * self.unit_price_idr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One buyer's order at one Lapas. `token` opens it to whoever holds it; `order_ref` names its charge at the payment gateway."""

    id: OrderId
    facility_id: str
    zone: str
    location: str
    buyer_ref: str
    token: str
    contact: Contact
    lines: tuple[Line, ...]
    placed_at: datetime
    expires_at: datetime
    charge: Charge | None = None
    paid_at: datetime | None = None
    state: State = State.PLACED
    version: int = 0

    @property
    def total_idr(self) -> Rupiah:
        """What the buyer pays."""
        return total(line.total_idr for line in self.lines)

    @property
    def order_ref(self) -> str:
        """The name of the first and only attempt to pay it."""
        return f"{self.id}-1"


def filled(lines: Sequence[Line], held: Mapping[str, Sequence[Portion]]) -> tuple[Line, ...]:
    """The lines with their goods: `held` has the portions of each SKU, which the lines of that SKU share in their order."""
    portions: dict[int, tuple[Portion, ...]] = {}
    for sku, parts in held.items():
        places = [place for place, line in enumerate(lines) if line.sku == sku]
        portions.update(
            zip(places, share_out(parts, [lines[place].qty for place in places]), strict=True)
        )
    return tuple(replace(line, portions=portions[place]) for place, line in enumerate(lines))


def with_goods(order: Order, held: Mapping[str, Sequence[Portion]]) -> Order:
    """A late-paid order with the goods it gets now: price and terms stay, batches and cost are those of the goods."""
    return replace(order, lines=filled(order.lines, held))


def goods(order: Order) -> tuple[Held, ...]:
    """What the order holds of each stock, in the order of their ids."""
    parts: dict[str, list[Portion]] = {}
    for line in order.lines:
        parts.setdefault(stock_id(line.sku, order.location), []).extend(line.portions)
    return tuple(Held(stock_id=key, portions=tuple(parts[key])) for key in sorted(parts))


def order_of(order_ref: str) -> OrderId:
    """The order that a payment reference speaks of."""
    return OrderId(order_ref.rpartition("-")[0])


def step(order: Order, taken: Step) -> Order:
    """The order after one step of the table; the step's own error when its state does not know it."""
    after = TABLE.get((order.state, taken))
    if after is None:
        raise REFUSAL[taken](state=order.state)
    return replace(order, state=after)


def request_payment(order: Order, charge: Charge, grace: timedelta) -> Order:
    """A charge was opened: the goods stay reserved until it expires, and a little longer, because news of a settlement travels."""
    return replace(
        step(order, Step.REQUEST_PAYMENT),
        charge=charge,
        expires_at=max(order.expires_at, charge.expires_at + grace),
    )


def pay(
    order: Order, divisions: Sequence[Division], now: datetime
) -> tuple[Order, list[ProceedsSplit]]:
    """The money came in and was divided, one division per line. An order whose charge we had not yet written down is paid all the same."""
    payable = replace(order, state=State.AWAITING_PAYMENT) if order.state is State.PLACED else order
    return replace(step(payable, Step.PAY), paid_at=now), _splits(order, divisions)


def _splits(order: Order, divisions: Sequence[Division]) -> list[ProceedsSplit]:
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for line, division in zip(order.lines, divisions, strict=True):
        sum_ = sums.setdefault((line.workshop_id, line.product_class), {})
        for party, amount in division.parties.items():
            sum_[party] = sum_.get(party, 0) + amount
    return [
        ProceedsSplit(
            order_id=order.id,
            workshop_id=workshop_id,
            product_class=product_class,
            amounts_idr=amounts,
        )
        for (workshop_id, product_class), amounts in sums.items()
    ]
