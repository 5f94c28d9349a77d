"""Rules of custody alone: rows of snapshots in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.training.participants import custody
from services.training.participants.rules import (
    CustodyFacts,
    CustodyState,
    Doubt,
    MovementKind,
    Participant,
    SnapshotContext,
    build_movement_events,
)


def snapshot(facility_id: str, day: int, hour: int) -> SnapshotContext:
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


def replay(
    steps: list[tuple[SnapshotContext, CustodyFacts | None]],
) -> tuple[Participant, list[MovementKind]]:
    """Return the person after these rows (None = not listed), and the published movements."""
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
            movement.kind for movement in outcome.movements if build_movement_events(movement)
        ]
    assert person is not None
    return person, kinds


A_LISTS: list[tuple[SnapshotContext, CustodyFacts | None]] = [
    (snapshot("A", 16, 7), IN_A),
    (snapshot("A", 17, 7), IN_A),
    (snapshot("A", 18, 7), None),
    (snapshot("A", 19, 7), None),
]
B_LISTS: list[tuple[SnapshotContext, CustodyFacts | None]] = [
    (snapshot("B", 16, 8), None),
    (snapshot("B", 17, 8), IN_B),
    (snapshot("B", 18, 8), IN_B),
]


@pytest.mark.scenario("T4/import")
@settings(max_examples=200)
@given(picks=st.permutations([0, 0, 0, 1, 1, 1]))
def test_a_transfer_gives_the_same_stays_in_any_order_of_snapshots(
    picks: list[int],
) -> None:
    waiting = [list(A_LISTS[1:]), list(B_LISTS)]
    person, kinds = replay([A_LISTS[0], *(waiting[pick].pop(0) for pick in picks)])
    assert (person.state, person.facility_id, len(person.stays)) == (CustodyState.HELD, "B", 2)
    assert person.stays[0].ended_by == "transferred"
    assert kinds == [MovementKind.ADMITTED, MovementKind.TRANSFERRED]
    assert person == replay([A_LISTS[0], *B_LISTS])[0]


@given(picks=st.permutations([0, 0, 0, 1, 1, 1]))
def test_a_release_by_the_new_facility_converges_too(picks: list[int]) -> None:
    waiting = [list(A_LISTS[1:]), [*B_LISTS[:2], (snapshot("B", 19, 8), OUT_OF_B)]]
    person, kinds = replay([A_LISTS[0], *(waiting[pick].pop(0) for pick in picks)])
    assert (person.state, person.release_kind) == (CustodyState.RELEASED, "free")
    assert kinds == [MovementKind.ADMITTED, MovementKind.TRANSFERRED, MovementKind.RELEASED]


def test_the_same_row_again_changes_nothing() -> None:
    person, _ = replay([A_LISTS[0]])
    again = custody.apply_row(person, "p", "ref", IN_A, (), A_LISTS[1][0])
    assert (again.after, again.movements, again.planned_release_on) == (person, (), None)


def test_a_person_first_seen_released_is_admitted_and_released() -> None:
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


def test_a_withdrawn_release_is_a_doubt_and_is_not_undone() -> None:
    released = replace(IN_A, release="free", release_date=date(2026, 11, 16))
    person, _ = replay([A_LISTS[0], (snapshot("A", 16, 8), released)])
    withdrawn = custody.apply_row(person, "p", "ref", IN_A, (), snapshot("A", 17, 7))
    assert (withdrawn.after, withdrawn.doubts) == (person, (Doubt.RELEASE_WITHDRAWN,))


def test_another_kind_of_absence_is_a_return_and_a_new_absence() -> None:
    away = custody.apply_row(
        replay([A_LISTS[0]])[0],
        "p",
        "ref",
        replace(IN_A, absence="court"),
        (),
        snapshot("A", 17, 7),
    )
    moved = custody.apply_row(
        away.after, "p", "ref", replace(IN_A, absence="hospital"), (), snapshot("A", 18, 7)
    )
    assert [(movement.kind, movement.code) for movement in moved.movements] == [
        (MovementKind.RETURNED, "court"),
        (MovementKind.ABSENT, "hospital"),
    ]
    assert len({movement.id for movement in (*away.movements, *moved.movements)}) == 3


HELD_IN_A = [(snapshot("A", 16, 7), IN_A)]


def test_a_release_by_a_facility_that_does_not_hold_the_person_is_a_doubt() -> None:
    person, _ = replay(list(HELD_IN_A))
    elsewhere = custody.apply_row(person, "p", "ref", OUT_OF_B, (), snapshot("B", 20, 8))
    assert (elsewhere.after, elsewhere.movements) == (person, ())
    assert elsewhere.doubts == (Doubt.CUSTODY_CONFLICT,)


def test_an_old_release_elsewhere_raises_no_doubt_after_a_readmission() -> None:
    released = replace(IN_A, release="free", release_date=date(2026, 11, 16))
    person, _ = replay([*HELD_IN_A, (snapshot("A", 16, 8), released), (snapshot("B", 18, 8), IN_B)])
    assert person.facility_id == "B"
    for facts in (released, replace(released, release_date=None)):
        again = custody.apply_row(person, "p", "ref", facts, (), snapshot("A", 20, 7))
        assert (again.after, again.doubts) == (person, ())


def test_a_release_without_a_date_that_is_listed_again_opens_no_stay() -> None:
    on_the_day = replace(IN_A, admission_date=date(2026, 11, 16), release="free")
    person, kinds = replay([(snapshot("A", 16, 7), on_the_day), (snapshot("A", 17, 7), on_the_day)])
    assert (len(person.stays), kinds) == (1, [MovementKind.ADMITTED, MovementKind.RELEASED])


def test_a_transfer_in_is_known_before_the_row_is_applied() -> None:
    person, _ = replay(list(HELD_IN_A))
    assert custody.is_transfer_in(person, IN_B, snapshot("B", 17, 8))
    assert not custody.is_transfer_in(person, IN_A, snapshot("A", 17, 8))
    assert not custody.is_transfer_in(person, OUT_OF_B, snapshot("B", 20, 8))


def test_stays_of_a_list_with_a_corrected_time_are_as_of_the_true_time() -> None:
    wrong = snapshot("A", 29, 7)
    person, _ = replay([(wrong, IN_A)])
    true_time = datetime(2026, 11, 16, 7, tzinfo=UTC)
    corrected = custody.correct_as_of(person, wrong.as_of, true_time)
    assert corrected.stays[0].as_of == true_time
    assert custody.correct_as_of(person, true_time, wrong.as_of) == person
