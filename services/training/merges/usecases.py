"""Use cases of merges: by an officer, by a row of a snapshot, or because of one shared NIK."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from services.training.applications import usecases as applications
from services.training.enrolments import consequences as enrolments
from services.training.merges import rules
from services.training.merges.rules import MergeCandidate, MergeChoice, MergeDecision
from services.training.participants.rules import Participant, build_movement_events
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import KEPT_APART, Task, TaskKind
from services.training.timeline import usecases as timeline
from services.training.tpp import usecases as tpp
from services.training.transaction import Transaction


async def merge_participants(
    participant_ref: str, into_ref: str, if_match: int, tx: Transaction
) -> Participant:
    """Merge two records for an officer; return the survivor.

    Raises SameParticipant, AlreadyMerged.
    """
    old = await tx.participants.get(participant_ref, if_match=if_match)
    into = await tx.participants.get(await tx.resolve(into_ref))
    rules.require_mergeable(old, into)
    facility = await tx.facilities.get(into.facility_id, scoped=False)
    _, kept = await merge_records(old, into, tx.now, facility.local_date(tx.now), "", tx)
    return kept


async def decide_proposal(
    task_id: str, choice: MergeChoice, reason: str, if_match: int, tx: Transaction
) -> Task:
    """Decide a merge proposal for the facilities that the officer holds.

    The records are merged, or kept apart for good, when both sides agree. Raises TaskUnknown,
    ProposalDecided, SamePersonDecides, AlreadyMerged.
    """
    task = rules.require_open_proposal(await tx.tasks.get(task_id, if_match=if_match))
    refs = [await tx.resolve(ref) for ref in (task.participant_ref, task.facts["other_ref"])]
    old, into = [await tx.participants.get(ref, scoped=False) for ref in refs]
    rules.require_mergeable(old, into)
    facilities = frozenset({old.facility_id, into.facility_id})
    own = frozenset(each for each in facilities if tx.caller.sees("facility", each))
    before = await tx.merge_decisions.seek(task.id, scoped=False)
    so_far = before or MergeDecision(id=task.id, facilities=facilities)
    so_far = replace(so_far, facilities=facilities)
    after = rules.decide_side(so_far, own, choice, reason, tx.caller.actor, tx.now)
    if before is None:
        tx.merge_decisions.add(after, scoped=False)
    else:
        tx.merge_decisions.save(before, after)
    decided = {f"decision_{each}": side.choice.value for each, side in after.sides.items()}
    saved = tx.tasks.save(task, replace(task, facts=task.facts | decided))
    if after.outcome is MergeChoice.KEEP_APART:
        resolved = task_rules.resolve(saved, KEPT_APART, reason, tx.caller.subject)
        return tx.tasks.save(saved, resolved)
    if after.outcome is MergeChoice.MERGE:
        facility = await tx.facilities.get(into.facility_id, scoped=False)
        await merge_records(old, into, tx.now, facility.local_date(tx.now), "", tx)
        await tasks.resolve_merged(task.id, tx)
    else:
        tx.participants.hold(old)
        tx.participants.hold(into)
    return await tx.tasks.get(task.id, scoped=False)


async def merge_records(
    old: Participant,
    into: Participant,
    as_of: datetime,
    on: date,
    snapshot_id: str,
    tx: Transaction,
) -> tuple[Participant, Participant]:
    """Merge two records and return both as stored.

    First the alias, then the event under both keys, then the records of every other noun.
    """
    closed, joined, movement = rules.merge(old, into, as_of, on, snapshot_id)
    await tx.alias(old.id, into.id)
    # a proposal across facilities is completed by an officer of either side
    tx.movements.add(movement, build_movement_events(movement), scoped=False)
    gone = tx.participants.save(old, closed)
    kept = tx.participants.save(into, joined)
    await _merge_identities(gone, kept, tx)
    await tpp.replace_participant_ref(old.id, into.id, tx)
    await enrolments.replace_participant_ref(old.id, into.id, tx)
    await applications.replace_participant_ref(old.id, into.id, tx)
    await timeline.replace_participant_ref(old.id, into.id, tx)
    await tasks.resolve_merge_proposal(old.id, into.id, tx)
    await tasks.replace_participant_ref(old.id, into.id, tx)
    return gone, kept


async def merge_next_candidate(tx: Transaction) -> bool:
    """Merge or propose the next pair of an earlier day; True when there was one."""
    candidates = await tx.merge_candidates.list_seen_before(tx.now.date(), 1)
    for candidate in candidates:
        one = await tx.resolve(candidate.one)
        other = await tx.resolve(candidate.other)
        are_merged_already = one == other
        if not are_merged_already and not await tasks.are_kept_apart(candidate.id, tx):
            people = await tx.participants.many([one, other], scoped=False)
            await _merge_or_propose(people[one], people[other], candidate, tx)
        tx.merge_candidates.remove(candidate)
    return bool(candidates)


async def _merge_identities(gone: Participant, kept: Participant, tx: Transaction) -> None:
    identities = await tx.identities.many([gone.id, kept.id], scoped=False)
    old = identities[gone.id]
    into = identities[kept.id]
    reencrypted = None
    if old.nik is not None and into.nik is None:
        reencrypted = tx.cipher.encrypt(tx.cipher.decrypt(old.nik, old.id), into.id)
    after = rules.merge_identities(old, into, kept, reencrypted)
    if after != into:
        tx.identities.save(into, after)


async def _merge_or_propose(
    first: Participant, second: Participant, candidate: MergeCandidate, tx: Transaction
) -> None:
    """Merge two records unless both are in custody; then an officer decides."""
    old, into = rules.choose_survivor(first, second)
    facility = await tx.facilities.get(candidate.facility_id, scoped=False)
    today = facility.local_date(tx.now)
    if first.open_stay is None or second.open_stay is None:
        await merge_records(old, into, tx.now, today, "", tx)
        return
    task = task_rules.open_task(
        TaskKind.MERGE_PROPOSAL,
        facility.id,
        tx.now,
        today,
        participant_ref=old.id,
        subject=candidate.id,
        facts={
            "source_ref": old.source_ref,
            "other_source_ref": into.source_ref,
            "other_ref": into.id,
        },
        other_facilities=frozenset({first.facility_id, second.facility_id}),
    )
    await tasks.open_task(task, tx)
