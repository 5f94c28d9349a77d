"""What is allowed: classes, their states and their seats. Seats are a document of their own, so that officers' edits do not collide with enrolments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training.events import ClassOpened


class ClassUnknown(NotFound):
    title = "Kelas tidak ditemukan"


class ClassFull(Conflict):
    """`seats_left` is how many could still be taken."""

    title = "Kelas sudah penuh"


class ClassNotOpen(Conflict):
    title = "Kelas ini tidak sedang menerima peserta"


class ClassStateRefuses(Conflict):
    """`state` is the one the class is in."""

    title = "Keadaan kelas tidak mengizinkan tindakan ini"


class SeatsBelowTaken(Refused):
    title = "Kuota tidak boleh lebih kecil daripada jumlah peserta saat ini"
    field = "seats_total"


class DatesReversed(Refused):
    title = "Kelas tidak dapat selesai sebelum dimulai"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingClass:
    """One run (angkatan) of an edition of a programme in a facility."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSeats:
    """How many seats a class has and how many are taken; its id is the class's."""

    id: str
    version: int = 0
    facility_id: str
    total: int
    taken: int = 0


def check_dates(run: TrainingClass) -> TrainingClass:
    """The class itself; DatesReversed when it ends before it starts."""
    if run.ends_on < run.starts_on:
        raise DatesReversed
    return run


def advance(run: TrainingClass, to: ClassState) -> TrainingClass:
    """The class in its next state; ClassStateRefuses when that is not the next one."""
    if run.state is not _PREVIOUS_STATE[to]:
        raise ClassStateRefuses(state=run.state)
    return replace(run, state=to)


def open_class(run: TrainingClass, seats: ClassSeats) -> tuple[TrainingClass, list[Event]]:
    """The class taking participants."""
    after = advance(run, ClassState.OPEN)
    event = ClassOpened(
        class_id=run.id,
        facility_id=run.facility_id,
        programme_id=run.programme_id,
        programme_version=run.edition,
        title=run.title,
        starts_on=run.starts_on,
        ends_on=run.ends_on,
        seats_total=seats.total,
        offer_id=run.offer_id or None,
    )
    return after, [event]


def cancel(run: TrainingClass, because: str) -> TrainingClass:
    """The class given up before its end."""
    if run.state not in {ClassState.DRAFT, *ENROLLING_STATES}:
        raise ClassStateRefuses(state=run.state)
    return replace(run, state=ClassState.CANCELLED, cancelled_because=because)


def require_enrolling(run: TrainingClass) -> TrainingClass:
    """The class itself; ClassNotOpen unless it takes participants."""
    if run.state not in ENROLLING_STATES:
        raise ClassNotOpen(state=run.state)
    return run


def take_seats(seats: ClassSeats, number: int = 1) -> ClassSeats:
    """So many more seats taken, or ClassFull and none."""
    if seats.taken + number > seats.total:
        raise ClassFull(seats_left=seats.total - seats.taken)
    return replace(seats, taken=seats.taken + number)


def return_seat(seats: ClassSeats) -> ClassSeats:
    """One seat free again."""
    if seats.taken == 0:
        message = "a seat came back that nobody had"
        raise ValueError(message)
    return replace(seats, taken=seats.taken - 1)


def resize(seats: ClassSeats, total: int) -> ClassSeats:
    """Another number of seats; SeatsBelowTaken when more are taken already."""
    if total < seats.taken:
        raise SeatsBelowTaken(seats_taken=seats.taken)
    return replace(seats, total=total)
