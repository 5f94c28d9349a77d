"""What is allowed: two records that turn out to be one person. Not here: the records of other nouns that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from chassis.errors import Conflict, Refused
from chassis.ids import named_id
from services.training.identities.rules import Identity, NikStatus
from services.training.participants.rules import Custody, Movement, MovementKind, Participant
from services.training.vault import EncryptedField


class AlreadyMerged(Conflict):
    title = "Data ini sudah digabung dengan data lain"


class SameParticipant(Refused):
    title = "Data tidak dapat digabung dengan dirinya sendiri"
    field = "into_ref"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCandidate:
    """Two records that share a NIK and a birth date: merged after the day's imports, unless both are in custody by then."""

    id: str
    version: int = 0
    one: str
    other: str
    facility_id: str
    seen_on: date


def merge(
    old: Participant, into: Participant, as_of: datetime, on: date, snapshot_id: str = ""
) -> tuple[Participant, Participant, Movement]:
    """Both records after `old` has become another name of `into`. An open stay of the old one goes over unless the other has one."""
    current = _choose_current(old, into)
    carried = [stay for stay in old.stays if stay.ended_by or into.open_stay is None]
    kept = replace(
        current,
        id=into.id,
        version=into.version,
        source_ref=into.source_ref,
        listed_as=current.listed_as or current.source_ref,
        other_refs=tuple(dict.fromkeys((*into.other_refs, *old.other_refs, old.source_ref))),
        stays=(
            *into.stays,
            *(replace(stay, no=no) for no, stay in enumerate(carried, start=len(into.stays) + 1)),
        ),
    )
    gone = replace(
        old,
        state=Custody.MERGED,
        merged_into=into.id,
        absence="",
        missing_snapshots=0,
        stays=tuple(
            stay if stay.ended_by else replace(stay, ended_by="merged", until=on, as_of=as_of)
            for stay in old.stays
        ),
    )
    movement = Movement(
        id=named_id(old.id, MovementKind.MERGED, into.id),
        participant_ref=old.id,
        facility_id=old.facility_id,
        kind=MovementKind.MERGED,
        effective_on=on,
        as_of=as_of,
        snapshot_id=snapshot_id,
        code=into.id,
    )
    return gone, kept, movement


def _choose_current(old: Participant, into: Participant) -> Participant:
    """The record that says where the person is now: the one in custody, else the one whose stay ended last."""
    if into.open_stay is not None or old.last_stay is None:
        return into
    if old.open_stay is not None or into.last_stay is None:
        return old
    return max(
        into,
        old,
        key=lambda person: (
            person.last_stay.as_of if person.last_stay else datetime.min.replace(tzinfo=UTC)
        ),
    )


def choose_survivor(one: Participant, other: Participant) -> tuple[Participant, Participant]:
    """(old, into) of an automatic merge: the older first admission survives, whatever was imported first; the smaller reference when equal."""
    into, old = sorted(
        (one, other),
        key=lambda person: (
            min((stay.since for stay in person.stays), default=date.max),
            person.source_ref,
        ),
    )
    return old, into


def merge_identities(
    old: Identity, into: Identity, kept: Participant, resealed: EncryptedField | None
) -> Identity:
    """Who the survivor is: what the record says that the stay was opened under; `resealed` is the other record's number, sealed for the survivor, if only that one has any."""
    current = into if kept.listed_as == kept.source_ref else old
    number = into if into.nik is not None else old
    return replace(
        current,
        id=into.id,
        version=into.version,
        facility_id=kept.facility_id,
        nik=into.nik or resealed,
        nik_lookup=number.nik_lookup,
        nik_lookup_key=number.nik_lookup_key,
        nik_last4=number.nik_last4,
        nik_status=number.nik_status
        if number.nik is not None
        else max(old.nik_status, into.nik_status, key=list(NikStatus).index),
    )
