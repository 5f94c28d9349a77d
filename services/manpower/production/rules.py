"""What is allowed: the monthly production statistic of a workshop (report R6), added up from the split of each order's proceeds. No person is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

REPORT_ZONE = ZoneInfo("Asia/Jakarta")
"""The months of R6 are those of the region's office (WIB)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyProduction:
    """What one workshop sold of one product class in one month, in integer rupiah per party of the split."""

    id: str
    version: int = 0
    workshop_id: str
    facility_id: str
    month: str
    product_class: str
    orders: int = 0
    amounts_idr: dict[str, int] = field(default_factory=dict[str, int])


def production_id(workshop_id: str, month: str, product_class: str) -> str:
    """The id of the row."""
    return f"{workshop_id}:{month}:{product_class}"


def month_of(at: datetime) -> str:
    """The report's month of a moment, `2026-11`."""
    return f"{at.astimezone(REPORT_ZONE):%Y-%m}"


def add_order(row: MonthlyProduction, amounts_idr: Mapping[str, int]) -> MonthlyProduction:
    """The row with one more order; a party's amounts add up to the rupiah."""
    parties = row.amounts_idr.keys() | amounts_idr.keys()
    return replace(
        row,
        orders=row.orders + 1,
        amounts_idr={
            party: row.amounts_idr.get(party, 0) + amounts_idr.get(party, 0)
            for party in sorted(parties)
        },
    )
