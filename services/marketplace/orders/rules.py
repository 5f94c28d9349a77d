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
from services.marketplace.policies.rules import PolicyTerms
from services.marketplace.proceeds.rules import Division
from services.marketplace.stock.rules import HeldStock, Portion, distribute_portions, stock_id

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


class OrderState(StrEnum):
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


class OrderStep(StrEnum):
    REQUEST_PAYMENT = "request_payment"
    PAY = "pay"
    EXPIRE = "expire"
    CANCEL = "cancel"
    PACK = "pack"
    SHIP = "ship"
    DELIVER = "deliver"
    COMPLETE = "complete"
    REVERSE = "reverse"


TRANSITIONS: Mapping[tuple[OrderState, OrderStep], OrderState] = {
    (OrderState.PLACED, OrderStep.REQUEST_PAYMENT): OrderState.AWAITING_PAYMENT,
    (OrderState.PLACED, OrderStep.EXPIRE): OrderState.EXPIRED,
    (OrderState.PLACED, OrderStep.CANCEL): OrderState.CANCELLED,
    (OrderState.AWAITING_PAYMENT, OrderStep.PAY): OrderState.PAID,
    (OrderState.AWAITING_PAYMENT, OrderStep.EXPIRE): OrderState.EXPIRED,
    (OrderState.AWAITING_PAYMENT, OrderStep.CANCEL): OrderState.CANCELLED,
    (OrderState.EXPIRED, OrderStep.PAY): OrderState.PAID,
    (OrderState.PAID, OrderStep.PACK): OrderState.PACKED,
    (OrderState.PACKED, OrderStep.SHIP): OrderState.SHIPPED,
    (OrderState.SHIPPED, OrderStep.DELIVER): OrderState.DELIVERED,
    (OrderState.DELIVERED, OrderStep.COMPLETE): OrderState.COMPLETED,
    (OrderState.PAID, OrderStep.REVERSE): OrderState.PAYMENT_REVERSED,
    (OrderState.PACKED, OrderStep.REVERSE): OrderState.PAYMENT_REVERSED,
}
"""Every step an order may take. What is not here raises the error of its step."""

REFUSAL_BY_STEP: Mapping[OrderStep, type[OrderTransitionRefused]] = {
    OrderStep.REQUEST_PAYMENT: OrderNotPayable,
    OrderStep.PAY: OrderNotPayable,
    OrderStep.EXPIRE: OrderNotExpirable,
    OrderStep.CANCEL: OrderNotCancellable,
    OrderStep.PACK: OrderNotPackable,
    OrderStep.SHIP: OrderNotShippable,
    OrderStep.DELIVER: OrderNotDeliverable,
    OrderStep.COMPLETE: OrderNotCompletable,
    OrderStep.REVERSE: OrderNotReversible,
}

UNPAID_STATES = frozenset({OrderState.PLACED, OrderState.AWAITING_PAYMENT})
PAID_UNSHIPPED_STATES = frozenset({OrderState.PAID, OrderState.PACKED})
"""Paid for and still in the house."""

SHIPPED_STATES = frozenset({OrderState.SHIPPED, OrderState.DELIVERED, OrderState.COMPLETED})
"""Paid for and out of the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Who receives the goods: nothing more than delivery needs."""

    name: str
    phone: str
    email: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
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
    terms: PolicyTerms

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
    lines: tuple[OrderLine, ...]
    placed_at: datetime
    expires_at: datetime
    charge: Charge | None = None
    paid_at: datetime | None = None
    state: OrderState = OrderState.PLACED
    version: int = 0

    @property
    def total_idr(self) -> Rupiah:
        """What the buyer pays."""
        return total(line.total_idr for line in self.lines)

    @property
    def order_ref(self) -> str:
        """The name of the first and only attempt to pay it."""
        return f"{self.id}-1"


def assign_portions(
    lines: Sequence[OrderLine], portions_by_sku: Mapping[str, Sequence[Portion]]
) -> tuple[OrderLine, ...]:
    """The lines with their goods: `held` has the portions of each SKU, which the lines of that SKU share in their order."""
    portions: dict[int, tuple[Portion, ...]] = {}
    for sku, parts in portions_by_sku.items():
        places = [place for place, line in enumerate(lines) if line.sku == sku]
        portions.update(
            zip(
                places,
                distribute_portions(parts, [lines[place].qty for place in places]),
                strict=True,
            )
        )
    return tuple(replace(line, portions=portions[place]) for place, line in enumerate(lines))


def replace_goods(order: Order, portions_by_sku: Mapping[str, Sequence[Portion]]) -> Order:
    """A late-paid order with the goods it gets now: price and terms stay, batches and cost are those of the goods."""
    return replace(order, lines=assign_portions(order.lines, portions_by_sku))


def goods_by_stock(order: Order) -> tuple[HeldStock, ...]:
    """What the order holds of each stock, in the order of their ids."""
    parts: dict[str, list[Portion]] = {}
    for line in order.lines:
        parts.setdefault(stock_id(line.sku, order.location), []).extend(line.portions)
    return tuple(HeldStock(stock_id=key, portions=tuple(parts[key])) for key in sorted(parts))


def order_id_from_ref(order_ref: str) -> OrderId:
    """The order that a payment reference speaks of."""
    return OrderId(order_ref.rpartition("-")[0])


def take_step(order: Order, step: OrderStep) -> Order:
    """The order after one step of the table; the step's own error when its state does not know it."""
    after = TRANSITIONS.get((order.state, step))
    if after is None:
        raise REFUSAL_BY_STEP[step](state=order.state)
    return replace(order, state=after)


def request_payment(order: Order, charge: Charge, grace: timedelta) -> Order:
    """A charge was opened: the goods stay reserved until it expires, and a little longer, because news of a settlement travels."""
    return replace(
        take_step(order, OrderStep.REQUEST_PAYMENT),
        charge=charge,
        expires_at=max(order.expires_at, charge.expires_at + grace),
    )


def pay(
    order: Order, divisions: Sequence[Division], now: datetime
) -> tuple[Order, list[ProceedsSplit]]:
    """The money came in and was divided, one division per line. An order whose charge we had not yet written down is paid all the same."""
    payable = (
        replace(order, state=OrderState.AWAITING_PAYMENT)
        if order.state is OrderState.PLACED
        else order
    )
    return replace(take_step(payable, OrderStep.PAY), paid_at=now), _split_events(order, divisions)


def _split_events(order: Order, divisions: Sequence[Division]) -> list[ProceedsSplit]:
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for line, division in zip(order.lines, divisions, strict=True):
        sum_ = sums.setdefault((line.workshop_id, line.product_class), {})
        for party, amount in division.amounts_by_party.items():
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
