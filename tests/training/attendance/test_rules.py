"""Rules of attendance alone: marks, corrections and merges."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.attendance import rules
from services.training.attendance.rules import AttendanceMark, AttendanceReason
from tests.training.rule_factories import DAY, NOW, build_record, build_session

MARKS = st.builds(
    AttendanceMark,
    reason=st.sampled_from(
        [
            AttendanceReason.ATTENDED,
            AttendanceReason.SICK,
            AttendanceReason.ATTENDED_PART,
            AttendanceReason.REST,
        ]
    ),
    minutes=st.integers(1, 99),
    client_id=st.sampled_from(["a", "b", ""]),
)


@given(marks=st.lists(MARKS, min_size=1, max_size=8))
def test_the_first_mark_is_kept_and_published_once(
    marks: list[AttendanceMark],
) -> None:
    record = build_record()
    event_count = 0
    for mark in marks:
        record, events, _ = rules.record_mark(record, build_session(), mark, NOW, "u")
        event_count += len(events)
    assert (record.reason, event_count) == (marks[0].reason, 1)
    assert len(record.history) == 1


def test_only_a_mark_of_another_device_is_a_contradiction() -> None:
    first, _, _ = rules.record_mark(
        build_record(),
        build_session(),
        AttendanceMark(reason=AttendanceReason.SICK, client_id="a"),
        NOW,
        "u",
    )
    assert not rules.record_mark(
        first,
        build_session(),
        AttendanceMark(reason=AttendanceReason.SICK, client_id="a"),
        NOW,
        "u",
    )[2]
    assert rules.record_mark(
        first,
        build_session(),
        AttendanceMark(reason=AttendanceReason.ATTENDED, client_id="b"),
        NOW,
        "u",
    )[2]


@pytest.mark.scenario("T6")
@pytest.mark.parametrize("first", [True, False])
def test_merged_records_keep_the_attended_mark_and_both_histories(
    first: bool,  # noqa: FBT001 - which side attended
) -> None:
    attended, _, _ = rules.record_mark(
        build_record(), build_session(), AttendanceMark(reason=AttendanceReason.ATTENDED), NOW, "u"
    )
    sick, _, _ = rules.record_mark(
        build_record(), build_session(), AttendanceMark(reason=AttendanceReason.SICK), NOW, "u"
    )
    joined = rules.merge_records(*((attended, sick) if first else (sick, attended)), NOW)
    assert (joined.reason, joined.minutes) == (AttendanceReason.ATTENDED, 100)
    assert {change.now for change in joined.history} >= {"ATTENDED", "SICK"}


def test_a_day_after_the_window_a_mark_cannot_be_changed() -> None:
    marked, _, _ = rules.record_mark(
        build_record(), build_session(), AttendanceMark(reason=AttendanceReason.SICK), NOW, "u"
    )
    changed = rules.correct_mark(
        marked,
        build_session(),
        AttendanceMark(reason=AttendanceReason.ATTENDED),
        NOW,
        DAY + timedelta(days=7),
        7,
        "u",
    )
    assert (changed.reason, len(changed.history)) == (AttendanceReason.ATTENDED, 2)
    with pytest.raises(rules.EditWindowClosed):
        rules.correct_mark(
            marked,
            build_session(),
            AttendanceMark(reason=AttendanceReason.ATTENDED),
            NOW,
            DAY + timedelta(days=8),
            7,
            "u",
        )


@pytest.mark.parametrize(
    ("last_day", "is_refused"),
    [
        (None, False),
        (DAY, False),
        (DAY + timedelta(days=3), False),
        (DAY - timedelta(days=1), True),
    ],
)
def test_a_session_after_the_end_of_an_enrolment_takes_no_mark(
    last_day: date | None,
    is_refused: bool,  # noqa: FBT001 - the expectation
) -> None:
    for record in (None, build_record()):
        with pytest.raises(rules.NotInSession) if is_refused else nullcontext():
            rules.require_in_session(
                build_session(), record, class_id="c", starts_on=DAY, last_day=last_day
            )
