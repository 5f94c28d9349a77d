"""What happens: the split of each order's proceeds is added to its workshop's month; offices read what their prisons produced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chassis.persistence.store import Page
from services.manpower.production import rules
from services.manpower.production.rules import MonthlyProduction
from services.manpower.transaction import Transaction


async def add_split(
    workshop_id: str,
    facility_id: str,
    product_class: str,
    at: datetime,
    amounts_idr: Mapping[str, int],
    tx: Transaction,
) -> None:
    """One order's proceeds for one workshop and product class, in the month of `at`."""
    month = rules.month_of(at)
    before = await tx.production.seek(rules.production_id(workshop_id, month, product_class))
    if before is None:
        empty = MonthlyProduction(
            id=rules.production_id(workshop_id, month, product_class),
            workshop_id=workshop_id,
            facility_id=facility_id,
            month=month,
            product_class=product_class,
        )
        tx.production.add(rules.add_order(empty, amounts_idr))
    else:
        tx.production.save(before, rules.add_order(before, amounts_idr))


async def list_production(
    month: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[MonthlyProduction]:
    """The rows of the caller's facilities; for an office those of the facilities that its agency works with."""
    if tx.caller.role != "dinas_kukm":
        return await tx.production.list_page(month, cursor, limit)
    agency = await tx.agencies.get(tx.caller.single("agency"))
    return await tx.production.list_page_by_facilities(agency.facility_ids, month, cursor, limit)
