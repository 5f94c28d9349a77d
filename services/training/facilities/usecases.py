"""What happens: facilities are opened and their settings changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.persistence.store import Page
from services.training.facilities import rules
from services.training.facilities.rules import Facility, FacilityExists
from services.training.transaction import Transaction


async def open_facility(facility: Facility, tx: Transaction) -> Facility:
    """A facility from now on known; FacilityExists when its code is taken."""
    if await tx.facilities.seek(facility.id, scoped=False) is not None:
        raise FacilityExists
    return tx.facilities.add(rules.check_facility(facility))


async def change_facility(
    facility_id: str, changes: Mapping[str, Any], if_match: int, tx: Transaction
) -> Facility:
    """The facility with these settings changed."""
    before = await tx.facilities.get(facility_id, if_match=if_match)
    return tx.facilities.save(before, rules.check_facility(replace(before, **changes)))


async def facility(facility_id: str, tx: Transaction) -> Facility:
    """One facility of the caller's."""
    return await tx.facilities.get(facility_id)


async def facilities(cursor: str | None, limit: int, tx: Transaction) -> Page[Facility]:
    """The caller's facilities."""
    return await tx.facilities.list_page(cursor, limit)
