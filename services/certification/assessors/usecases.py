"""What happens: assessors are recorded and their facts brought up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.persistence.store import Page
from services.certification.assessors.rules import Assessor, AssessorKnown
from services.certification.transaction import Transaction


async def record_assessor(assessor: Assessor, tx: Transaction) -> Assessor:
    """An assessor of one of the caller's LSPs."""
    await tx.lsps.get(assessor.lsp_id)
    if await tx.assessors.find_by_met_no(assessor.lsp_id, assessor.met_no) is not None:
        raise AssessorKnown
    return tx.assessors.add(assessor)


async def change_assessor(
    assessor_id: str, changes: Mapping[str, Any], if_match: int, tx: Transaction
) -> Assessor:
    """New facts of an assessor; assignments made before keep what they froze."""
    before = await tx.assessors.get(assessor_id, if_match=if_match)
    return tx.assessors.save(before, replace(before, **changes))


async def assessor(assessor_id: str, tx: Transaction) -> Assessor:
    """One of the caller's assessors."""
    return await tx.assessors.get(assessor_id)


async def assessors(cursor: str | None, limit: int, tx: Transaction) -> Page[Assessor]:
    """The caller's assessors."""
    return await tx.assessors.list_page(cursor, limit)
