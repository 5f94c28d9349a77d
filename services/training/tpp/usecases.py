"""What happens: decisions are recorded, approved by the head, and take effect on applications and on work."""

from __future__ import annotations

from dataclasses import replace

from chassis.persistence.store import Page
from services.training.applications import usecases as applications
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import TaskKind
from services.training.tpp import rules
from services.training.tpp.rules import (
    Decision,
    DecisionResult,
    ParticipantsUnknown,
    Scope,
    Standings,
)
from services.training.transaction import Transaction


async def record_decision(decision: Decision, tx: Transaction) -> Decision:
    """A hearing's decision, for all its people at once; what cannot be applied to one of them is reported and does not stop the others."""
    facility = await tx.facilities.get(decision.facility_id)
    results = tuple(
        [
            replace(result, participant_ref=await tx.resolve(result.participant_ref))
            for result in decision.results
        ]
    )
    by, behind = tx.caller.actor
    named = replace(
        decision,
        results=results,
        head_needed=facility.head_approval_required,
        recorded_by=by,
        recorded_for=behind,
    )
    known = rules.record(named, facility.local_date(tx.now))
    people = await tx.participants.many(result.participant_ref for result in results)
    if unknown := [
        result.participant_ref for result in results if result.participant_ref not in people
    ]:
        raise ParticipantsUnknown(refs=unknown)
    return await _apply_decision(None, known, tx)


async def approve_decision(decision_id: str, if_match: int | None, tx: Transaction) -> Decision:
    """The head's decree (SK Kalapas): the decision is in force from now on."""
    before = await tx.tpp_decisions.get(decision_id, if_match=if_match)
    return await _apply_decision(before, rules.approve(before, tx.caller.actor, tx.now), tx)


async def decision(decision_id: str, tx: Transaction) -> Decision:
    """One decision of the caller's facilities."""
    found = await tx.tpp_decisions.get(decision_id)
    tx.note(
        "tpp_decisions.read", found.id, refs=[result.participant_ref for result in found.results]
    )
    return found


async def decisions(cursor: str | None, limit: int, tx: Transaction) -> Page[Decision]:
    """The caller's decisions."""
    page = await tx.tpp_decisions.list_page(cursor, limit)
    tx.note(
        "tpp_decisions.listed",
        "",
        refs=sorted({result.participant_ref for found in page.items for result in found.results}),
    )
    return page


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """What the teams said of one reference they said of the other."""
    found = await tx.tpp_standings.many([from_ref, into_ref], scoped=False)
    old, into = found.get(from_ref), found.get(into_ref)
    if old is None:
        return
    tx.tpp_standings.remove(old)
    if into is None:
        tx.tpp_standings.add(
            replace(old, id=into_ref, version=0), scoped=False
        )  # it follows the person, wherever the hearing was
    else:
        tx.tpp_standings.save(into, rules.merge_standings(into, old))


async def _apply_decision(before: Decision | None, after: Decision, tx: Transaction) -> Decision:
    standings = await tx.tpp_standings.many(
        (result.participant_ref for result in after.results), scoped=False
    )
    for result in after.results:
        _record_verdict(standings.get(result.participant_ref), after, result, tx)
    left = (
        [
            result.participant_ref
            for result in after.results
            if not await _apply_to_applications(after, result, tx)
        ]
        if after.is_in_force
        else []
    )
    for ref in left:
        await _open_not_applied_task(after, ref, tx)
    done = replace(after, not_applied=tuple(left))
    told = [
        event
        for result in after.results
        for event in rules.build_work_eligibility_events(after, result)
    ]
    return (
        tx.tpp_decisions.add(done, told)
        if before is None
        else tx.tpp_decisions.save(before, done, told)
    )


def _record_verdict(
    before: Standings | None, decision: Decision, result: DecisionResult, tx: Transaction
) -> None:
    if before is None:
        tx.tpp_standings.add(
            rules.add_verdict(
                Standings(id=result.participant_ref, facility_id=decision.facility_id),
                decision,
                result,
            )
        )
    else:
        tx.tpp_standings.save(before, rules.add_verdict(before, decision, result))


async def _apply_to_applications(
    decision: Decision, result: DecisionResult, tx: Transaction
) -> bool:
    """Whether the verdict found what it speaks of: a decision on one class wants an application that still waits."""
    if decision.scope is Scope.WORK:
        return True
    decided = await applications.decide(result.participant_ref, decision, result, tx)
    return decided > 0 or decision.scope is not Scope.CLASS


async def _open_not_applied_task(decision: Decision, participant_ref: str, tx: Transaction) -> None:
    facility = await tx.facilities.get(decision.facility_id, scoped=False)
    facts = {"decision_id": decision.id, "class_id": decision.scope_ref}
    opened = items.open_task(
        TaskKind.DECISION_NOT_APPLIED,
        facility.id,
        tx.now,
        facility.local_date(tx.now),
        participant_ref=participant_ref,
        subject=decision.id,
        facts=facts,
    )
    await inbox.open_task(opened, tx)
