"""Builders of aggregates for tests of rules.

Not here: anything that needs a running service (harness).
"""

from __future__ import annotations

from datetime import date

from services.marketplace.money import Bps
from services.marketplace.policies.rules import Party, PolicyId, PolicyTerms, Share, ShareBase
from services.marketplace.workers.rules import Assignment, AssignmentId, Worker
from services.marketplace.workshops.rules import UnitKind, Workshop, WorkshopId

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
