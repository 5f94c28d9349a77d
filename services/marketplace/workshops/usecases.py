"""What happens: workshops are registered and closed."""

from __future__ import annotations

from services.marketplace.transaction import Transaction
from services.marketplace.workshops import rules
from services.marketplace.workshops.rules import Workshop, WorkshopId


async def register(workshop: Workshop, tx: Transaction) -> Workshop:
    """Register a workshop of the caller's Lapas."""
    return tx.workshops.add(workshop)


async def close(workshop_id: WorkshopId, if_match: int | None, tx: Transaction) -> Workshop:
    """Close a workshop."""
    before = await tx.workshops.get(workshop_id, if_match=if_match)
    return tx.workshops.save(before, rules.close(before))
