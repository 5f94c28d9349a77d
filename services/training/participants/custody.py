"""Rules that apply a row of a snapshot to a person's custody.

Snapshots of different facilities can arrive in any order; the result does not depend on it.
Not here: the aggregates (rules), and the events of a movement.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from chassis.ids import named_id
from services.training.participants.rules import (
    DETAIL_FIELDS,
    CustodyFacts,
    CustodyState,
    Doubt,
    Movement,
    MovementKind,
    Participant,
    RowOutcome,
    SnapshotContext,
    Stay,
)

MISSING_AFTER_SNAPSHOTS = 3
_CLEARED_AT_ADMISSION = {
    "legal_status": "",
    "expected_release": None,
    "two_thirds_date": None,
    "block": "",
}


def apply_row(
    before: Participant | None,
    new_ref: str,
    source_ref: str,
    facts: CustodyFacts,
    changed_identity: tuple[str, ...],
    at: SnapshotContext,
) -> RowOutcome:
    """Return the effect of one listed row on a person.

    `new_ref` is the reference for a person who is not known yet. `changed_identity` names the
    fields of the identity that differ.
    """
    if before is None or not before.stays:
        person = before or Participant(
            id=new_ref,
            source_ref=source_ref,
            listed_as=source_ref,
            facility_id=at.facility_id,
            state=CustodyState.HELD,
        )
        return _admit(person, facts, at, readmission=False)
    if before.state is CustodyState.MERGED:
        return RowOutcome(after=before)
    outcome = _apply_to_known(before, facts, changed_identity, at)
    if len(outcome.after.stays) == len(before.stays):
        return outcome
    return replace(outcome, after=replace(outcome.after, listed_as=source_ref))


def is_superseded(
    person: Participant,
    source_ref: str,
    admission_date: date,
    listed: Collection[str],
    facility_id: str,
) -> bool:
    """Return whether a row under a former reference of a merged person has nothing new.

    True when the reference of the current stay is listed too and the row opens no later stay.
    """
    last = person.last_stay
    current = person.listed_as or person.source_ref
    if last is None or source_ref == current or current not in listed:
        return False
    is_held_here = person.open_stay is not None and last.facility_id == facility_id
    return is_held_here or admission_date <= last.since


def is_transfer_in(person: Participant, facts: CustodyFacts, at: SnapshotContext) -> bool:
    """Return whether the row would end the person's stay in another facility by a transfer."""
    stay = person.open_stay
    if stay is None or stay.facility_id == at.facility_id or person.state is CustodyState.MERGED:
        return False
    outcome = _apply_to_known(person, facts, (), at)
    return any(movement.kind is MovementKind.TRANSFERRED for movement in outcome.movements)


def record_missing(before: Participant, at: SnapshotContext) -> RowOutcome:
    """Return the person as missing from a full snapshot: suspended, never released."""
    stay = before.open_stay
    if stay is None or stay.facility_id != at.facility_id or at.as_of <= stay.as_of:
        return RowOutcome(after=before)
    after = replace(
        before, state=CustodyState.MISSING, missing_snapshots=before.missing_snapshots + 1
    )
    doubts = (Doubt.MISSING,) if after.missing_snapshots == MISSING_AFTER_SNAPSHOTS else ()
    if before.state is CustodyState.MISSING:
        return RowOutcome(after=after, doubts=doubts)
    movement = _build_movement(before, MovementKind.MISSING, stay, at, discriminator=at.snapshot_id)
    return RowOutcome(after=after, movements=(movement,), doubts=doubts)


def correct_as_of(person: Participant, stated: datetime, true_time: datetime) -> Participant:
    """Return the person with the stays that a list of a wrong time opened or ended, corrected."""
    stays = tuple(
        replace(stay, as_of=true_time) if stay.as_of == stated else stay for stay in person.stays
    )
    return replace(person, stays=stays)


def _apply_to_known(
    before: Participant, facts: CustodyFacts, changed_identity: tuple[str, ...], at: SnapshotContext
) -> RowOutcome:
    stay = before.open_stay
    if stay is None:
        return _apply_after_end(before, facts, at)
    if at.as_of < stay.as_of:
        return RowOutcome(after=before)
    if stay.facility_id != at.facility_id:
        return _apply_elsewhere(before, stay, facts, at)
    if facts.release:
        released_on = facts.release_date or at.taken_on
        is_of_this_stay = facts.admission_date >= stay.since or released_on > stay.since
        return _release(before, stay, facts, at) if is_of_this_stay else RowOutcome(after=before)
    return _apply_to_open_stay(before, stay, facts, changed_identity, at)


