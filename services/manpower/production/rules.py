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


def add_order(row: MonthlyProduction, amounts_idr: Mapping[str, int]) -> MonthlyProduction:
    """Return the row with one more order; amounts add up to the rupiah."""
    parties = row.amounts_idr.keys() | amounts_idr.keys()
    sums = {
        party: row.amounts_idr.get(party, 0) + amounts_idr.get(party, 0)
        for party in sorted(parties)
    }
    return replace(row, orders=row.orders + 1, amounts_idr=sums)
