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
