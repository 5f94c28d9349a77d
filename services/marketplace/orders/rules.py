"""Rules of orders.

Price, cost, batches and policy are frozen when an order is placed. States change by the table in
`transitions` only.
Not here: what a payment provider reports (payments).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from chassis.errors import NotFound, Refused
from chassis.ids import named_id
from services.marketplace.carts.rules import Cart
from services.marketplace.events import ProceedsSplit, ProceedsSplitReversed
from services.marketplace.money import Rupiah, total
from services.marketplace.orders.transitions import (
    REFUSAL_BY_STEP,
    TRANSITIONS,
    UNPAID_STATES,
    OrderState,
    OrderStep,
)
from services.marketplace.policies.rules import PolicyTerms, SplitPolicy, select_policy
from services.marketplace.proceeds.rules import Division
from services.marketplace.products.rules import Product
from services.marketplace.settings import TEXTS
from services.marketplace.stock.rules import (
    HeldStock,
    Portion,
    contention_key,
    distribute_portions,
    sku_of,
    stock_id,
)
from services.marketplace.zones import local_day

OrderId = NewType("OrderId", str)
MAX_ORDER_IDR = 999_999_999_999


class OrderUnknown(NotFound):
    title = TEXTS["errors.order_unknown"]


class OrderTooLarge(Refused):
    """Payment providers and the books take amounts of up to twelve digits."""

    title = TEXTS["errors.order_too_large"]
    field = "cart_id"


class NotDividedYet(NotFound):
    title = TEXTS["errors.not_divided_yet"]


class TokenMissing(Refused):
    """Neither the header Order-Token nor the query names the token of the order."""

    title = TEXTS["errors.token_missing"]
    field = "Order-Token"


class ContactMissing(Refused):
    """The buyer gave neither phone nor e-mail."""

    title = TEXTS["errors.contact_missing"]
    field = "phone"


class PaymentMethod(StrEnum):
    QRIS = "qris"
    BANK_TRANSFER = "va"


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
    """A charge opened at a payment provider, and what the buyer needs to pay it.

    `qr_string` is for QRIS, `va_bank` and `va_number` are for a transfer to a virtual account.
    """

    provider: str
    order_ref: str
    txn_id: str
    method: str
    expires_at: datetime
    qr_string: str = ""
    va_bank: str = ""
    va_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One buyer's order at one Lapas.

    Anyone who holds `token` may read the order. `order_ref` names the charge of its current
    attempt at the provider. `method` is empty until the buyer opens the payment page, `paid_by`
    is the transaction that paid. After `failures` of the provider the jobs leave the order alone
    until `retry_at`.
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
    method: PaymentMethod | None = None
    attempt: int = 1
    is_replacing: bool = False
    paid_at: datetime | None = None
    paid_by: str = ""
    failures: int = 0
    retry_at: datetime | None = None
    state: OrderState = OrderState.PLACED
    version: int = 0

    @property
    def total_idr(self) -> Rupiah:
        """What the buyer pays."""
        return total(line.total_idr for line in self.lines)

    @property
    def order_ref(self) -> str:
        """The reference of the charge of its current attempt."""
        return f"{self.id}-{self.attempt}"


def require_token(token: str | None) -> str:
    """Return the token of an order. Raises TokenMissing."""
    if not token:
        raise TokenMissing
    return token


def require_contact(contact: Contact) -> None:
    """Require a phone number or an e-mail address. Raises ContactMissing."""
    if not contact.phone and not contact.email:
        raise ContactMissing


def require_divided(order: Order) -> None:
    """Require a paid order, whose proceeds are divided. Raises NotDividedYet."""
    if order.paid_at is None:
        raise NotDividedYet


def require_payable_size(lines: Sequence[OrderLine]) -> None:
    """Require a total that a provider and the books can take. Raises OrderTooLarge."""
    total_idr = total(line.total_idr for line in lines)
    if total_idr > MAX_ORDER_IDR:
        raise OrderTooLarge(total_idr=total_idr, max_idr=MAX_ORDER_IDR)


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
    return replace(requested, charge=charge, expires_at=expires_at, failures=0, retry_at=None)


def line_keys(order: Order, line: OrderLine) -> tuple[str, str]:
    """Return the keys of a line's journals: of its sale, and of cost that it did not recover."""
    return f"sale:{order.id}:{line.number}", f"loss:{order.id}:{line.number}"


def sale_keys(order: Order) -> frozenset[str]:
    """Return the keys of all journals of the sale, without those of other payments."""
    return frozenset(key for line in order.lines for key in line_keys(order, line))


def pay(
    order: Order, divisions: Sequence[Division], paid_by: str, now: datetime
) -> tuple[Order, list[ProceedsSplit]]:
    """Pay the order by a transaction and publish its split; one division per line.

    An order can be paid before its charge is recorded here.
    """
    payable = order
    if order.state is OrderState.PLACED:
        payable = replace(order, state=OrderState.AWAITING_PAYMENT)
    paid = replace(take_step(payable, OrderStep.PAY), paid_at=now, paid_by=paid_by)
    return paid, _split_events(paid, divisions)


def reverse(
    order: Order, amounts_by_line: Sequence[Mapping[str, int]], now: datetime
) -> tuple[Order, list[ProceedsSplitReversed]]:
    """Reverse the payment of an order whose goods are in stock, and publish what went back.

    `amounts_by_line` has the rupiah of each party that the books took back, one entry per line.
    """
    reversed_order = take_step(order, OrderStep.REVERSE)
    sums = _sum_by_workshop(order, amounts_by_line)
    events = [
        ProceedsSplitReversed(
            order_id=order.id,
            reversal_id=named_id("reversal", order.id, order.paid_by),
            workshop_id=workshop_id,
            product_class=product_class,
            amounts_idr=amounts,
            reversed_on=local_day(now, order.zone),
        )
        for (workshop_id, product_class), amounts in sums.items()
    ]
    return reversed_order, events


def _split_events(order: Order, divisions: Sequence[Division]) -> list[ProceedsSplit]:
    """Return one event per workshop and product class, with rupiah per party."""
    sums = _sum_by_workshop(order, [division.amounts_by_party for division in divisions])
    return [
        ProceedsSplit(
            order_id=order.id,
            workshop_id=workshop_id,
            product_class=product_class,
            amounts_idr=amounts,
        )
        for (workshop_id, product_class), amounts in sums.items()
    ]


def _sum_by_workshop(
    order: Order, amounts_by_line: Sequence[Mapping[str, int]]
) -> dict[tuple[str, str], dict[str, int]]:
    """Return the rupiah of each party by workshop and product class."""
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for line, amounts_by_party in zip(order.lines, amounts_by_line, strict=True):
        amounts = sums.setdefault((line.workshop_id, line.product_class), {})
        for party, amount in amounts_by_party.items():
            amounts[party] = amounts.get(party, 0) + amount
    return sums
