"""What happens: two records become one, by the source's word, an officer's, or because they share a number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from chassis.persistence.transactions import Runner
from services.training.applications import usecases as applications
from services.training.enrolments import usecases as enrolments
from services.training.merges import rules
from services.training.merges.rules import AlreadyMerged, MergeCandidate, SameParticipant
from services.training.participants import rules as custody
from services.training.participants.rules import Custody, Participant
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import TaskKind
from services.training.timeline import usecases as timeline
from services.training.tpp import usecases as tpp
from services.training.transaction import Transaction
from services.training.vault import FieldCipher


async def merge_participants(
    participant_ref: str, into_ref: str, if_match: int | None, tx: Transaction
) -> Participant:
    """An officer says that two records are one person. AlreadyMerged or SameParticipant otherwise; the survivor as stored."""
    old = await tx.participants.get(participant_ref, if_match=if_match)
    into = await tx.participants.get(await tx.resolve(into_ref))
    if old.id == into.id:
        raise SameParticipant
    if old.state is Custody.MERGED:
        raise AlreadyMerged
    facility = await tx.facilities.get(into.facility_id, scoped=False)
    return (await merge_records(old, into, tx.now, facility.local_date(tx.now), "", tx))[1]


async def merge_records(
    old: Participant,
    into: Participant,
    as_of: datetime,
    on: date,
    snapshot_id: str,
    tx: Transaction,
) -> tuple[Participant, Participant]:
    """Both records after `old` became another name of `into`: the alias first, then the event under both keys, then every record re-keyed."""
    gone, kept, movement = rules.merge(old, into, as_of, on, snapshot_id)
    await tx.alias(old.id, into.id)
    tx.movements.add(movement, custody.build_movement_events(movement))
    gone, kept = tx.participants.save(old, gone), tx.participants.save(into, kept)
    await _merge_identities(gone, kept, tx)
    for rekey in (
        tpp.replace_participant_ref,
        enrolments.replace_participant_ref,
        applications.rekey,
        timeline.replace_participant_ref,
    ):
        await rekey(old.id, into.id, tx)
    await inbox.resolve_merge_proposal(old.id, into.id, tx)
    await inbox.replace_participant_ref(old.id, into.id, tx)
    return gone, kept


async def _merge_identities(gone: Participant, kept: Participant, tx: Transaction) -> None:
    found = await tx.identities.many([gone.id, kept.id], scoped=False)
    old, into = found[gone.id], found[kept.id]
    vault: FieldCipher = tx.cipher
    resealed = (
        vault.encrypt(vault.decrypt(old.nik, old.id), into.id)
        if old.nik is not None and into.nik is None
        else None
    )
    after = rules.merge_identities(old, into, kept, resealed)
    if after != into:
        tx.identities.save(into, after)


async def merge_same_niks(run: Runner[Transaction]) -> bool:
    """The day's imports are over: records that share a NIK and a birth date become one. True when more wait."""
    return await run(_merge_next)


async def _merge_next(tx: Transaction) -> bool:
    found: Sequence[MergeCandidate] = await tx.merge_candidates.list_seen_before(tx.now.date(), 1)
    for candidate in found:
        people = await tx.participants.many(
            {await tx.resolve(candidate.one), await tx.resolve(candidate.other)}, scoped=False
        )
        if len(people) == 2:  # noqa: PLR2004 - else they are one already
            one, other = people.values()
            await _merge_or_propose(one, other, candidate, tx)
        tx.merge_candidates.remove(candidate)
    return bool(found)


async def _merge_or_propose(
    one: Participant, other: Participant, candidate: MergeCandidate, tx: Transaction
) -> None:
    old, into = rules.choose_survivor(one, other)
    facility = await tx.facilities.get(candidate.facility_id, scoped=False)
    today = facility.local_date(tx.now)
    if one.open_stay is None or other.open_stay is None:
        await merge_records(old, into, tx.now, today, "", tx)
        return
    facts = {
        "source_ref": old.source_ref,
        "other_source_ref": into.source_ref,
        "other_ref": into.id,
    }
    opened = items.open_task(
        TaskKind.MERGE_PROPOSAL,
        facility.id,
        tx.now,
        today,
        participant_ref=old.id,
        subject=candidate.id,
        facts=facts,
        other_facilities=frozenset({one.facility_id, other.facility_id}),
    )
    await inbox.open_task(opened, tx)
