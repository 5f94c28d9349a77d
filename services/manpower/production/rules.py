"""Rules of the monthly production of a workshop (report R6): sums of its orders' proceeds.

Not here: any person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

REPORT_ZONE = ZoneInfo("Asia/Jakarta")
"""The months of R6 are those of the region (WIB)."""


MIN_PEOPLE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyProduction:
    """What one workshop sold of one product class in one month, less what went back in it.

    `amounts_idr` are integer rupiah per party of the split; more may go back than is sold.
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


def month_of_day(day: date) -> str:
    """Return the month of the report for a day of a facility."""
    return f"{day:%Y-%m}"


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
    return replace(row, orders=row.orders + 1, amounts_idr=_add(row.amounts_idr, amounts_idr))


def take_back_order(row: MonthlyProduction, amounts_idr: Mapping[str, int]) -> MonthlyProduction:
    """Return the row with one order less, whose proceeds went back."""
    taken = {party: -amount for party, amount in amounts_idr.items()}
    return replace(row, orders=row.orders - 1, amounts_idr=_add(row.amounts_idr, taken))


def _add(amounts_idr: Mapping[str, int], more_idr: Mapping[str, int]) -> dict[str, int]:
    parties = sorted(amounts_idr.keys() | more_idr.keys())
    return {party: amounts_idr.get(party, 0) + more_idr.get(party, 0) for party in parties}