def _admit(
    person: Participant, facts: CustodyFacts, at: SnapshotContext, *, readmission: bool
) -> RowOutcome:
    stay = Stay(
        no=len(person.stays) + 1,
        facility_id=at.facility_id,
        since=facts.admission_date,
        as_of=at.as_of,
    )
    entered = replace(_enter(person, stay, at), **_CLEARED_AT_ADMISSION)
    opened = _apply_details(entered, facts)
    admitted = replace(
        _build_movement(opened, MovementKind.ADMITTED, stay, at),
        effective_on=facts.admission_date,
        readmission=readmission,
    )
    if facts.release:
        released = _release(opened, stay, facts, at)
        return replace(released, movements=(admitted, *released.movements))
    after, absences = _apply_absence(opened, stay, facts, at)
    return RowOutcome(
        after=after,
        movements=(admitted, *absences),
        planned_release_on=after.expected_release,
        is_accepted=True,
    )


def _apply_after_end(before: Participant, facts: CustodyFacts, at: SnapshotContext) -> RowOutcome:
    """Apply a row of a person whose last stay has ended: nothing, a doubt, or a readmission."""
    last = before.last_stay
    if last is None or at.as_of < last.as_of:
        return RowOutcome(after=before)
    ended_on = last.until or last.since
    if facts.admission_date < ended_on:
        is_withdrawn = last.facility_id == at.facility_id and not facts.release
        doubts = (Doubt.RELEASE_WITHDRAWN,) if is_withdrawn else ()
        return RowOutcome(after=before, doubts=doubts)
    is_known_release = facts.admission_date <= last.since
    if facts.release and (is_known_release or (facts.release_date or at.taken_on) <= ended_on):
        return RowOutcome(after=before)
    return _admit(before, facts, at, readmission=True)


def _apply_elsewhere(
    before: Participant, stay: Stay, facts: CustodyFacts, at: SnapshotContext
) -> RowOutcome:
    """Apply a row of a facility other than that of the open stay: usually a transfer.

    It cannot release: the facility that holds the person decides.
    """
    if facts.release:
        is_doubtful = not _is_of_earlier_stay(before, stay, facts, at)
        doubts = (Doubt.CUSTODY_CONFLICT,) if is_doubtful else ()
        return RowOutcome(after=before, doubts=doubts)
    if facts.admission_date == stay.since and before.state is not CustodyState.MISSING:
        return RowOutcome(after=before, doubts=(Doubt.CUSTODY_CONFLICT,))
    if facts.admission_date < stay.since:
        return RowOutcome(after=before)
    ended = replace(stay, until=facts.admission_date, as_of=at.as_of, ended_by="transferred")
    closed = _replace_stay(before, ended)
    opened = Stay(
        no=len(closed.stays) + 1,
        facility_id=at.facility_id,
        since=facts.admission_date,
        as_of=at.as_of,
    )
    received = _apply_details(_enter(closed, opened, at), facts)
    transferred = replace(
        _build_movement(received, MovementKind.TRANSFERRED, opened, at),
        effective_on=facts.admission_date,
        from_facility_id=stay.facility_id,
    )
    after, absences = _apply_absence(received, opened, facts, at)
    return RowOutcome(
        after=after,
        movements=(transferred, *absences),
        planned_release_on=_changed_release_on(before, after),
        is_accepted=True,
    )


def _is_of_earlier_stay(
    person: Participant, stay: Stay, facts: CustodyFacts, at: SnapshotContext
) -> bool:
    """Return whether the row's release is one from before the open stay."""
    if (facts.release_date or at.taken_on) < stay.since:
        return True
    return any(
        earlier.ended_by == "released"
        and earlier.facility_id == at.facility_id
        and facts.admission_date <= earlier.since
        for earlier in person.stays
    )


