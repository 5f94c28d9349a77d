"""Builders of aggregates for tests of rules.

Not here: anything that needs a running service (harness).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from chassis.ids import new_id
from services.marketplace.money import Bps, Rupiah
from services.marketplace.orders.rules import Contact, Order, OrderId, OrderLine
from services.marketplace.orders.transitions import OrderState
from services.marketplace.policies.rules import Party, PolicyId, PolicyTerms, Share, ShareBase
from services.marketplace.stock.rules import Portion
from services.marketplace.workers.rules import Assignment, AssignmentId, Worker
from services.marketplace.workshops.rules import UnitKind, Workshop, WorkshopId

CONTACT = {"name": "Pembeli Contoh", "phone": "0812-0000-0000", "address": "Jalan Contoh 1"}
STANDARD_SHARES = {"premi": 5000, "pnbp": 1500, "modal": 3500}
NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)
WORKSHOP = Workshop(
    id=WorkshopId("w1"),
    facility_id="LP-TJP",
    zone="Asia/Jakarta",
    code="KAYU",
    name="Bengkel Kayu",
    product_classes=frozenset({"mebel"}),
    unit_kind=UnitKind.HOUR,
    programmes=(),
)


def create_worker(
    *,
    eligible: bool = True,
    valid_until: date | None = None,
    present: bool = True,
    facility: str = "LP-TJP",
    decided_at: str = "LP-TJP",
) -> Worker:
    """Return a worker with a decision of 1 November 2026."""
    return Worker(
        id="p1",
        facility_id=facility,
        present=present,
        decided_at=decided_at,
        eligible=eligible,
        decided_on=date(2026, 11, 1),
        valid_until=valid_until,
    )


def create_assignment(
    from_on: date = date(2026, 11, 2),
    to_on: date | None = None,
    *,
    live: bool = True,
    workshop: str = "w1",
) -> Assignment:
    """Return an assignment of that worker."""
    return Assignment(
        id=AssignmentId("a1"),
        participant_ref="p1",
        workshop_id=workshop,
        facility_id="LP-TJP",
        role="tukang",
        consented_on=date(2026, 11, 2),
        from_on=from_on,
        to_on=to_on,
        live=live,
    )


def create_shares(bps: tuple[int, int, int]) -> tuple[Share, ...]:
    """Return the shares of premi, PNBP and capital."""
    return tuple(
        Share(party=party, bps=Bps(party_bps)) for party, party_bps in zip(Party, bps, strict=True)
    )


def create_terms(
    bps: tuple[int, int, int] = (5000, 1500, 3500), base: ShareBase = ShareBase.NET_OF_COST
) -> PolicyTerms:
    """Return the terms of a policy with shares of premi, PNBP and capital."""
    return PolicyTerms(
        policy_id=PolicyId("p1"),
        policy_version=1,
        base=base,
        shares=create_shares(bps),
        needs_legal_confirmation=True,
    )


def create_order_line(
    number: int, qty: int = 1, sku: str = "KURSI", workshop: str = "w1"
) -> OrderLine:
    """Return a line of chairs for 100,000 that cost 40,000 each."""
    portion = Portion(batch_id="b1", received_at=NOW, unit_cost_idr=Rupiah(40_000), qty=qty)
    return OrderLine(
        number=number,
        sku=sku,
        product_id="p",
        title="Kursi",
        workshop_id=workshop,
        product_class="mebel",
        qty=qty,
        unit_price_idr=Rupiah(100_000),
        portions=(portion,),
        terms=create_terms(),
    )


def create_order(state: OrderState = OrderState.PLACED, *lines: OrderLine) -> Order:
    """Return an order of one chair, or of these lines."""
    return Order(
        id=OrderId("o1"),
        facility_id="LP-TJP",
        zone="Asia/Jakarta",
        location="LP-TJP:lapas",
        buyer_ref="",
        token="t",
        contact=Contact(name="n", phone="1", email="", address="a"),
        lines=lines or (create_order_line(1),),
        placed_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
        state=state,
    )


def new_contact() -> dict[str, str]:
    """Return the contact of a buyer with a phone number of its own."""
    return CONTACT | {"phone": f"0812-{new_id()[-12:-4]}-{new_id()[-8:]}"}
