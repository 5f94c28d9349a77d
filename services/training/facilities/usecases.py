"""Use cases of facilities: open one, change its settings, read and list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.persistence.store import Page
from services.training.facilities import rules
from services.training.facilities.rules import Facility
from services.training.transaction import Transaction


async def open_facility(facility: Facility, tx: Transaction) -> Facility:
    """Add a facility. Raises FacilityExists, CodeMalformed, TimeZoneUnknown."""
    existing = await tx.facilities.seek(facility.id, scoped=False)
    return tx.facilities.add(rules.open_facility(facility, existing))


async def change_facility(
    facility_id: str, changes: Mapping[str, Any], if_match: int, tx: Transaction
) -> Facility:
    """Change these settings of a facility."""
    before = await tx.facilities.get(facility_id, if_match=if_match)
    return tx.facilities.save(before, rules.check_facility(replace(before, **changes)))


async def read_facility(facility_id: str, tx: Transaction) -> Facility:
    """Return one facility in the caller's scope."""
    return await tx.facilities.get(facility_id)


async def list_facilities(cursor: str | None, limit: int, tx: Transaction) -> Page[Facility]:
    """Return a page of the facilities in the caller's scope."""
    return await tx.facilities.list_page(cursor, limit)
