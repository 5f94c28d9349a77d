"""Rules of orders.

Price, cost, batches and policy are frozen when an order is placed. States change by the table
`TRANSITIONS` only.
Not here: what a payment provider reports (payments).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, NotFound, Refused
from services.marketplace.carts.rules import Cart
from services.marketplace.events import ProceedsSplit
from services.marketplace.money import Rupiah, total
from services.marketplace.policies.rules import PolicyTerms, SplitPolicy, select_policy
from services.marketplace.proceeds.rules import Division
from services.marketplace.products.rules import Product
from services.marketplace.stock.rules import (
    HeldStock,
    Portion,
    ReservationState,
    contention_key,
    distribute_portions,
    sku_of,
    stock_id,
)

OrderId = NewType("OrderId", str)


class OrderUnknown(NotFound):
    title = "Pesanan tidak ditemukan"


class OrderTransitionRefused(Conflict):
    """The state of the order does not allow this step."""

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


class ContactMissing(Refused):
    """The buyer gave neither phone nor e-mail."""

    title = "Isi nomor telepon atau alamat surel"
    field = "phone"


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
"""Every allowed step. A step that is not listed raises its error in `REFUSAL_BY_STEP`."""

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
"""Paid, and the goods are still in stock."""

SHIPPED_STATES = frozenset({OrderState.SHIPPED, OrderState.DELIVERED, OrderState.COMPLETED})
"""Paid, and the goods have left the stock."""

RESERVATION_STATE_BY_STEP: Mapping[OrderStep, ReservationState] = {
    OrderStep.EXPIRE: ReservationState.EXPIRED,
    OrderStep.CANCEL: ReservationState.RELEASED,
}
"""The resolution of the reservation, by the step that closes an unpaid order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The recipient of the goods, with only what delivery needs."""

    name: str
    phone: str
    email: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order, frozen: price, batches with their cost, and terms of the split."""

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
class Charge:
    """A charge opened at a payment provider, and what the buyer needs to pay it."""

    provider: str
    order_ref: str
    txn_id: str
    method: str
    qr_string: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One buyer's order at one Lapas.

    Anyone who holds `token` may read the order. `order_ref` names its charge at the provider.
    """

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
        """The reference of its charge: the first and only attempt to pay the order."""
        return f"{self.id}-1"


def require_contact(contact: Contact) -> None:
    """Require a phone number or an e-mail address. Raises ContactMissing."""
    if not contact.phone and not contact.email:
        raise ContactMissing


def require_divided(order: Order) -> None:
    """Require a paid order, whose proceeds are divided. Raises NotDividedYet."""
    if order.paid_at is None:
        raise NotDividedYet


def require_unpaid(order: Order, step: OrderStep) -> None:
    """Require an unpaid order for a closing step. Raises the error of the step."""
    if order.state not in UNPAID_STATES:
        raise REFUSAL_BY_STEP[step](state=order.state)


def freeze_lines(
    cart: Cart, products: Mapping[str, Product], policies: Sequence[SplitPolicy], day: date
) -> list[OrderLine]:
    """Return the lines of a cart with price and policy of this day, without goods yet.

    `products` are by SKU. Raises NoPolicyInEffect.
    """
    lines: list[OrderLine] = []
    for number, cart_line in enumerate(cart.lines, start=1):
        product = products[cart_line.sku]
        policy = select_policy(
            policies,
            workshop_id=product.workshop_id,
            product_class=product.product_class,
            day=day,
        )
        line = OrderLine(
            number=number,
            sku=cart_line.sku,
            product_id=product.id,
            title=product.title,
            workshop_id=product.workshop_id,
            product_class=product.product_class,
            qty=cart_line.qty,
            unit_price_idr=cart_line.price_idr,
            portions=(),
            terms=policy.terms,
        )
        lines.append(line)
    return lines


def assign_goods(lines: Sequence[OrderLine], goods: Sequence[HeldStock]) -> tuple[OrderLine, ...]:
    """Return the lines with their goods; lines of one SKU share its portions in their order."""
    portions: dict[int, tuple[Portion, ...]] = {}
    for held in goods:
        sku = sku_of(held.stock_id)
        indexes = [index for index, line in enumerate(lines) if line.sku == sku]
        quantities = [lines[index].qty for index in indexes]
        shares = distribute_portions(held.portions, quantities)
        portions.update(zip(indexes, shares, strict=True))
    return tuple(replace(line, portions=portions[index]) for index, line in enumerate(lines))


def replace_goods(order: Order, goods: Sequence[HeldStock]) -> Order:
    """Return a late-paid order with the goods that it gets now.

    Price and terms stay; batches and cost are those of the new goods.
    """
    return replace(order, lines=assign_goods(order.lines, goods))


def goods_by_stock(order: Order) -> tuple[HeldStock, ...]:
    """Return what the order holds of each stock, in the order of their ids."""
    portions: dict[str, list[Portion]] = {}
    for line in order.lines:
        portions.setdefault(stock_id(line.sku, order.location), []).extend(line.portions)
    return tuple(HeldStock(stock_id=key, portions=tuple(portions[key])) for key in sorted(portions))


def contended_stock(order: Order) -> list[str]:
    """Return the contended documents that change with the goods of the order."""
    return [contention_key(held.stock_id) for held in goods_by_stock(order)]


def count_pieces_by_batch(line: OrderLine) -> dict[str, int]:
    """Return how many pieces of the line come from each batch."""
    pieces: dict[str, int] = {}
    for portion in line.portions:
        pieces[portion.batch_id] = pieces.get(portion.batch_id, 0) + portion.qty
    return pieces


def order_id_from_ref(order_ref: str) -> OrderId:
    """Return the order that a payment reference names."""
    return OrderId(order_ref.rpartition("-")[0])


def take_step(order: Order, step: OrderStep) -> Order:
    """Return the order after one step of the table. Raises the step's error if not allowed."""
    state = TRANSITIONS.get((order.state, step))
    if state is None:
        raise REFUSAL_BY_STEP[step](state=order.state)
    return replace(order, state=state)


def request_payment(order: Order, charge: Charge, grace: timedelta) -> Order:
    """Record the charge; the goods stay reserved until it expires, plus the grace period.

    The grace period exists because a settlement notification can arrive after the expiry.
    """
    requested = take_step(order, OrderStep.REQUEST_PAYMENT)
    expires_at = max(order.expires_at, charge.expires_at + grace)
    return replace(requested, charge=charge, expires_at=expires_at)


def pay(
    order: Order, divisions: Sequence[Division], now: datetime
) -> tuple[Order, list[ProceedsSplit]]:
    """Pay the order and publish its split; `divisions` has one entry per line.

    An order can be paid before its charge is recorded here.
    """
    payable = order
    if order.state is OrderState.PLACED:
        payable = replace(order, state=OrderState.AWAITING_PAYMENT)
    paid = replace(take_step(payable, OrderStep.PAY), paid_at=now)
    return paid, _split_events(paid, divisions)


def _split_events(order: Order, divisions: Sequence[Division]) -> list[ProceedsSplit]:
    """Return one event per workshop and product class, with rupiah per party."""
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for line, division in zip(order.lines, divisions, strict=True):
        amounts = sums.setdefault((line.workshop_id, line.product_class), {})
        for party, amount in division.amounts_by_party.items():
            amounts[party] = amounts.get(party, 0) + amount
    return [
        ProceedsSplit(
            order_id=order.id,
            workshop_id=workshop_id,
            product_class=product_class,
            amounts_idr=amounts,
        )
        for (workshop_id, product_class), amounts in sums.items()
    ]
