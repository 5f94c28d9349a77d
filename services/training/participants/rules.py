"""Participants, their stays and movements. Not here: who the person is (identities).

`custody` in this folder holds the rules that apply a row of a snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import NotFound
from chassis.messaging.events import Event
from services.training import events
from services.training.settings import TEXTS

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
    title = TEXTS["errors.participant_unknown"]


class CustodyState(StrEnum):
    """Whether a person is in custody, as far as the snapshots show it."""

    HELD = "held"
    ABSENT = "absent"
    MISSING = "missing"
    RELEASED = "released"
    MERGED = "merged"


class MovementKind(StrEnum):
    """What happened to a stay. MISSING and RESTORED are internal: no event is published."""

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
    """What a row leaves for an officer to decide; the values are kinds of tasks."""

    CUSTODY_CONFLICT = "CUSTODY_CONFLICT"
    RELEASE_WITHDRAWN = "RELEASE_WITHDRAWN"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One period in one facility.

    `as_of` is the moment of the snapshot that opened or ended it.
    """

    no: int
    facility_id: str
    since: date
    as_of: datetime
    until: date | None = None
    ended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A person in custody, by an opaque reference.

    `facility_id` is the facility of the current or last stay. `listed_as` is the source reference
    under which that stay was opened; empty means `source_ref`.
    """

    id: str
    version: int = 0
    source_ref: str
    other_refs: tuple[str, ...] = ()
    listed_as: str = ""
    facility_id: str
    state: CustodyState
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
        if self.open_stay is not None:
            return self.open_stay
        return max(self.stays, key=lambda stay: (stay.as_of, stay.no), default=None)

    @property
    def is_present(self) -> bool:
        """Whether the person is in the facility now."""
        return self.state is CustodyState.HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotContext:
    """The snapshot that a rule applies: its facility, its moment and that moment's local date."""

    snapshot_id: str
    facility_id: str
    as_of: datetime
    taken_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyFacts:
    """What a row says about custody. Empty means that the row does not say it."""

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
    """One change of a stay; the same change always has the same id."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """The effect of a row on a person.

    `planned_release_on` is set when the expected release is new. `is_accepted` means that the row's
    details were applied.
    """

    after: Participant
    movements: tuple[Movement, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    planned_release_on: date | None = None
    planned_kind: str = ""
    is_accepted: bool = False


def build_movement_events(movement: Movement) -> list[Event]:
    """Return the events of a movement; none for MISSING and RESTORED."""
    match movement.kind:
        case MovementKind.ADMITTED | MovementKind.TRANSFERRED | MovementKind.RELEASED:
            return [_build_stay_event(movement)]
        case MovementKind.ABSENT | MovementKind.RETURNED:
            return [_build_absence_event(movement)]
        case MovementKind.DETAILS_CHANGED:
            changed = events.ParticipantDetailsChanged(
                participant_ref=movement.participant_ref,
                facility_id=movement.facility_id,
                fields=list(movement.fields),
                as_of=movement.as_of,
            )
            return [changed]
        case MovementKind.MERGED:
            return _build_merge_events(movement)
        case MovementKind.MISSING | MovementKind.RESTORED:
            return []


def _build_stay_event(movement: Movement) -> Event:
    if movement.kind is MovementKind.ADMITTED:
        return events.ParticipantAdmitted(
            participant_ref=movement.participant_ref,
            facility_id=movement.facility_id,
            kind="readmission" if movement.readmission else "new",
            effective_on=movement.effective_on,
            as_of=movement.as_of,
        )
    if movement.kind is MovementKind.TRANSFERRED:
        return events.ParticipantTransferred(
            participant_ref=movement.participant_ref,
            from_facility_id=movement.from_facility_id,
            to_facility_id=movement.facility_id,
            effective_on=movement.effective_on,
            as_of=movement.as_of,
        )
    return events.ParticipantReleased(
        participant_ref=movement.participant_ref,
        facility_id=movement.facility_id,
        kind=movement.code,
        effective_on=movement.effective_on,
        as_of=movement.as_of,
    )


def _build_absence_event(movement: Movement) -> Event:
    is_absent = movement.kind is MovementKind.ABSENT
    event_class = events.ParticipantAbsent if is_absent else events.ParticipantReturned
    return event_class(
        participant_ref=movement.participant_ref,
        facility_id=movement.facility_id,
        kind=movement.code,
        effective_on=movement.effective_on,
        as_of=movement.as_of,
    )


def _build_merge_events(movement: Movement) -> list[Event]:
    """Return the event of a merge twice: under the reference that ends and the one that stays."""
    from_ref = movement.participant_ref
    into_ref = movement.code
    return [
        events.ParticipantMerged(
            participant_ref=key, from_ref=from_ref, into_ref=into_ref, as_of=movement.as_of
        )
        for key in (from_ref, into_ref)
    ]
