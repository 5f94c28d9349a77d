"""The rules of training alone: seats, the states of an enrolment, attendance, completion, NIKs, custody in any order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.training.attendance import rules as attendance
from services.training.attendance.rules import Attendance, AttendanceMark, MarkState, Reason
from services.training.classes import rules as classes
from services.training.classes.rules import ClassFull, ClassSeats, SeatsBelowTaken
from services.training.completion.rules import MissingRequirement, measure_progress
from services.training.enrolments import rules as enrolments
from services.training.enrolments.rules import (
    AlreadyCompleted,
    AlreadyEnded,
    EndReason,
    Enrolment,
    EnrolmentState,
    PartResult,
    Suspension,
    SuspensionCause,
)
from services.training.identities.rules import NikProblem, NikWarning, check_nik
from services.training.merges import rules as merges
from services.training.participants import rules as custody
from services.training.participants.rules import (
    Custody,
    CustodyFacts,
    MovementKind,
    Participant,
    SnapshotContext,
)
from services.training.programmes.rules import CompletionRule, Excused
from services.training.sessions.rules import Session, SessionState
from services.training.tpp import rules as tpp
from services.training.tpp.rules import Decision, DecisionResult, Scope, Standings, Verdict

DAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 7, tzinfo=UTC)


# Seats


@given(
    total=st.integers(1, 20),
    steps=st.lists(st.sampled_from(["take", "back", "bulk", "more", "less"]), max_size=60),
)
def test_seats_never_exceed_their_number_nor_fall_below_none(total: int, steps: list[str]) -> None:
    seats = ClassSeats(id="c", facility_id="f", total=total)
    for step in steps:
        before = seats
        try:
            match step:
                case "take":
                    seats = classes.take_seats(seats)
                case "bulk":
                    seats = classes.take_seats(seats, 3)
                case "back" if seats.taken:
                    seats = classes.return_seat(seats)
                case "more":
                    seats = classes.resize(seats, seats.total + 1)
                case "less":
                    seats = classes.resize(seats, max(0, seats.total - 2))
                case _:
                    continue
        except (ClassFull, SeatsBelowTaken):
            assert seats is before
        assert 0 <= seats.taken <= seats.total


@pytest.mark.scenario("T21/resize")
def test_a_quota_below_the_seats_taken_is_refused() -> None:
    with pytest.raises(SeatsBelowTaken):
        classes.resize(ClassSeats(id="c", facility_id="f", total=20, taken=15), 12)
    assert classes.resize(ClassSeats(id="c", facility_id="f", total=20, taken=15), 25).total == 25


# Enrolments


def enrolment(**said: object) -> Enrolment:
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
    return replace(usual, **said)  # pyright: ignore[reportArgumentType]  # a test names any field


CAUSES = st.sampled_from(
    [(verb, cause) for verb in ("suspend", "resume") for cause in SuspensionCause]
)


@given(steps=st.lists(CAUSES, max_size=30))
def test_an_automatic_suspension_lasts_until_its_last_cause_is_gone_and_is_told_once(
    steps: list[tuple[str, SuspensionCause]],
) -> None:
    found = enrolment()
    open_causes: set[str] = set()
    told: list[str] = []
    for verb, cause in steps:
        found, events = (enrolments.suspend if verb == "suspend" else enrolments.resume)(
            found, cause
        )
        (open_causes.add if verb == "suspend" else open_causes.discard)(cause.value)
        told += [type(event).__name__ for event in events]
        assert (enrolments.compute_state(found, DAY) is EnrolmentState.AUTO_SUSPENDED) == bool(
            open_causes
        )
    assert all(one != other for one, other in itertools.pairwise(told))
    assert (told[-1:] == ["EnrolmentSuspended"]) == bool(open_causes)


@pytest.mark.scenario("T3")
def test_back_from_hospital_a_planned_rest_still_running_takes_over_until_its_last_day() -> None:
    monday, thursday, friday = DAY, DAY + timedelta(days=3), DAY + timedelta(days=4)
    planned = enrolments.plan_suspension(
        enrolment(), Suspension(since=DAY + timedelta(days=2), until=friday, reason="panen")
    )
    away, _ = enrolments.suspend(planned, SuspensionCause.ABSENCE)
    back, _ = enrolments.resume(away, SuspensionCause.ABSENCE)
    assert enrolments.compute_state(away, monday) is EnrolmentState.AUTO_SUSPENDED
    assert enrolments.compute_state(back, thursday) is EnrolmentState.SUSPENDED
    assert enrolments.compute_state(back, friday) is EnrolmentState.SUSPENDED
    assert enrolments.compute_state(back, friday + timedelta(days=1)) is EnrolmentState.ACTIVE


def test_an_enrolment_that_starts_later_is_pending_until_its_day() -> None:
    later = enrolment(starts_on=DAY + timedelta(days=1))
    assert enrolments.compute_state(later, DAY) is EnrolmentState.PENDING
    assert enrolments.compute_state(later, DAY + timedelta(days=1)) is EnrolmentState.ACTIVE


def test_an_end_is_final_and_a_completion_too() -> None:
    ended, _ = enrolments.end(enrolment(), EndReason.HEALTH, DAY, 0)
    with pytest.raises(AlreadyEnded):
        enrolments.end(ended, EndReason.RELEASED, DAY, 0)
    with pytest.raises(AlreadyCompleted):
        enrolments.end(enrolment(live=False, completed_on=DAY), EndReason.RELEASED, DAY, 0)
    assert (
        enrolments.compute_state(enrolment(live=False, completed_on=DAY), DAY)
        is EnrolmentState.COMPLETED
    )


@pytest.mark.scenario("T28")
def test_after_a_release_only_facts_that_predate_it_complete_a_course() -> None:
    released, _ = enrolments.end(enrolment(), EndReason.RELEASED, DAY, 0)
    enrolments.reasons_against_completion(released, DAY)
    with pytest.raises(AlreadyEnded):
        enrolments.reasons_against_completion(released, DAY + timedelta(days=1))
    withdrawn, _ = enrolments.end(enrolment(), EndReason.HEALTH, DAY, 0)
    with pytest.raises(AlreadyEnded):
        enrolments.reasons_against_completion(withdrawn, DAY)


# Attendance


def session(
    number: int = 1, *, minutes: int = 100, state: SessionState = SessionState.HELD
) -> Session:
    return Session(
        id=f"s{number}",
        class_id="c",
        facility_id="f",
        held_on=DAY,
        starts_at=NOW + timedelta(hours=number),
        minutes=minutes,
        state=state,
    )


def record(number: int = 1, reason: Reason | None = None, minutes: int = 0) -> Attendance:
    waiting = attendance.expect("e", "p", session(number), is_suspended=False)
    return (
        waiting
        if reason is None
        else replace(waiting, state=MarkState.MARKED, reason=reason.value, minutes=minutes)
    )


MARKS = st.builds(
    AttendanceMark,
    reason=st.sampled_from([Reason.ATTENDED, Reason.SICK, Reason.ATTENDED_PART, Reason.REST]),
    minutes=st.integers(1, 99),
    client_id=st.sampled_from(["a", "b", ""]),
)


@given(marks=st.lists(MARKS, min_size=1, max_size=8))
def test_the_first_mark_stands_whatever_comes_later_and_is_told_once(
    marks: list[AttendanceMark],
) -> None:
    found, told = record(), 0
    for mark in marks:
        found, events, _ = attendance.record_mark(found, session(), mark, NOW, "u")
        told += len(events)
    assert (found.reason, told) == (marks[0].reason, 1)
    assert len(found.history) == 1


def test_a_mark_sent_again_by_its_device_is_no_contradiction_but_another_one_is() -> None:
    first, _, _ = attendance.record_mark(
        record(), session(), AttendanceMark(reason=Reason.SICK, client_id="a"), NOW, "u"
    )
    assert not attendance.record_mark(
        first, session(), AttendanceMark(reason=Reason.SICK, client_id="a"), NOW, "u"
    )[2]
    assert attendance.record_mark(
        first, session(), AttendanceMark(reason=Reason.ATTENDED, client_id="b"), NOW, "u"
    )[2]


@pytest.mark.scenario("T6")
@pytest.mark.parametrize("first", [True, False])
def test_of_two_marks_for_one_session_the_attended_one_wins_and_both_stay_in_the_history(
    first: bool,  # noqa: FBT001 - which side attended
) -> None:
    attended, _, _ = attendance.record_mark(
        record(), session(), AttendanceMark(reason=Reason.ATTENDED), NOW, "u"
    )
    sick, _, _ = attendance.record_mark(
        record(), session(), AttendanceMark(reason=Reason.SICK), NOW, "u"
    )
    joined = attendance.merge_records(*((attended, sick) if first else (sick, attended)), NOW)
    assert (joined.reason, joined.minutes) == (Reason.ATTENDED, 100)
    assert {change.now for change in joined.history} >= {"ATTENDED", "SICK"}


def test_a_day_after_the_window_a_mark_cannot_be_changed() -> None:
    marked, _, _ = attendance.record_mark(
        record(), session(), AttendanceMark(reason=Reason.SICK), NOW, "u"
    )
    changed = attendance.correct_mark(
        marked,
        session(),
        AttendanceMark(reason=Reason.ATTENDED),
        NOW,
        DAY + timedelta(days=7),
        7,
        "u",
    )
    assert (changed.reason, len(changed.history)) == (Reason.ATTENDED, 2)
    with pytest.raises(attendance.EditWindowClosed):
        attendance.correct_mark(
            marked,
            session(),
            AttendanceMark(reason=Reason.ATTENDED),
            NOW,
            DAY + timedelta(days=8),
            7,
            "u",
        )


# Completion


@pytest.mark.scenario("T28")
@pytest.mark.parametrize(("minutes", "complete"), [(79, False), (80, True)])
def test_7999_of_10000_fails_and_8000_passes(minutes: int, complete: bool) -> None:  # noqa: FBT001 - the expectation
    sessions = [session(1, minutes=9_900), session(2)]
    marks = {
        "s1": record(1, Reason.ATTENDED, 7_920),
        "s2": record(2, Reason.ATTENDED_PART, minutes),
    }
    found = measure_progress(CompletionRule(), sessions, marks, (), confirmed=False)
    assert (found.attended_minutes, found.held_minutes) == (7_920 + minutes, 10_000)
    assert (MissingRequirement.ATTENDANCE_BELOW_MINIMUM not in found.missing) == complete


@pytest.mark.scenario("T28")
def test_a_cancelled_session_stands_on_neither_side() -> None:
    sessions = [
        session(1),
        session(2, state=SessionState.CANCELLED),
        session(3, state=SessionState.PLANNED),
    ]
    found = measure_progress(
        CompletionRule(), sessions, {"s1": record(1, Reason.ATTENDED, 100)}, (), confirmed=False
    )
    assert (found.held_minutes, found.attended_minutes, found.missing) == (100, 100, ())


@pytest.mark.parametrize(
    ("excused", "held", "attended"),
    [(Excused.EXCLUDED, 100, 100), (Excused.ABSENT, 200, 100), (Excused.PRESENT, 200, 200)],
)
def test_an_excused_absence_counts_as_the_rule_says(
    excused: Excused, held: int, attended: int
) -> None:
    marks = {"s1": record(1, Reason.ATTENDED, 100), "s2": record(2, Reason.SICK)}
    found = measure_progress(
        CompletionRule(excused=excused), [session(1), session(2)], marks, (), confirmed=False
    )
    assert (found.held_minutes, found.attended_minutes) == (held, attended)


@pytest.mark.scenario("T28")
def test_a_failed_part_is_not_yet_and_its_second_attempt_completes() -> None:
    rule = CompletionRule(required_parts=("praktik",))
    held, marks = [session(1)], {"s1": record(1, Reason.ATTENDED, 100)}
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


# NIK


@pytest.mark.scenario("T27/rules")
@pytest.mark.parametrize(
    ("digits", "birth_date", "sex", "verdict"),
    [
        ("9901014503900001", date(1990, 3, 5), "female", []),
        ("9901010503900001", date(1990, 3, 6), "male", [NikWarning.BIRTH_DATE]),
        ("9901014503900001", date(1990, 3, 5), "male", [NikWarning.SEX]),
        ("990101050390001", None, "", NikProblem.LENGTH),
        ("99010105039O0001", None, "", NikProblem.LENGTH),
        ("9901010513900001", None, "", NikProblem.MONTH),
        ("9901010500900001", None, "", NikProblem.MONTH),
        ("9901013203900001", None, "", NikProblem.DAY),
        ("9901014003900001", None, "", NikProblem.DAY),
        ("9901017203900001", None, "", NikProblem.DAY),
        ("9901010503900000", None, "", NikProblem.SERIAL),
    ],
)
def test_a_nik_is_refused_or_warned_about_as_its_structure_says(
    digits: str, birth_date: date | None, sex: str, verdict: object
) -> None:
    assert check_nik(digits, birth_date, sex) == verdict


# Decisions


def decided(
    verdict: Verdict,
    hearing_on: date,
    *,
    scope: Scope = Scope.PROGRAMME,
    ref: str = "g",
    valid_until: date | None = None,
    head_needed: bool = False,
    number: str = "1",
) -> Decision:
    result = DecisionResult(participant_ref="p", verdict=verdict, reason="x")
    return Decision(
        id=f"d{number}",
        facility_id="f",
        hearing_on=hearing_on,
        scope=scope,
        scope_ref=ref,
        results=(result,),
        valid_until=valid_until,
        document_ref="x",
        recorded_by="u",
        head_needed=head_needed,
    )


def objection(*decisions: Decision) -> str:
    standings = Standings(id="p", facility_id="f")
    for one in decisions:
        standings = tpp.add_verdict(standings, one, one.results[0])
    return tpp.find_objection(
        standings, facility_id="f", programme_id="g", branch="vocational", class_id="c", today=DAY
    )


@pytest.mark.scenario("T24")
def test_a_decision_that_is_not_usable_says_why() -> None:
    assert objection(decided(Verdict.RECOMMENDED, DAY)) == ""
    assert (
        objection(decided(Verdict.RECOMMENDED, DAY, scope=Scope.BRANCH, ref="personal"))
        == "TPP_MISSING"
    )
    assert (
        objection(decided(Verdict.RECOMMENDED, DAY, valid_until=DAY - timedelta(days=1)))
        == "TPP_EXPIRED"
    )
    assert objection(decided(Verdict.RECOMMENDED, DAY, head_needed=True)) == "TPP_NOT_APPROVED"
    assert (
        objection(
            decided(Verdict.RECOMMENDED, DAY),
            decided(Verdict.NOT_RECOMMENDED, DAY + timedelta(days=1), number="2"),
        )
        == "TPP_NOT_RECOMMENDED"
    )


@given(order=st.permutations([0, 1, 2]))
def test_hearings_recorded_in_any_order_give_the_latest_ones_word(order: list[int]) -> None:
    hearings = [
        decided(Verdict.RECOMMENDED, DAY),
        decided(Verdict.NOT_RECOMMENDED, DAY + timedelta(days=1), number="2"),
        decided(Verdict.RECOMMENDED, DAY + timedelta(days=2), number="3"),
    ]
    assert objection(*(hearings[index] for index in order)) == ""


# Custody


def sighted(facility_id: str, day: int, hour: int) -> SnapshotContext:
    return SnapshotContext(
        snapshot_id=f"{facility_id}{day}{hour}",
        facility_id=facility_id,
        as_of=datetime(2026, 11, day, hour, tzinfo=UTC),
        taken_on=date(2026, 11, day),
    )


IN_A = CustodyFacts(admission_date=date(2026, 1, 5), expected_release=date(2030, 1, 1))
IN_B = CustodyFacts(admission_date=date(2026, 11, 17), expected_release=date(2030, 1, 1))
OUT_OF_B = CustodyFacts(
    admission_date=date(2026, 11, 17), release="free", release_date=date(2026, 11, 19)
)


def told(
    steps: list[tuple[SnapshotContext, CustodyFacts | None]],
) -> tuple[Participant, list[MovementKind]]:
    """The person after these rows (None = not listed) and the movements others hear of."""
    person: Participant | None = None
    kinds: list[MovementKind] = []
    for at, facts in steps:
        if facts is not None:
            outcome = custody.apply_row(person, "p", "ref", facts, (), at)
        elif person is not None:
            outcome = custody.record_missing(person, at)
        else:
            continue
        person = outcome.after
        kinds += [
            movement.kind
            for movement in outcome.movements
            if custody.build_movement_events(movement)
        ]
    assert person is not None
    return person, kinds


A_LISTS: list[tuple[SnapshotContext, CustodyFacts | None]] = [
    (sighted("A", 16, 7), IN_A),
    (sighted("A", 17, 7), IN_A),
    (sighted("A", 18, 7), None),
    (sighted("A", 19, 7), None),
]
B_LISTS: list[tuple[SnapshotContext, CustodyFacts | None]] = [
    (sighted("B", 16, 8), None),
    (sighted("B", 17, 8), IN_B),
    (sighted("B", 18, 8), IN_B),
]


@pytest.mark.scenario("T4/import")
@settings(max_examples=200)
@given(picks=st.permutations([0, 0, 0, 1, 1, 1]))
def test_a_transfer_seen_in_any_interleaving_of_both_facilities_ends_in_the_same_documents(
    picks: list[int],
) -> None:
    waiting = [list(A_LISTS[1:]), list(B_LISTS)]
    person, kinds = told([A_LISTS[0], *(waiting[pick].pop(0) for pick in picks)])
    assert (person.state, person.facility_id, len(person.stays)) == (Custody.HELD, "B", 2)
    assert person.stays[0].ended_by == "transferred"
    assert kinds == [MovementKind.ADMITTED, MovementKind.TRANSFERRED]
    assert person == told([A_LISTS[0], *B_LISTS])[0]


@given(picks=st.permutations([0, 0, 0, 1, 1, 1]))
def test_a_release_by_the_new_facility_converges_too(picks: list[int]) -> None:
    waiting = [list(A_LISTS[1:]), [*B_LISTS[:2], (sighted("B", 19, 8), OUT_OF_B)]]
    person, kinds = told([A_LISTS[0], *(waiting[pick].pop(0) for pick in picks)])
    assert (person.state, person.release_kind) == (Custody.RELEASED, "free")
    assert kinds == [MovementKind.ADMITTED, MovementKind.TRANSFERRED, MovementKind.RELEASED]


def test_the_same_row_again_changes_nothing() -> None:
    person, _ = told([A_LISTS[0]])
    again = custody.apply_row(person, "p", "ref", IN_A, (), A_LISTS[1][0])
    assert (again.after, again.movements, again.planned_release_on) == (person, (), None)


def test_first_seen_already_released_is_admitted_and_released_and_nothing_stays_open() -> None:
    outcome = custody.apply_row(
        None,
        "p",
        "ref",
        replace(IN_A, release="free", release_date=date(2026, 11, 1)),
        (),
        A_LISTS[0][0],
    )
    assert [movement.kind for movement in outcome.movements] == [
        MovementKind.ADMITTED,
        MovementKind.RELEASED,
    ]
    assert outcome.after.open_stay is None


def test_a_release_that_is_withdrawn_is_asked_about_and_never_undone_by_itself() -> None:
    released = replace(IN_A, release="free", release_date=date(2026, 11, 16))
    person, _ = told([A_LISTS[0], (sighted("A", 16, 8), released)])
    withdrawn = custody.apply_row(person, "p", "ref", IN_A, (), sighted("A", 17, 7))
    assert (withdrawn.after, withdrawn.doubts) == (person, (custody.Doubt.RELEASE_WITHDRAWN,))


def test_one_kind_of_absence_becoming_another_is_a_return_and_a_new_absence_with_ids_of_their_own() -> (
    None
):
    away = custody.apply_row(
        told([A_LISTS[0]])[0], "p", "ref", replace(IN_A, absence="court"), (), sighted("A", 17, 7)
    )
    moved = custody.apply_row(
        away.after, "p", "ref", replace(IN_A, absence="hospital"), (), sighted("A", 18, 7)
    )
    assert [(movement.kind, movement.code) for movement in moved.movements] == [
        (MovementKind.RETURNED, "court"),
        (MovementKind.ABSENT, "hospital"),
    ]
    assert len({movement.id for movement in (*away.movements, *moved.movements)}) == 3


def test_the_survivor_of_an_automatic_merge_does_not_depend_on_the_order() -> None:
    older, _ = told([A_LISTS[0]])
    younger = replace(told([(sighted("A", 16, 7), IN_B)])[0], id="q", source_ref="ref2")
    assert (
        merges.choose_survivor(older, younger)
        == merges.choose_survivor(younger, older)
        == (younger, older)
    )
