"""What happens: two records of one person become one."""

from __future__ import annotations

from dataclasses import replace

from services.certification.transaction import Transaction


async def merge_person(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """All that hung on `from_ref` hangs on `into_ref` from now on; certificates themselves do not change."""
    await tx.alias(from_ref, into_ref)
    for origin in await tx.origins.list_by_participant(from_ref):
        tx.origins.save(origin, replace(origin, participant_ref=into_ref))
