"""Rules of completion alone: minutes, excused absences and parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.training.attendance.rules import AttendanceReason
from services.training.completion.rules import MissingRequirement, PartResult, measure_progress
from services.training.programmes.rules import CompletionRule, Excused
from services.training.sessions.rules import SessionState
from tests.training.rule_factories import NOW, build_record, build_session


@pytest.mark.scenario("T28")
@pytest.mark.parametrize(("minutes", "complete"), [(79, False), (80, True)])
# `complete` is the expectation.
def test_7999_of_10000_fails_and_8000_passes(minutes: int, complete: bool) -> None:  # noqa: FBT001
    sessions = [build_session(1, minutes=9_900), build_session(2)]
    marks = {
        "s1": build_record(1, AttendanceReason.ATTENDED, 7_920),
        "s2": build_record(2, AttendanceReason.ATTENDED_PART, minutes),
    }
    progress = measure_progress(CompletionRule(), sessions, marks, (), confirmed=False)
    assert (progress.attended_minutes, progress.held_minutes) == (7_920 + minutes, 10_000)
    assert (MissingRequirement.ATTENDANCE_BELOW_MINIMUM not in progress.missing) == complete


@pytest.mark.scenario("T28")
def test_a_cancelled_session_counts_in_neither_sum() -> None:
    sessions = [
        build_session(1),
        build_session(2, state=SessionState.CANCELLED),
        build_session(3, state=SessionState.PLANNED),
    ]
    progress = measure_progress(
        CompletionRule(),
        sessions,
        {"s1": build_record(1, AttendanceReason.ATTENDED, 100)},
        (),
        confirmed=False,
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
        (),
        confirmed=False,
    )
    assert (progress.held_minutes, progress.attended_minutes) == (held, attended)


@pytest.mark.scenario("T28")
def test_a_failed_part_is_not_yet_and_its_second_attempt_completes() -> None:
    rule = CompletionRule(required_parts=("praktik",))
    held = [build_session(1)]
    marks = {"s1": build_record(1, AttendanceReason.ATTENDED, 100)}
    failed = PartResult(part="praktik", attempt=1, passed=False, score=40, assessor_ref="i", at=NOW)
    assert measure_progress(rule, held, marks, (failed,), confirmed=False).missing == (
        MissingRequirement.PART_NOT_PASSED,
    )
    assert (
        measure_progress(
            rule, held, marks, (failed, replace(failed, attempt=2, passed=True)), confirmed=False
        ).missing
        == ()
    )
