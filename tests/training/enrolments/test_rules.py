"""Rules of enrolments alone: states, suspensions, ends and completion."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.enrolments import rules
from services.training.enrolments.rules import (
    AlreadyCompleted,
    AlreadyEnded,
    EndReason,
    Enrolment,
    EnrolmentState,
    Suspension,
    SuspensionCause,
)
from tests.training.rule_factories import DAY, NOW


def enrolment(**values: object) -> Enrolment:
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


CAUSES = st.sampled_from(
    [(verb, cause) for verb in ("suspend", "resume") for cause in SuspensionCause]
)


def apply_steps(steps: list[tuple[str, SuspensionCause]]) -> tuple[Enrolment, list[str]]:
    """Return the enrolment after these suspensions and resumptions, and its events."""
    after = enrolment()
    published: list[str] = []
    for verb, cause in steps:
        change = rules.suspend if verb == "suspend" else rules.resume
        after, events = change(after, cause)
        published += [type(event).__name__ for event in events]
    return after, published


@given(steps=st.lists(CAUSES, max_size=30))
def test_an_automatic_suspension_lasts_until_its_last_cause_is_gone(
    steps: list[tuple[str, SuspensionCause]],
) -> None:
    open_causes: set[SuspensionCause] = set()
    for verb, cause in steps:
        if verb == "suspend":
            open_causes.add(cause)
        else:
            open_causes.discard(cause)
    after, _ = apply_steps(steps)
    is_suspended = rules.compute_state(after, DAY) is EnrolmentState.AUTO_SUSPENDED
    assert is_suspended == bool(open_causes)


@given(steps=st.lists(CAUSES, max_size=30))
def test_suspensions_and_resumptions_are_published_in_turn(
    steps: list[tuple[str, SuspensionCause]],
) -> None:
    after, published = apply_steps(steps)
    assert all(first != second for first, second in itertools.pairwise(published))
    assert (published[-1:] == ["EnrolmentSuspended"]) == bool(after.automatic)


@pytest.mark.scenario("T3")
def test_a_planned_suspension_takes_over_after_an_automatic_one() -> None:
    monday = DAY
    thursday = DAY + timedelta(days=3)
    friday = DAY + timedelta(days=4)
    planned = rules.plan_suspension(
        enrolment(), Suspension(since=DAY + timedelta(days=2), until=friday, reason="panen")
    )
    away, _ = rules.suspend(planned, SuspensionCause.ABSENCE)
    back, _ = rules.resume(away, SuspensionCause.ABSENCE)
    assert rules.compute_state(away, monday) is EnrolmentState.AUTO_SUSPENDED
    assert rules.compute_state(back, thursday) is EnrolmentState.SUSPENDED
    assert rules.compute_state(back, friday) is EnrolmentState.SUSPENDED
    assert rules.compute_state(back, friday + timedelta(days=1)) is EnrolmentState.ACTIVE


def test_an_enrolment_that_starts_later_is_pending_until_its_day() -> None:
    later = enrolment(starts_on=DAY + timedelta(days=1))
    assert rules.compute_state(later, DAY) is EnrolmentState.PENDING
    assert rules.compute_state(later, DAY + timedelta(days=1)) is EnrolmentState.ACTIVE


def test_an_end_is_final_and_a_completion_too() -> None:
    ended, _ = rules.end(enrolment(), EndReason.HEALTH, DAY, 0)
    with pytest.raises(AlreadyEnded):
        rules.end(ended, EndReason.RELEASED, DAY, 0)
    with pytest.raises(AlreadyCompleted):
        rules.end(enrolment(live=False, completed_on=DAY), EndReason.RELEASED, DAY, 0)
    assert (
        rules.compute_state(enrolment(live=False, completed_on=DAY), DAY)
        is EnrolmentState.COMPLETED
    )


@pytest.mark.scenario("T28")
def test_after_a_release_only_facts_that_predate_it_complete_a_course() -> None:
    released, _ = rules.end(enrolment(), EndReason.RELEASED, DAY, 0)
    rules.require_completable(released, DAY)
    with pytest.raises(AlreadyEnded):
        rules.require_completable(released, DAY + timedelta(days=1))
    withdrawn, _ = rules.end(enrolment(), EndReason.HEALTH, DAY, 0)
    with pytest.raises(AlreadyEnded):
        rules.require_completable(withdrawn, DAY)
