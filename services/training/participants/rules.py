"""Where a person is held and what a snapshot's row changes of it. Not here: who the person is (identities)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from chassis.errors import NotFound
from chassis.ids import named_id
from chassis.messaging.events import Event
from services.training import events

MISSING_AFTER_SNAPSHOTS = 3
_CLEARED_AT_ADMISSION = {
    "legal_status": "",
    "expected_release": None,
    "two_thirds_date": None,
    "block": "",
}
DETAIL_FIELDS = (
    "legal_status",
    "admission_date",
    "expected_release",
    "two_thirds_date",
    "block",
    "education",
    "risk",
)


class ParticipantUnknown(NotFound):
    title = "Warga binaan tidak ditemukan"


class Custody(StrEnum):
    """Where a person is, as far as the files can tell."""

    HELD = "held"
    ABSENT = "absent"
    MISSING = "missing"
    RELEASED = "released"
    MERGED = "merged"


class MovementKind(StrEnum):
    """What happened to a stay. Missing and restored are seen here only and told to nobody."""

    ADMITTED = "admitted"
    TRANSFERRED = "transferred"
    RELEASED = "released"
    ABSENT = "absent"
    RETURNED = "returned"
    DETAILS_CHANGED = "details_changed"
    MERGED = "merged"
    MISSING = "missing"
    RESTORED = "restored"


class Doubt(StrEnum):
    """What a row leaves for a person to decide."""

    CUSTODY_CONFLICT = "CUSTODY_CONFLICT"
    RELEASE_WITHDRAWN = "RELEASE_WITHDRAWN"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One time in one facility. `as_of` is the moment of the snapshot that opened or ended it."""

    no: int
    facility_id: str
    since: date
    as_of: datetime
    until: date | None = None
    ended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A person in custody, by an opaque reference. `facility_id` is the place of the current or last stay, `listed_as` the source reference it was opened under.

    An empty `listed_as` means `source_ref`.
    """

    id: str
    version: int = 0
    source_ref: str
    other_refs: tuple[str, ...] = ()
    listed_as: str = ""
    facility_id: str
    state: Custody
    stays: tuple[Stay, ...] = ()
    absence: str = ""
    absences: int = 0
    missing_snapshots: int = 0
    release_kind: str = ""
    merged_into: str = ""
    legal_status: str = ""
    admission_date: date | None = None
    expected_release: date | None = None
    two_thirds_date: date | None = None
    block: str = ""
    education: str = ""
    risk: str = ""

    @property
    def open_stay(self) -> Stay | None:
        """The stay that has not ended."""
        return next((stay for stay in self.stays if not stay.ended_by), None)

    @property
    def last_stay(self) -> Stay | None:
        """The open stay, else the one that ended last."""
        return self.open_stay or max(
            self.stays, key=lambda stay: (stay.as_of, stay.no), default=None
        )

    @property
    def is_present(self) -> bool:
        """Whether the person is in the facility now."""
        return self.state is Custody.HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotContext:
    """One snapshot as the rules see it: whose it is, when it was taken, and that moment's local date."""

    snapshot_id: str
    facility_id: str
    as_of: datetime
    taken_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyFacts:
    """What a row says of custody. Empty means not said; `admission_date` is always said."""

    admission_date: date
    legal_status: str = ""
    expected_release: date | None = None
    two_thirds_date: date | None = None
    block: str = ""
    education: str = ""
    risk: str = ""
    absence: str = ""
    release: str = ""
    release_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of a stay; its id is the same whoever finds it, however often."""

    id: str
    version: int = 0
    participant_ref: str
    facility_id: str
    kind: MovementKind
    effective_on: date
    as_of: datetime
    snapshot_id: str = ""
    from_facility_id: str = ""
    code: str = ""
    fields: tuple[str, ...] = ()
    readmission: bool = False


def build_movement_events(movement: Movement) -> list[Event]:
    """The events of a movement; none for what only we see."""
    told: dict[str, Any] = {
        "participant_ref": movement.participant_ref,
        "as_of": movement.as_of,
        "effective_on": movement.effective_on,
    }
    match movement.kind:
        case MovementKind.ADMITTED:
            return [
                events.ParticipantAdmitted(
                    **told,
                    facility_id=movement.facility_id,
                    kind="readmission" if movement.readmission else "new",
                )
            ]
        case MovementKind.TRANSFERRED:
            return [
                events.ParticipantTransferred(
                    **told,
                    from_facility_id=movement.from_facility_id,
                    to_facility_id=movement.facility_id,
                )
            ]
        case MovementKind.RELEASED:
            return [
                events.ParticipantReleased(
                    **told, facility_id=movement.facility_id, kind=movement.code
                )
            ]
        case MovementKind.ABSENT:
            return [
                events.ParticipantAbsent(
                    **told, facility_id=movement.facility_id, kind=movement.code
                )
            ]
        case MovementKind.RETURNED:
            return [
                events.ParticipantReturned(
                    **told, facility_id=movement.facility_id, kind=movement.code
                )
            ]
        case MovementKind.DETAILS_CHANGED:
            return [
                events.ParticipantDetailsChanged(
                    participant_ref=movement.participant_ref,
                    facility_id=movement.facility_id,
                    fields=list(movement.fields),
                    as_of=movement.as_of,
                )
            ]
        case MovementKind.MERGED:
            both = (movement.participant_ref, movement.code)
            return [
                events.ParticipantMerged(
                    participant_ref=key, from_ref=both[0], into_ref=both[1], as_of=movement.as_of
                )
                for key in both
            ]
        case MovementKind.MISSING | MovementKind.RESTORED:
            return []


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """What a row makes of a person. `planned` is an expected release newly known; `heard` says that the row's details count."""

    after: Participant
    movements: tuple[Movement, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    planned_release_on: date | None = None
    is_accepted: bool = False


def apply_row(
    before: Participant | None,
    ref: str,
    source_ref: str,
    facts: CustodyFacts,
    changed_identity: tuple[str, ...],
    at: SnapshotContext,
) -> RowOutcome:
    """What one listed row changes. `ref` is the reference a person not known yet gets; `changed_identity` names fields of the identity that differ."""
    if before is None or not before.stays:
        person = before or Participant(
            id=ref,
            source_ref=source_ref,
            listed_as=source_ref,
            facility_id=at.facility_id,
            state=Custody.HELD,
        )
        return _admit(person, facts, at, readmission=False)
    if before.state is Custody.MERGED:
        return RowOutcome(after=before)
    outcome = _apply_to_known(before, facts, changed_identity, at)
    opened = len(outcome.after.stays) > len(before.stays)
    return (
        replace(outcome, after=replace(outcome.after, listed_as=source_ref)) if opened else outcome
    )


def is_superseded(
    person: Participant,
    source_ref: str,
    admission_date: date,
    listed: Collection[str],
    facility_id: str,
) -> bool:
    """Whether a row of a merged person says nothing new: the record that the stay was opened under is listed too, and this one opens no later stay."""
    last = person.last_stay
    current = person.listed_as or person.source_ref
    if last is None or source_ref == current or current not in listed:
        return False
    held_here = person.open_stay is not None and last.facility_id == facility_id
    return held_here or admission_date <= last.since


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
        of_this_stay = (
            facts.admission_date >= stay.since or (facts.release_date or at.taken_on) > stay.since
        )
        return _release(before, stay, facts, at) if of_this_stay else RowOutcome(after=before)
    return _apply_to_open_stay(before, stay, facts, changed_identity, at)


def record_missing(before: Participant, at: SnapshotContext) -> RowOutcome:
    """A full snapshot of the facility does not list the person: suspended here, never released."""
    stay = before.open_stay
    if stay is None or stay.facility_id != at.facility_id or at.as_of <= stay.as_of:
        return RowOutcome(after=before)
    after = replace(before, state=Custody.MISSING, missing_snapshots=before.missing_snapshots + 1)
    doubts = (Doubt.MISSING,) if after.missing_snapshots == MISSING_AFTER_SNAPSHOTS else ()
    movements = (
        ()
        if before.state is Custody.MISSING
        else (
            _build_movement(before, MovementKind.MISSING, stay, at, discriminator=at.snapshot_id),
        )
    )
    return RowOutcome(after=after, movements=movements, doubts=doubts)


def _admit(
    person: Participant, facts: CustodyFacts, at: SnapshotContext, *, readmission: bool
) -> RowOutcome:
    stay = Stay(
        no=len(person.stays) + 1,
        facility_id=at.facility_id,
        since=facts.admission_date,
        as_of=at.as_of,
    )
    opened = _apply_details(replace(_enter(person, stay, at), **_CLEARED_AT_ADMISSION), facts)
    admitted = replace(
        _build_movement(opened, MovementKind.ADMITTED, stay, at),
        effective_on=facts.admission_date,
        readmission=readmission,
    )
    if facts.release:
        released = _release(opened, stay, facts, at)
        return replace(released, movements=(admitted, *released.movements))
    after, absent = _apply_absence(opened, stay, facts, at)
    return RowOutcome(
        after=after,
        movements=(admitted, *absent),
        planned_release_on=after.expected_release,
        is_accepted=True,
    )


def _apply_after_end(before: Participant, facts: CustodyFacts, at: SnapshotContext) -> RowOutcome:
    last = before.last_stay
    if last is None or at.as_of < last.as_of or facts.admission_date < (last.until or last.since):
        withdrawn = (
            last is not None
            and at.as_of >= last.as_of
            and last.facility_id == at.facility_id
            and not facts.release
        )
        return RowOutcome(after=before, doubts=(Doubt.RELEASE_WITHDRAWN,) if withdrawn else ())
    if facts.release and (facts.release_date or at.taken_on) <= (last.until or last.since):
        return RowOutcome(after=before)
    return _admit(before, facts, at, readmission=True)


def _apply_elsewhere(
    before: Participant, stay: Stay, facts: CustodyFacts, at: SnapshotContext
) -> RowOutcome:
    if facts.release:
        counts = (facts.release_date or at.taken_on) >= stay.since
        return _release(before, stay, facts, at) if counts else RowOutcome(after=before)
    if facts.admission_date == stay.since and before.state is not Custody.MISSING:
        return RowOutcome(after=before, doubts=(Doubt.CUSTODY_CONFLICT,))
    if facts.admission_date < stay.since:
        return RowOutcome(after=before)
    closed = replace(
        before,
        stays=tuple(
            replace(one, until=facts.admission_date, as_of=at.as_of, ended_by="transferred")
            if one.no == stay.no
            else one
            for one in before.stays
        ),
    )
    opened = Stay(
        no=len(closed.stays) + 1,
        facility_id=at.facility_id,
        since=facts.admission_date,
        as_of=at.as_of,
    )
    received = _apply_details(_enter(closed, opened, at), facts)
    moved = replace(
        _build_movement(received, MovementKind.TRANSFERRED, opened, at),
        effective_on=facts.admission_date,
        from_facility_id=stay.facility_id,
    )
    after, absent = _apply_absence(received, opened, facts, at)
    return RowOutcome(
        after=after,
        movements=(moved, *absent),
        planned_release_on=_changed_release_on(before, after),
        is_accepted=True,
    )


def _release(
    before: Participant, stay: Stay, facts: CustodyFacts, at: SnapshotContext
) -> RowOutcome:
    on = facts.release_date or at.taken_on
    ended = replace(stay, until=on, as_of=at.as_of, ended_by="released")
    after = replace(
        before,
        state=Custody.RELEASED,
        release_kind=facts.release,
        absence="",
        missing_snapshots=0,
        stays=tuple(ended if one.no == stay.no else one for one in before.stays),
    )
    return RowOutcome(
        after=after,
        movements=(
            replace(
                _build_movement(after, MovementKind.RELEASED, stay, at, code=facts.release),
                effective_on=on,
            ),
        ),
    )


def _apply_to_open_stay(
    before: Participant,
    stay: Stay,
    facts: CustodyFacts,
    changed_identity: tuple[str, ...],
    at: SnapshotContext,
) -> RowOutcome:
    found = before
    movements: list[Movement] = []
    if before.state is Custody.MISSING:
        found = replace(
            before, state=Custody.ABSENT if before.absence else Custody.HELD, missing_snapshots=0
        )
        movements.append(
            _build_movement(before, MovementKind.RESTORED, stay, at, discriminator=at.snapshot_id)
        )
    found, absent = _apply_absence(found, stay, facts, at)
    movements += absent
    after = _apply_details(found, facts)
    if after.admission_date != found.admission_date:
        after = replace(
            after,
            stays=tuple(
                replace(one, since=facts.admission_date) if one.no == stay.no else one
                for one in after.stays
            ),
        )
    changed = tuple(
        sorted(
            {
                *changed_identity,
                *(name for name in DETAIL_FIELDS if getattr(found, name) != getattr(after, name)),
            }
        )
    )
    if changed:
        movements.append(
            replace(
                _build_movement(
                    after, MovementKind.DETAILS_CHANGED, stay, at, discriminator=at.snapshot_id
                ),
                fields=changed,
            )
        )
    return RowOutcome(
        after=after,
        movements=tuple(movements),
        planned_release_on=_changed_release_on(before, after),
        is_accepted=True,
    )


def _apply_absence(
    person: Participant, stay: Stay, facts: CustodyFacts, at: SnapshotContext
) -> tuple[Participant, list[Movement]]:
    """The person with the row's absence; one kind becoming another is a return and a new absence."""
    if facts.absence == person.absence:
        return person, []
    movements: list[Movement] = []
    if person.absence:
        movements.append(
            _build_movement(
                person,
                MovementKind.RETURNED,
                stay,
                at,
                code=person.absence,
                discriminator=person.absences,
            )
        )
    after = replace(
        person,
        absence=facts.absence,
        state=Custody.ABSENT if facts.absence else Custody.HELD,
        absences=person.absences + (1 if facts.absence else 0),
    )
    if facts.absence:
        movements.append(
            _build_movement(
                after,
                MovementKind.ABSENT,
                stay,
                at,
                code=facts.absence,
                discriminator=after.absences,
            )
        )
    return after, movements


def _enter(person: Participant, stay: Stay, at: SnapshotContext) -> Participant:
    return replace(
        person,
        facility_id=at.facility_id,
        state=Custody.HELD,
        stays=(*person.stays, stay),
        absence="",
        absences=0,
        missing_snapshots=0,
        release_kind="",
    )


def _changed_release_on(before: Participant, after: Participant) -> date | None:
    return after.expected_release if after.expected_release != before.expected_release else None


def _apply_details(person: Participant, facts: CustodyFacts) -> Participant:
    """The person with what the row says; what it does not say stays."""
    return replace(
        person,
        **{
            name: said for name in DETAIL_FIELDS if (said := getattr(facts, name)) not in {None, ""}
        },
    )


def _build_movement(
    person: Participant,
    kind: MovementKind,
    stay: Stay,
    at: SnapshotContext,
    *,
    discriminator: str | int = 0,
    code: str = "",
) -> Movement:
    """A movement of this stay, effective on the snapshot's day; `named` tells it from others of its kind in the stay."""
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
