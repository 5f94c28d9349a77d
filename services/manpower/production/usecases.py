"""Use cases of monthly production: add the proceeds of an order, list the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.persistence.store import Page
from services.manpower.production import rules
from services.manpower.production.rules import MonthlyProduction
from services.manpower.transaction import Transaction

INSIDE_ROLES = frozenset({"auditor", "head", "workshop_officer"})
"""Roles of the facility, which see all of its rows. The Kanwil and offices are outside."""


async def add_split(
    workshop_id: str,
    facility_id: str,
    product_class: str,
    month: str,
    amounts_idr: Mapping[str, int],
    tx: Transaction,
) -> None:
    """Add one order's proceeds of one workshop and product class to a month."""
    row = await _seek_row(workshop_id, facility_id, product_class, month, tx)
    _save(row, rules.add_order(row, amounts_idr), tx)


async def take_back_split(
    workshop_id: str,
    facility_id: str,
    product_class: str,
    month: str,
    amounts_idr: Mapping[str, int],
    tx: Transaction,
) -> None:
    """Take one order's proceeds out of the month in which they went back."""
    row = await _seek_row(workshop_id, facility_id, product_class, month, tx)
    _save(row, rules.take_back_order(row, amounts_idr), tx)


async def _seek_row(
    workshop_id: str, facility_id: str, product_class: str, month: str, tx: Transaction
) -> MonthlyProduction:
    """Return the stored row of a month, or an empty one."""
    row_id = rules.production_id(workshop_id, month, product_class)
    stored = await tx.production.seek(row_id)
    return stored or MonthlyProduction(
        id=row_id,
        workshop_id=workshop_id,
        facility_id=facility_id,
        month=month,
        product_class=product_class,
    )


def _save(row: MonthlyProduction, after: MonthlyProduction, tx: Transaction) -> None:
    if row.version == 0:
        tx.production.add(after)
    else:
        tx.production.save(row, after)


@dataclass(frozen=True, slots=True)
class ProductionView:
    """A row; `is_suppressed` says that its orders and amounts are not shown."""

    row: MonthlyProduction
    is_suppressed: bool


@dataclass(frozen=True, slots=True)
class ProductionViewPage:
    """One page of rows; `next_cursor` is None on the last."""

    items: list[ProductionView]
    next_cursor: str | None


async def list_production(
    month: str | None, cursor: str | None, limit: int, tx: Transaction
) -> ProductionViewPage:
    """Return one page of the rows of the caller's facilities, small ones suppressed outside.

    For a cooperatives office (KUKM) these are the facilities that its agency works with.
    """
    page = await _read_page(month, cursor, limit, tx)
    is_inside = tx.caller.role in INSIDE_ROLES
    people: dict[tuple[str, str], int] = {}
    for row in page.items:
        key = (row.workshop_id, row.month)
        if not is_inside and key not in people:
            first, last = rules.observed_months(row.month)
            people[key] = await tx.candidates.count_workers(row.workshop_id, first, last)
    views = [
        ProductionView(
            row,
            rules.is_suppressed(people.get((row.workshop_id, row.month), 0), is_inside=is_inside),
        )
        for row in page.items
    ]
    return ProductionViewPage(views, page.next_cursor)


async def _read_page(
    month: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[MonthlyProduction]:
    if tx.caller.role != "dinas_kukm":
        return await tx.production.list_page(month, cursor, limit)
    agency = await tx.agencies.get(tx.caller.single("agency"))
    return await tx.production.list_page_by_facilities(agency.facility_ids, month, cursor, limit)
