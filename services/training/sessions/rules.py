"""Rules of sessions, the dated meetings of a class. Not here: who attended (attendance)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.ids import named_id
from chassis.messaging.events import Event
from services.training.classes.rules import TrainingClass
from services.training.events import SessionHeld as SessionHeldEvent
from services.training.settings import TEXTS


class SessionUnknown(NotFound):
    title = TEXTS["errors.session_unknown"]


class SessionExists(Conflict):
    title = TEXTS["errors.session_exists"]


class SessionOutsideClass(Refused):
    title = TEXTS["errors.session_outside_class"]
    field = "held_on"


class SessionCancelled(Conflict):
    title = TEXTS["errors.session_cancelled"]


class SessionWasHeld(Conflict):
    title = TEXTS["errors.session_was_held"]


class SessionNotBegun(Conflict):
    title = TEXTS["errors.session_not_begun"]


class SessionState(StrEnum):
    """Planned, held or cancelled; the last two are final."""

    PLANNED = "PLANNED"
    HELD = "HELD"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One dated meeting; its id is made of the class, the day and the clock time."""

    id: str
    version: int = 0
    class_id: str
    facility_id: str
    held_on: date
    starts_at: datetime
    minutes: int
    state: SessionState = SessionState.PLANNED
    reason: str = ""


def plan(
    training_class: TrainingClass, held_on: date, clock: str, starts_at: datetime, minutes: int
) -> Session:
    """Return a session of a class. Raises SessionOutsideClass for a day outside its dates."""
    if not training_class.starts_on <= held_on <= training_class.ends_on:
        raise SessionOutsideClass(
            starts_on=training_class.starts_on.isoformat(),
            ends_on=training_class.ends_on.isoformat(),
        )
    return Session(
        id=named_id(training_class.id, held_on.isoformat(), clock),
        class_id=training_class.id,
        facility_id=training_class.facility_id,
        held_on=held_on,
        starts_at=starts_at,
        minutes=minutes,
    )


def require_new(session: Session, existing: Session | None) -> Session:
    """Return the session unchanged. Raises SessionExists when the class has one at that time."""
    if existing is not None:
        raise SessionExists
    return session


def mark_held(session: Session, now: datetime) -> tuple[Session, list[Event]]:
    """Return the session as held; a held one does not change.

    Raises SessionCancelled, SessionNotBegun.
    """
    if session.state is SessionState.CANCELLED:
        raise SessionCancelled
    if session.state is SessionState.HELD:
        return session, []
    if now < session.starts_at:
        raise SessionNotBegun
    event = SessionHeldEvent(
        class_id=session.class_id,
        session_id=session.id,
        facility_id=session.facility_id,
        held_on=session.held_on,
        minutes=session.minutes,
    )
    return replace(session, state=SessionState.HELD), [event]


def cancel(session: Session, reason: str) -> Session:
    """Return the session cancelled, which is final. Raises SessionWasHeld."""
    if session.state is SessionState.HELD:
        raise SessionWasHeld
    return replace(session, state=SessionState.CANCELLED, reason=session.reason or reason)
