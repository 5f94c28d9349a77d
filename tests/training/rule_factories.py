"""A session, an edition and a record for tests of rules alone. Not here: expectations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from services.training.attendance import rules as attendance
from services.training.attendance.rules import Attendance, AttendanceReason, MarkState
from services.training.enrolments.rules import Enrolment
from services.training.programmes.rules import (
    CompletionRule,
    Edition,
    EligibilityRule,
    TaughtUnit,
)
from services.training.sessions.rules import Session, SessionState

DAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 7, tzinfo=UTC)


def build_session(
    number: int = 1, *, minutes: int = 100, state: SessionState = SessionState.HELD
) -> Session:
    """Return a session of DAY, with the id `s<number>`."""
    return Session(
        id=f"s{number}",
        class_id="c",
        facility_id="f",
        held_on=DAY,
        starts_at=NOW + timedelta(hours=number),
        minutes=minutes,
        state=state,
    )


def build_edition(rule: CompletionRule, lesson_hours: int = 1) -> Edition:
    """Return the first edition of a programme with this completion rule."""
    return Edition(
        number=1,
        title="Las",
        units=(TaughtUnit(code="A.1", title="Mengelas"),),
        scheme_ref="",
        lesson_hours=lesson_hours,
        outside=False,
        provider_neutral_name="",
        completion=rule,
        eligibility=EligibilityRule(),
    )


def build_record(
    number: int = 1, reason: AttendanceReason | None = None, minutes: int = 0
) -> Attendance:
    """Return the record of a session: marked with this reason, or waiting."""
    waiting = attendance.expect("e", "p", build_session(number))
    if reason is None:
        return waiting
    return replace(waiting, state=MarkState.MARKED, reason=reason.value, minutes=minutes)


def build_enrolment(**values: object) -> Enrolment:
    """Return a live enrolment that starts on DAY, with these values."""
    usual = Enrolment(
        id="e",
        participant_ref="p",
        class_id="c",
        facility_id="f",
        programme_id="g",
        edition=1,
        outside=False,
        starts_on=DAY,
        enrolled_at=NOW,
        enrolled_by="u",
    )
    return replace(usual, **values)  # pyright: ignore[reportArgumentType]  # a test names any field
