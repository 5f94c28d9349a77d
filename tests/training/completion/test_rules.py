"""Rules of completion alone: minutes, excused absences and parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from services.training.attendance.rules import Attendance, AttendanceReason
from services.training.completion import rules
from services.training.completion.rules import MissingRequirement, PartResult, Progress
from services.training.programmes.rules import CompletionRule, Excused
from services.training.sessions.rules import Session, SessionState
from tests.training.rule_factories import DAY, NOW, build_edition, build_record, build_session


def measure_progress(
    rule: CompletionRule,
    sessions: Sequence[Session],
    marks: Mapping[str, Attendance],
    results: Sequence[PartResult] = (),
    *,
    lesson_hours: int = 1,
) -> Progress:
    """Return the progress of an enrolment that starts on DAY in a short course."""
    edition = build_edition(rule, lesson_hours)
    return rules.measure_progress(edition, DAY, sessions, marks, results, confirmed=False)


@pytest.mark.scenario("T28")
@pytest.mark.parametrize(("minutes", "complete"), [(79, False), (80, True)])
# `complete` is the expectation.
def test_7999_of_10000_fails_and_8000_passes(minutes: int, complete: bool) -> None:  # noqa: FBT001
    sessions = [build_session(1, minutes=9_900), build_session(2)]
    marks = {
        "s1": build_record(1, AttendanceReason.ATTENDED, 7_920),
        "s2": build_record(2, AttendanceReason.ATTENDED_PART, minutes),
    }
    progress = measure_progress(CompletionRule(), sessions, marks)
    assert (progress.attended_minutes, progress.held_minutes) == (7_920 + minutes, 10_000)
    assert (MissingRequirement.ATTENDANCE_BELOW_MINIMUM not in progress.missing) == complete


@pytest.mark.scenario("T28")
def test_a_cancelled_session_counts_in_neither_sum() -> None:
    sessions = [
        build_session(1),
        build_session(2, state=SessionState.CANCELLED),
    ]
    progress = measure_progress(
        CompletionRule(),
        sessions,
        {"s1": build_record(1, AttendanceReason.ATTENDED, 100)},
    )
    assert (progress.held_minutes, progress.attended_minutes, progress.missing) == (100, 100, ())


@pytest.mark.parametrize(
    ("excused", "held", "attended"),
    [(Excused.EXCLUDED, 100, 100), (Excused.ABSENT, 200, 100), (Excused.PRESENT, 200, 200)],
)
def test_an_excused_absence_counts_as_the_rule_says(
    excused: Excused, held: int, attended: int
) -> None:
    marks = {
        "s1": build_record(1, AttendanceReason.ATTENDED, 100),
        "s2": build_record(2, AttendanceReason.SICK),
    }
    progress = measure_progress(
        CompletionRule(excused=excused),
        [build_session(1), build_session(2)],
        marks,
    )
    assert (progress.held_minutes, progress.attended_minutes) == (held, attended)


@pytest.mark.scenario("T28")
def test_a_failed_part_is_not_yet_and_its_second_attempt_completes() -> None:
    rule = CompletionRule(required_parts=("praktik",))
    held = [build_session(1)]
    marks = {"s1": build_record(1, AttendanceReason.ATTENDED, 100)}
    failed = PartResult(part="praktik", attempt=1, passed=False, score=40, assessor_ref="i", at=NOW)
    assert measure_progress(rule, held, marks, (failed,)).missing == (
        MissingRequirement.PART_NOT_PASSED,
    )
    assert (
        measure_progress(
            rule, held, marks, (failed, replace(failed, attempt=2, passed=True))
        ).missing
        == ()
    )


@pytest.mark.scenario("T28")
def test_one_session_of_a_course_of_160_lesson_hours_is_not_yet() -> None:
    marks = {"s1": build_record(1, AttendanceReason.ATTENDED, 30)}
    sessions = [build_session(1, minutes=30)]
    progress = measure_progress(CompletionRule(), sessions, marks, lesson_hours=160)
    assert progress.missing == (MissingRequirement.LESSON_HOURS_BELOW_MINIMUM,)


@pytest.mark.scenario("T28")
@pytest.mark.parametrize(("minutes", "is_enough"), [(5_759, False), (5_760, True)])
def test_the_default_minimum_is_the_share_of_the_lesson_hours(
    minutes: int,
    is_enough: bool,  # noqa: FBT001 - the expectation
) -> None:
    marks = {"s1": build_record(1, AttendanceReason.ATTENDED_PART, minutes)}
    sessions = [build_session(1, minutes=5_761)]
    progress = measure_progress(CompletionRule(), sessions, marks, lesson_hours=160)
    missing = MissingRequirement.LESSON_HOURS_BELOW_MINIMUM in progress.missing
    assert missing is not is_enough


def test_a_minimum_of_lesson_hours_replaces_the_default() -> None:
    marks = {"s1": build_record(1, AttendanceReason.ATTENDED, 90)}
    rule = CompletionRule(min_lesson_hours=2)
    sessions = [build_session(1, minutes=90)]
    assert measure_progress(rule, sessions, marks, lesson_hours=160).missing == ()


@pytest.mark.scenario("T28")
def test_a_session_that_nobody_marked_counts_as_held() -> None:
    planned = build_session(2, state=SessionState.PLANNED)
    marks = {"s1": build_record(1, AttendanceReason.ATTENDED, 100)}
    sessions = [build_session(1), planned]
    progress = measure_progress(CompletionRule(), sessions, marks)
    assert (progress.held_minutes, progress.unheld_minutes) == (200, 100)
    assert progress.missing == (MissingRequirement.ATTENDANCE_BELOW_MINIMUM,)


@pytest.mark.scenario("T28")
def test_sessions_before_the_start_of_a_late_joiner_count_in_neither_sum() -> None:
    early = replace(build_session(1), held_on=DAY - timedelta(days=1))
    marks = {"s2": build_record(2, AttendanceReason.ATTENDED, 100)}
    progress = measure_progress(CompletionRule(), [early, build_session(2)], marks)
    assert (progress.held_minutes, progress.attended_minutes, progress.missing) == (100, 100, ())


def test_a_held_session_of_a_suspended_participant_is_excused() -> None:
    suspended = replace(build_record(2), reason=AttendanceReason.SUSPENDED.value)
    marks = {"s1": build_record(1, AttendanceReason.ATTENDED, 100), "s2": suspended}
    progress = measure_progress(CompletionRule(), [build_session(1), build_session(2)], marks)
    assert (progress.held_minutes, progress.attended_minutes) == (100, 100)
