"""Rules of completion: what a participant still lacks, by the rule of the class's edition.

Whole minutes and basis points, no fractions. Not here: the end of an enrolment (enrolments).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Refused
from services.training.attendance.rules import (
    COUNTS_AS,
    Attendance,
    AttendanceReason,
    CountsAs,
)
from services.training.programmes.rules import CompletionRule, Edition, Excused
from services.training.sessions.rules import Session, SessionState
from services.training.settings import TEXTS

FULL_BPS = 10_000


class NotYetComplete(Refused):
    """`reasons` are the codes of what is missing."""

    title = TEXTS["errors.not_yet_complete"]


class MissingRequirement(StrEnum):
    """What a participant lacks for completion."""

    NO_SESSION_HELD = "NO_SESSION_HELD"
    ATTENDANCE_BELOW_MINIMUM = "ATTENDANCE_BELOW_MINIMUM"
    LESSON_HOURS_BELOW_MINIMUM = "LESSON_HOURS_BELOW_MINIMUM"
    PART_NOT_PASSED = "PART_NOT_PASSED"
    NOT_CONFIRMED = "NOT_CONFIRMED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """One attempt at one part of the training's own assessment; attempts are only added."""

    part: str
    attempt: int
    passed: bool
    score: int | None
    assessor_ref: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The minutes held and attended, and what is still missing for completion.

    `unheld_minutes` are those of sessions not held yet, which `held_minutes` contains.
    """

    held_minutes: int
    unheld_minutes: int
    attended_minutes: int
    missing: tuple[MissingRequirement, ...]
    missing_parts: tuple[str, ...] = ()


def measure_progress(
    edition: Edition,
    starts_on: date,
    sessions: Sequence[Session],
    marks: Mapping[str, Attendance],
    results: Sequence[PartResult],
    *,
    confirmed: bool,
) -> Progress:
    """Return the progress of an enrolment that starts that day. `marks` are by session id.

    Cancelled sessions and those before the start count in neither sum. A session that nobody has
    marked yet counts as held and not attended, so that nobody completes before the last one unless
    the rule is met whatever happens.
    """
    rule = edition.completion
    held = 0
    unheld = 0
    attended = 0
    for session in sessions:
        if session.state is SessionState.CANCELLED or session.held_on < starts_on:
            continue
        held_here, attended_here = _count_minutes(session, marks.get(session.id), rule)
        held += held_here
        attended += attended_here
        if session.state is SessionState.PLANNED:
            unheld += session.minutes
    passed_parts = {result.part for result in results if result.passed}
    missing_parts = tuple(part for part in rule.required_parts if part not in passed_parts)
    return Progress(
        held_minutes=held,
        unheld_minutes=unheld,
        attended_minutes=attended,
        missing=_find_missing(edition, held, attended, missing_parts, confirmed=confirmed),
        missing_parts=missing_parts,
    )


def require_complete(progress: Progress) -> Progress:
    """Return the progress unchanged. Raises NotYetComplete with everything that is missing."""
    if progress.missing:
        raise NotYetComplete(reasons=list(progress.missing), parts=list(progress.missing_parts))
    return progress


def _find_missing(
    edition: Edition,
    held: int,
    attended: int,
    missing_parts: Sequence[str],
    *,
    confirmed: bool,
) -> tuple[MissingRequirement, ...]:
    rule = edition.completion
    missing: list[MissingRequirement] = []
    if held == 0:
        missing.append(MissingRequirement.NO_SESSION_HELD)
    if attended * FULL_BPS < rule.min_attended_bps * held:
        missing.append(MissingRequirement.ATTENDANCE_BELOW_MINIMUM)
    if _has_too_few_lesson_hours(edition, attended):
        missing.append(MissingRequirement.LESSON_HOURS_BELOW_MINIMUM)
    if missing_parts:
        missing.append(MissingRequirement.PART_NOT_PASSED)
    if rule.instructor_confirmation and not confirmed:
        missing.append(MissingRequirement.NOT_CONFIRMED)
    return tuple(missing)


def _has_too_few_lesson_hours(edition: Edition, attended: int) -> bool:
    rule = edition.completion
    if rule.min_lesson_hours is not None and rule.min_lesson_hours > 0:
        return attended < rule.min_lesson_hours * rule.lesson_minutes
    planned = edition.lesson_hours * rule.lesson_minutes
    return attended * FULL_BPS < planned * rule.min_attended_bps


def _count_minutes(
    session: Session, record: Attendance | None, rule: CompletionRule
) -> tuple[int, int]:
    """Return the minutes that count as held and as attended for this participant.

    A record without a mark counts by the reason that the system gave it, once the session is held.
    """
    is_held = session.state is SessionState.HELD
    if record is None or not is_held or not record.reason:
        return session.minutes, 0
    counts_as = COUNTS_AS[AttendanceReason(record.reason)]
    if counts_as is CountsAs.PRESENT:
        return session.minutes, record.minutes
    if counts_as is CountsAs.ABSENT:
        return session.minutes, 0
    match rule.excused:
        case Excused.EXCLUDED:
            return 0, 0
        case Excused.ABSENT:
            return session.minutes, 0
        case Excused.PRESENT:
            return session.minutes, session.minutes
