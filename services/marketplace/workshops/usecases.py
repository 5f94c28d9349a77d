"""Use cases of workshops: register, list, read, close.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.store import Page
from services.marketplace.transaction import Transaction
from services.marketplace.workshops import rules
from services.marketplace.workshops.rules import Workshop, WorkshopId


async def register(workshop: Workshop, tx: Transaction) -> Workshop:
    """Register a workshop of the caller's Lapas."""
    return tx.workshops.add(workshop)


async def list_workshops(cursor: str | None, limit: int, tx: Transaction) -> Page[Workshop]:
    """Return one page of workshops."""
    return await tx.workshops.list_page(cursor, limit)


async def read_workshop(workshop_id: WorkshopId, tx: Transaction) -> Workshop:
    """Return one workshop."""
    return await tx.workshops.get(workshop_id)


async def close(workshop_id: WorkshopId, version: int, tx: Transaction) -> Workshop:
    """Close a workshop."""
    before = await tx.workshops.get(workshop_id, if_match=version)
    return tx.workshops.save(before, rules.close(before))
