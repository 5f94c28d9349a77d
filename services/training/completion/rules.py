"""What is allowed: whether a participant has completed a class, by the rule of the edition the class is bound to. Whole minutes and basis points, no fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import Refused
from services.training.attendance.rules import COUNTS_AS, Attendance, CountsAs, MarkState, Reason
from services.training.enrolments.rules import PartResult
from services.training.programmes.rules import CompletionRule, Excused
from services.training.sessions.rules import Session, SessionState

FULL_BPS = 10_000


class NotYetComplete(Refused):
    """`reasons` says what is missing."""

    title = "Belum memenuhi syarat kelulusan"


class MissingRequirement(StrEnum):
    """What keeps a participant from having completed."""

    NO_SESSION_HELD = "NO_SESSION_HELD"
    ATTENDANCE_BELOW_MINIMUM = "ATTENDANCE_BELOW_MINIMUM"
    LESSON_HOURS_BELOW_MINIMUM = "LESSON_HOURS_BELOW_MINIMUM"
    PART_NOT_PASSED = "PART_NOT_PASSED"
    NOT_CONFIRMED = "NOT_CONFIRMED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The minutes on both sides, and what is missing; complete when nothing is."""

    held_minutes: int
    attended_minutes: int
    missing: tuple[MissingRequirement, ...]
    missing_parts: tuple[str, ...] = ()


def measure_progress(
    rule: CompletionRule,
    sessions: Sequence[Session],
    marks: Mapping[str, Attendance],
    results: Sequence[PartResult],
    *,
    confirmed: bool,
) -> Progress:
    """Where a participant stands. `marks` by session id; only sessions that were held count, cancelled ones stand on neither side."""
    held = attended = 0
    for session in sessions:
        if session.state is SessionState.HELD:
            on_one_side, on_other = _count_minutes(session, marks.get(session.id), rule)
            held += on_one_side
            attended += on_other
    parts = tuple(
        part
        for part in rule.required_parts
        if not any(result.part == part and result.passed for result in results)
    )
    checks = (
        (MissingRequirement.NO_SESSION_HELD, held == 0),
        (
            MissingRequirement.ATTENDANCE_BELOW_MINIMUM,
            attended * FULL_BPS < rule.min_attended_bps * held,
        ),
        (
            MissingRequirement.LESSON_HOURS_BELOW_MINIMUM,
            attended < rule.min_lesson_hours * rule.lesson_minutes,
        ),
        (MissingRequirement.PART_NOT_PASSED, bool(parts)),
        (MissingRequirement.NOT_CONFIRMED, rule.instructor_confirmation and not confirmed),
    )
    return Progress(
        held_minutes=held,
        attended_minutes=attended,
        missing=tuple(code for code, lacking in checks if lacking),
        missing_parts=parts,
    )


def _count_minutes(
    session: Session, record: Attendance | None, rule: CompletionRule
) -> tuple[int, int]:
    """(minutes that were held for this participant, minutes that count as attended)."""
    if record is None or record.state is not MarkState.MARKED:
        return session.minutes, 0
    counts_as = COUNTS_AS[Reason(record.reason)]
    if counts_as is CountsAs.PRESENT:
        return session.minutes, record.minutes
    if counts_as is CountsAs.EXCUSED and rule.excused is Excused.EXCLUDED:
        return 0, 0
    return (
        session.minutes,
        session.minutes if counts_as is CountsAs.EXCUSED and rule.excused is Excused.PRESENT else 0,
    )
