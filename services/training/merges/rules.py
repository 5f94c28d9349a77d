"""Rules that merge two records of one person. Not here: the records of other nouns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, Refused
from chassis.ids import named_id
from chassis.persistence.field_encryption import EncryptedField
from chassis.tasks import TaskState
from services.training.identities.rules import Identity, NikStatus
from services.training.participants.rules import CustodyState, Movement, MovementKind, Participant
from services.training.settings import TEXTS
from services.training.tasks.rules import Task, TaskKind, TaskUnknown

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class AlreadyMerged(Conflict):
    title = TEXTS["errors.already_merged"]


class SameParticipant(Refused):
    title = TEXTS["errors.same_participant"]
    field = "into_ref"


class ProposalDecided(Conflict):
    title = TEXTS["errors.proposal_decided"]


class SamePersonDecides(Refused):
    title = TEXTS["errors.same_person_decides"]


class MergeChoice(StrEnum):
    """What one side of a merge proposal decides."""

    MERGE = "merge"
    KEEP_APART = "keep_apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeSide:
    """The decision of one facility, and who made it."""

    choice: MergeChoice
    reason: str
    by: str
    on_behalf_of: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeDecision:
    """The decisions of both sides of a merge proposal, by facility; the id is the task's."""

    id: str
    version: int = 0
    facilities: frozenset[str]
    sides: dict[str, MergeSide] = field(default_factory=dict)

    @property
    def outcome(self) -> MergeChoice | None:
        """The choice on which every side agrees; None as long as they do not."""
        choices = {side.choice for side in self.sides.values()}
        is_complete = self.sides.keys() == self.facilities
        return next(iter(choices)) if is_complete and len(choices) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCandidate:
    """Two records that share a NIK and a birth date.

    They are merged after the day's imports, unless both are in custody by then.
    """

    id: str
    version: int = 0
    one: str
    other: str
    facility_id: str
    seen_on: date


def require_open_proposal(task: Task) -> Task:
    """Return the task unchanged. Raises TaskUnknown, ProposalDecided unless it can be decided."""
    if task.kind is not TaskKind.MERGE_PROPOSAL:
        raise TaskUnknown
    if task.state is TaskState.RESOLVED:
        raise ProposalDecided
    return task


def decide_side(
    decision: MergeDecision,
    own: frozenset[str],
    choice: MergeChoice,
    reason: str,
    by: Actor,
    now: datetime,
) -> MergeDecision:
    """Return the decision with the choice of the facilities that the officer holds.

    Raises TaskUnknown for an officer who holds no side, SamePersonDecides when the other side was
    decided by the same person.
    """
    sides_of_officer = own & decision.facilities
    if not sides_of_officer:
        raise TaskUnknown
    for facility_id in decision.sides.keys() - sides_of_officer:
        side = decision.sides[facility_id]
        if by.conflicts_with(Actor(side.by, side.on_behalf_of)):
            raise SamePersonDecides
    side = MergeSide(choice=choice, reason=reason, by=by.by, on_behalf_of=by.on_behalf_of, at=now)
    return replace(decision, sides=decision.sides | dict.fromkeys(sides_of_officer, side))


def require_mergeable(old: Participant, into: Participant) -> None:
    """Raise SameParticipant or AlreadyMerged unless `old` can become an alias of `into`."""
    if old.id == into.id:
        raise SameParticipant
    if old.state is CustodyState.MERGED:
        raise AlreadyMerged


def may_merge_by_list(old: Participant, into: Participant, facility_id: str) -> bool:
    """Return whether a facility's list may merge two records: both are, or were last, its own."""
    stays = (old.last_stay, into.last_stay)
    return all(stay is not None and stay.facility_id == facility_id for stay in stays)


def merge(
    old: Participant, into: Participant, as_of: datetime, on: date, snapshot_id: str = ""
) -> tuple[Participant, Participant, Movement]:
    """Return both records after `old` became an alias of `into`, and the movement.

    An open stay of `old` moves to `into` unless `into` has an open stay.
    """
    return (
        _close(old, into, as_of, on),
        _join(old, into),
        Movement(
            id=named_id(old.id, MovementKind.MERGED, into.id),
            participant_ref=old.id,
            facility_id=old.facility_id,
            kind=MovementKind.MERGED,
            effective_on=on,
            as_of=as_of,
            snapshot_id=snapshot_id,
            code=into.id,
        ),
    )


def _join(old: Participant, into: Participant) -> Participant:
    """Return the record that survives, with the stays and references of both."""
    current = _choose_current(old, into)
    carried = [stay for stay in old.stays if stay.ended_by or into.open_stay is None]
    numbers = range(len(into.stays) + 1, len(into.stays) + 1 + len(carried))
    renumbered = [replace(stay, no=no) for stay, no in zip(carried, numbers, strict=True)]
    return replace(
        current,
        id=into.id,
        version=into.version,
        source_ref=into.source_ref,
        listed_as=current.listed_as or current.source_ref,
        other_refs=tuple(dict.fromkeys((*into.other_refs, *old.other_refs, old.source_ref))),
        stays=(*into.stays, *renumbered),
    )


def _close(old: Participant, into: Participant, as_of: datetime, on: date) -> Participant:
    """Return the record that becomes an alias, its open stay ended."""
    stays = [
        stay if stay.ended_by else replace(stay, ended_by="merged", until=on, as_of=as_of)
        for stay in old.stays
    ]
    return replace(
        old,
        state=CustodyState.MERGED,
        merged_into=into.id,
        absence="",
        missing_snapshots=0,
        stays=tuple(stays),
    )


def _choose_current(old: Participant, into: Participant) -> Participant:
    """Return the record that shows where the person is now.

    The one in custody, else the one whose stay ended last.
    """
    if into.open_stay is not None or old.last_stay is None:
        return into
    if old.open_stay is not None or into.last_stay is None:
        return old
    return max(into, old, key=_last_known_at)


def _last_known_at(person: Participant) -> datetime:
    return person.last_stay.as_of if person.last_stay else _LONG_AGO


def choose_survivor(first: Participant, second: Participant) -> tuple[Participant, Participant]:
    """Return (old, into) of an automatic merge; the order of import does not matter.

    The record with the earlier first admission survives, then that with the smaller source
    reference.
    """
    into, old = sorted((first, second), key=_first_admission)
    return old, into


def _first_admission(person: Participant) -> tuple[date, str]:
    first_day = min((stay.since for stay in person.stays), default=date.max)
    return first_day, person.source_ref


def merge_identities(
    old: Identity, into: Identity, kept: Participant, reencrypted: EncryptedField | None
) -> Identity:
    """Return the survivor's identity, taken from the record that has the current stay.

    `reencrypted` is the NIK of `old`, encrypted for the survivor, if only `old` has one.
    """
    current = into if kept.listed_as == kept.source_ref else old
    nik_source = into if into.nik is not None else old
    nik_status = nik_source.nik_status
    if nik_source.nik is None:
        nik_status = max(old.nik_status, into.nik_status, key=list(NikStatus).index)
    return replace(
        current,
        id=into.id,
        version=into.version,
        facility_id=kept.facility_id,
        nik=into.nik or reencrypted,
        nik_lookup=nik_source.nik_lookup,
        nik_lookup_key=nik_source.nik_lookup_key,
        nik_last4=nik_source.nik_last4,
        nik_status=nik_status,
    )
