"""Rules of the monthly production of a workshop (report R6): sums of its orders' proceeds.

Not here: any person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

REPORT_ZONE = ZoneInfo("Asia/Jakarta")
"""The months of R6 are those of the region (WIB)."""


MIN_PEOPLE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyProduction:
    """What one workshop sold of one product class in one month.

    `amounts_idr` are integer rupiah per party of the split.
    """

    id: str
    version: int = 0
    workshop_id: str
    facility_id: str
    month: str
    product_class: str
    orders: int = 0
    amounts_idr: dict[str, int] = field(default_factory=dict[str, int])


def production_id(workshop_id: str, month: str, product_class: str) -> str:
    """Return the id of a row."""
    return f"{workshop_id}:{month}:{product_class}"


def month_of(at: datetime) -> str:
    """Return the month of the report for a moment, such as `2026-11`."""
    return f"{at.astimezone(REPORT_ZONE):%Y-%m}"


def observed_months(month: str) -> tuple[str, str]:
    """Return the first and last month in which people of a row may have worked."""
    year = int(month[:4])
    following = f"{year - 1}-{int(month[5:]) + 1:02d}"
    first = f"{year}-01" if month.endswith("-12") else following
    return first, month


def is_suppressed(people: int, *, is_inside: bool) -> bool:
    """Return whether a row would show a reader what few people earned.

    A row leaves the facility only if five people have work in its workshop, in its month and the
    eleven before (UU 27/2022 art. 4(2): personal finance).
    """
    return not is_inside and people < MIN_PEOPLE


def add_order(row: MonthlyProduction, amounts_idr: Mapping[str, int]) -> MonthlyProduction:
    """Return the row with one more order; amounts add up to the rupiah."""
    parties = row.amounts_idr.keys() | amounts_idr.keys()
    sums = {
        party: row.amounts_idr.get(party, 0) + amounts_idr.get(party, 0)
        for party in sorted(parties)
    }
    return replace(row, orders=row.orders + 1, amounts_idr=sums)
