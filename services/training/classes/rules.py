"""Rules of classes, their states and their seats. Not here: who sits in them (enrolments).

The seats are a document of their own, so that officers' edits do not collide with enrolments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training.events import ClassOpened
from services.training.programmes.rules import Programme
from services.training.settings import TEXTS


class ClassUnknown(NotFound):
    title = TEXTS["errors.class_unknown"]


class ClassFull(Conflict):
    """`seats_left` is the number of free seats."""

    title = TEXTS["errors.class_full"]


class ClassNotOpen(Conflict):
    title = TEXTS["errors.class_not_open"]


class ClassStateRefuses(Conflict):
    """`state` is the one that the class is in."""

    title = TEXTS["errors.class_state_refuses"]


class ClosingReasonNeeded(Refused):
    """`ends_on` is the planned last day, `sessions_left` the sessions that have not begun."""

    title = TEXTS["errors.closing_reason_needed"]
    field = "reason"


class SeatsBelowTaken(Refused):
    title = TEXTS["errors.seats_below_taken"]
    field = "seats_total"


class DatesReversed(Refused):
    title = TEXTS["errors.dates_reversed"]
    field = "ends_on"


class ClassState(StrEnum):
    """DRAFT, OPEN, RUNNING, CLOSED in that order; CANCELLED from the first three."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    RUNNING = "RUNNING"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


_PREVIOUS_STATE = {
    ClassState.OPEN: ClassState.DRAFT,
    ClassState.RUNNING: ClassState.OPEN,
    ClassState.CLOSED: ClassState.RUNNING,
}
ENROLLING_STATES = frozenset({ClassState.OPEN, ClassState.RUNNING})
ENDED_STATES = frozenset({ClassState.CLOSED, ClassState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingClass:
    """One class (angkatan) of an edition of a programme in a facility."""

    id: str
    version: int = 0
    facility_id: str
    programme_id: str
    edition: int
    title: str
    batch_no: str
    starts_on: date
    ends_on: date
    location: str = ""
    instructor_refs: tuple[str, ...] = ()
    offer_id: str = ""
    state: ClassState = ClassState.DRAFT
    cancelled_because: str = ""
    closed_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSeats:
    """The number of seats of a class, and how many are taken; its id is the class's."""

    id: str
    version: int = 0
    facility_id: str
    total: int
    taken: int = 0


def seats_lock(class_id: str) -> str:
    """Return the name of the lock on the seats of a class, which many requests change at once."""
    return f"class-seats/{class_id}"


def plan(training_class: TrainingClass, programme: Programme) -> TrainingClass:
    """Return the class bound to an edition of the programme; edition 0 means the newest.

    An empty title becomes that of the edition. Raises EditionUnknown, DatesReversed.
    """
    edition = programme.newest_edition
    if training_class.edition:
        edition = programme.get_edition(training_class.edition)
    title = training_class.title or edition.title
    return _require_dates(replace(training_class, edition=edition.number, title=title))


def change(training_class: TrainingClass, changes: Mapping[str, Any]) -> TrainingClass:
    """Return the class with these fields changed. Raises ClassStateRefuses, DatesReversed."""
    if training_class.state in ENDED_STATES:
        raise ClassStateRefuses(state=training_class.state)
    return _require_dates(replace(training_class, **changes))


def advance(training_class: TrainingClass, to: ClassState) -> TrainingClass:
    """Return the class in its next state. Raises ClassStateRefuses when it is not the next one."""
    if training_class.state is not _PREVIOUS_STATE[to]:
        raise ClassStateRefuses(state=training_class.state)
    return replace(training_class, state=to)


def open_class(
    training_class: TrainingClass, seats: ClassSeats
) -> tuple[TrainingClass, list[Event]]:
    """Return the class open for participants. Raises ClassStateRefuses."""
    after = advance(training_class, ClassState.OPEN)
    event = ClassOpened(
        class_id=after.id,
        facility_id=after.facility_id,
        programme_id=after.programme_id,
        programme_version=after.edition,
        title=after.title,
        starts_on=after.starts_on,
        ends_on=after.ends_on,
        seats_total=seats.total,
        offer_id=after.offer_id or None,
    )
    return after, [event]


def close(
    training_class: TrainingClass, because: str, today: date, sessions_left: int
) -> TrainingClass:
    """Return the class closed. Raises ClassStateRefuses, ClosingReasonNeeded.

    A reason is needed before the last day, and while sessions have not begun.
    """
    after = advance(training_class, ClassState.CLOSED)
    is_early = today < training_class.ends_on or sessions_left > 0
    if is_early and not because:
        raise ClosingReasonNeeded(
            ends_on=training_class.ends_on.isoformat(), sessions_left=sessions_left
        )
    return replace(after, closed_because=because)


def cancel(training_class: TrainingClass, because: str) -> TrainingClass:
    """Return the class cancelled before its end. Raises ClassStateRefuses."""
    if training_class.state in ENDED_STATES:
        raise ClassStateRefuses(state=training_class.state)
    return replace(training_class, state=ClassState.CANCELLED, cancelled_because=because)


def require_enrolling(training_class: TrainingClass) -> TrainingClass:
    """Return the class unchanged. Raises ClassNotOpen unless it accepts participants."""
    if training_class.state not in ENROLLING_STATES:
        raise ClassNotOpen(state=training_class.state)
    return training_class


def require_open(training_class: TrainingClass) -> TrainingClass:
    """Return the class unchanged. Raises ClassNotOpen unless it is open and not started."""
    if training_class.state is not ClassState.OPEN:
        raise ClassNotOpen(state=training_class.state)
    return training_class


def take_seats(seats: ClassSeats, number: int = 1) -> ClassSeats:
    """Return the seats with `number` more taken. Raises ClassFull unless all of them are free."""
    if seats.taken + number > seats.total:
        raise ClassFull(seats_left=seats.total - seats.taken)
    return replace(seats, taken=seats.taken + number)


def return_seat(seats: ClassSeats) -> ClassSeats:
    """Return the seats with one of them free again."""
    if seats.taken == 0:
        message = "a seat is returned, but none is taken"
        raise ValueError(message)
    return replace(seats, taken=seats.taken - 1)


def resize(seats: ClassSeats, total: int) -> ClassSeats:
    """Return the seats with another total. Raises SeatsBelowTaken when more are taken."""
    if total < seats.taken:
        raise SeatsBelowTaken(seats_taken=seats.taken)
    return replace(seats, total=total)


def _require_dates(training_class: TrainingClass) -> TrainingClass:
    if training_class.ends_on < training_class.starts_on:
        raise DatesReversed
    return training_class