def _release(
    before: Participant, stay: Stay, facts: CustodyFacts, at: SnapshotContext
) -> RowOutcome:
    released_on = facts.release_date or at.taken_on
    ended = replace(stay, until=released_on, as_of=at.as_of, ended_by="released")
    after = replace(
        _replace_stay(before, ended),
        state=CustodyState.RELEASED,
        release_kind=facts.release,
        absence="",
        missing_snapshots=0,
    )
    movement = replace(
        _build_movement(after, MovementKind.RELEASED, stay, at, code=facts.release),
        effective_on=released_on,
    )
    return RowOutcome(after=after, movements=(movement,))


def _apply_to_open_stay(
    before: Participant,
    stay: Stay,
    facts: CustodyFacts,
    changed_identity: tuple[str, ...],
    at: SnapshotContext,
) -> RowOutcome:
    person = before
    movements: list[Movement] = []
    if before.state is CustodyState.MISSING:
        state = CustodyState.ABSENT if before.absence else CustodyState.HELD
        person = replace(before, state=state, missing_snapshots=0)
        movements.append(
            _build_movement(before, MovementKind.RESTORED, stay, at, discriminator=at.snapshot_id)
        )
    person, absences = _apply_absence(person, stay, facts, at)
    movements += absences
    after = _apply_details(person, facts)
    if after.admission_date != person.admission_date:
        after = _replace_stay(after, replace(stay, since=facts.admission_date))
    changed_details = [
        name for name in DETAIL_FIELDS if getattr(person, name) != getattr(after, name)
    ]
    changed = tuple(sorted({*changed_identity, *changed_details}))
    if changed:
        movement = _build_movement(
            after, MovementKind.DETAILS_CHANGED, stay, at, discriminator=at.snapshot_id
        )
        movements.append(replace(movement, fields=changed))
    return RowOutcome(
        after=after,
        movements=tuple(movements),
        planned_release_on=_changed_release_on(before, after),
        is_accepted=True,
    )


def _apply_absence(
    person: Participant, stay: Stay, facts: CustodyFacts, at: SnapshotContext
) -> tuple[Participant, list[Movement]]:
    """Return the person with the row's absence; another kind is a return and a new absence."""
    if facts.absence == person.absence:
        return person, []
    movements: list[Movement] = []
    if person.absence:
        returned = _build_movement(
            person,
            MovementKind.RETURNED,
            stay,
            at,
            code=person.absence,
            discriminator=person.absences,
        )
        movements.append(returned)
    if not facts.absence:
        return replace(person, absence="", state=CustodyState.HELD), movements
    after = replace(
        person, absence=facts.absence, state=CustodyState.ABSENT, absences=person.absences + 1
    )
    absent = _build_movement(
        after, MovementKind.ABSENT, stay, at, code=facts.absence, discriminator=after.absences
    )
    return after, [*movements, absent]


def _enter(person: Participant, stay: Stay, at: SnapshotContext) -> Participant:
    return replace(
        person,
        facility_id=at.facility_id,
        state=CustodyState.HELD,
        stays=(*person.stays, stay),
        absence="",
        absences=0,
        missing_snapshots=0,
        release_kind="",
    )


def _replace_stay(person: Participant, changed: Stay) -> Participant:
    """Return the person with this stay in the place of the one with the same number."""
    stays = tuple(changed if stay.no == changed.no else stay for stay in person.stays)
    return replace(person, stays=stays)


def _changed_release_on(before: Participant, after: Participant) -> date | None:
    return after.expected_release if after.expected_release != before.expected_release else None


def _apply_details(person: Participant, facts: CustodyFacts) -> Participant:
    """Return the person with the details that the row gives; the others keep their value."""
    details: dict[str, Any] = {name: getattr(facts, name) for name in DETAIL_FIELDS}
    given = {name: value for name, value in details.items() if value not in {None, ""}}
    return replace(person, **given)


def _build_movement(
    person: Participant,
    kind: MovementKind,
    stay: Stay,
    at: SnapshotContext,
    *,
    discriminator: str | int = 0,
    code: str = "",
) -> Movement:
    """Return a movement of this stay, effective on the snapshot's day.

    `discriminator` distinguishes movements of one kind within a stay.
    """
    return Movement(
        id=named_id(person.id, stay.no, kind, discriminator),
        participant_ref=person.id,
        facility_id=stay.facility_id,
        kind=kind,
        effective_on=at.taken_on,
        as_of=at.as_of,
        snapshot_id=at.snapshot_id,
        code=code,
    )
