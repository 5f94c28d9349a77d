"""Use cases of decisions of the TPP: read, list, follow a merge of two records.

Not here: recording and approving, which also decide applications (applications).
"""

from __future__ import annotations

from dataclasses import replace

from chassis.persistence.store import Page
from services.training.tpp import rules
from services.training.tpp.rules import Decision
from services.training.transaction import Transaction


async def read_decision(decision_id: str, tx: Transaction) -> Decision:
    """Return one decision in the caller's scope, noted as read."""
    decision = await tx.tpp_decisions.get(decision_id)
    people = [result.participant_ref for result in decision.results]
    tx.note("tpp_decisions.read", decision.id, refs=people)
    return decision


async def list_decisions(cursor: str | None, limit: int, tx: Transaction) -> Page[Decision]:
    """Return a page of the decisions in the caller's scope, noted as read."""
    page = await tx.tpp_decisions.list_page(cursor, limit)
    people = {result.participant_ref for decision in page.items for result in decision.results}
    tx.note("tpp_decisions.listed", "", refs=sorted(people))
    return page


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move the verdicts on one reference to another and join them with its own."""
    standings = await tx.tpp_standings.many([from_ref, into_ref], scoped=False)
    old = standings.get(from_ref)
    into = standings.get(into_ref)
    if old is None:
        return
    tx.tpp_standings.remove(old)
    if into is not None:
        tx.tpp_standings.save(into, rules.merge_standings(into, old))
        return
    # the verdicts follow the person, also from a facility outside the caller's scope
    tx.tpp_standings.add(replace(old, id=into_ref, version=0), scoped=False)
