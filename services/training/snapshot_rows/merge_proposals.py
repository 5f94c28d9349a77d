"""Use cases that propose a merge when a NIK of a snapshot is also in another record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.ids import named_id
from services.training.identities.rules import Identity
from services.training.merges.rules import MergeCandidate
from services.training.participants.rules import CustodyState, Participant, SnapshotContext
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction

_COMPARED_FIELDS = ("name", "birth_date", "sex", "register_no")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNik:
    """A person whose NIK is new, and its lookup values under every accepted key."""

    participant_ref: str
    lookups: list[str]


async def propose_for_new_niks(
    new_niks: Sequence[NewNik], at: SnapshotContext, tx: Transaction
) -> None:
    """Propose a merge for each pair of records that share a new NIK, each pair once."""
    if not new_niks:
        return
    lookups = {lookup for new_nik in new_niks for lookup in new_nik.lookups}
    sharing = await tx.identities.list_by_lookups(lookups)
    people = await tx.participants.many({identity.id for identity in sharing}, scoped=False)
    # a pair of two new NIKs is proposed by the later of the two
    later = {new_nik.participant_ref for new_nik in new_niks}
    for new_nik in new_niks:
        later.discard(new_nik.participant_ref)
        for identity in sharing:
            is_own = identity.id == new_nik.participant_ref
            has_same_nik = identity.nik_lookup in new_nik.lookups
            if is_own or identity.id in later or not has_same_nik:
                continue
            if people[identity.id].state is not CustodyState.MERGED:
                own = people[new_nik.participant_ref]
                await _propose_merge(own, people[identity.id], at, tx)


async def propose_to_holders(old: Participant, into: Participant, tx: Transaction) -> None:
    """Propose a merge that a list states to the facilities that hold the two people, once."""
    pair = named_id(*sorted((old.id, into.id)))
    key = task_rules.dedupe_key(TaskKind.MERGE_PROPOSAL, "", "", pair)
    if await tx.tasks.was_opened(key):
        return
    await _open_task(pair, old, into, into.facility_id, old.facility_id, tx)


async def _propose_merge(
    own: Participant, other: Participant, at: SnapshotContext, tx: Transaction
) -> None:
    """Store a candidate for an automatic merge, or open a task for an officer.

    Automatic when the birth dates agree and not both people are in custody.
    """
    pair = named_id(*sorted((own.id, other.id)))
    identities = await tx.identities.many([own.id, other.id], scoped=False)
    has_same_birth_date = identities[own.id].birth_date == identities[other.id].birth_date
    if has_same_birth_date and (own.open_stay is None or other.open_stay is None):
        await _add_candidate(pair, own, other, at, tx)
        return
    await _open_task(pair, own, other, at.facility_id, other.facility_id, tx)


async def _open_task(
    pair: str,
    own: Participant,
    other: Participant,
    facility_id: str,
    other_facility_id: str,
    tx: Transaction,
) -> None:
    """Open the task about two people at one facility, which the other facility sees, too."""
    identities = await tx.identities.many([own.id, other.id], scoped=False)
    facility = await tx.facilities.get(facility_id, scoped=False)
    task = task_rules.open_task(
        TaskKind.MERGE_PROPOSAL,
        facility.id,
        tx.now,
        facility.local_date(tx.now),
        participant_ref=own.id,
        subject=pair,
        facts={
            "source_ref": own.source_ref,
            "other_source_ref": other.source_ref,
            "other_ref": other.id,
            "differs": ",".join(_differing(identities[own.id], identities[other.id])),
        },
        other_facilities=frozenset({other_facility_id}),
    )
    await tasks.open_task(task, tx)


async def _add_candidate(
    pair: str, own: Participant, other: Participant, at: SnapshotContext, tx: Transaction
) -> None:
    if await tx.merge_candidates.seek(pair, scoped=False) is not None:
        return
    candidate = MergeCandidate(
        id=pair,
        one=own.id,
        other=other.id,
        facility_id=at.facility_id,
        seen_on=at.taken_on,
    )
    tx.merge_candidates.add(candidate)


def _differing(own: Identity, other: Identity) -> list[str]:
    return [name for name in _COMPARED_FIELDS if getattr(own, name) != getattr(other, name)]
