"""Use cases of monthly production: add the proceeds of an order, list the rows."""

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
    """Add one order's proceeds of one workshop and product class to the month of `at`."""
    month = rules.month_of(at)
    row_id = rules.production_id(workshop_id, month, product_class)
    before = await tx.production.seek(row_id)
    if before is not None:
        tx.production.save(before, rules.add_order(before, amounts_idr))
        return
    empty = MonthlyProduction(
        id=row_id,
        workshop_id=workshop_id,
        facility_id=facility_id,
        month=month,
        product_class=product_class,
    )
    tx.production.add(rules.add_order(empty, amounts_idr))


async def list_production(
    month: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[MonthlyProduction]:
    """Return one page of the rows of the caller's facilities.

    For a cooperatives office (KUKM) these are the facilities that its agency works with.
    """
    if tx.caller.role != "dinas_kukm":
        return await tx.production.list_page(month, cursor, limit)
    agency = await tx.agencies.get(tx.caller.single("agency"))
    return await tx.production.list_page_by_facilities(agency.facility_ids, month, cursor, limit)
