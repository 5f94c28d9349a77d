"""Use cases of origins: two records of one person are merged."""

from __future__ import annotations

from dataclasses import replace

from services.certification.transaction import Transaction


async def merge_person(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move all origins of `from_ref` to `into_ref`; certificates do not change."""
    await tx.alias(from_ref, into_ref)
    for origin in await tx.origins.list_by_participant(from_ref):
        tx.origins.save(origin, replace(origin, participant_ref=into_ref))
