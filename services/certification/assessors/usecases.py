"""Use cases of assessors: recording, changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.persistence.store import Page
from services.certification.assessors import rules
from services.certification.assessors.rules import Assessor
from services.certification.transaction import Transaction


async def record_assessor(assessor: Assessor, tx: Transaction) -> Assessor:
    """Record an assessor of one of the caller's LSPs. Raises LspUnknown, AssessorKnown."""
    await tx.lsps.get(assessor.lsp_id)
    holder = await tx.assessors.find_by_met_no(assessor.lsp_id, assessor.met_no)
    rules.require_new_met_no(holder)
    return tx.assessors.add(assessor)


async def change_assessor(
    assessor_id: str, changes: Mapping[str, Any], version: int, tx: Transaction
) -> Assessor:
    """Change facts of an assessor; earlier assignments keep what they froze."""
    before = await tx.assessors.get(assessor_id, if_match=version)
    return tx.assessors.save(before, replace(before, **changes))


async def view_assessor(assessor_id: str, tx: Transaction) -> Assessor:
    """Return one of the caller's assessors."""
    return await tx.assessors.get(assessor_id)


async def list_assessors(cursor: str | None, limit: int, tx: Transaction) -> Page[Assessor]:
    """Return a page of the caller's assessors."""
    return await tx.assessors.list_page(cursor, limit)
