"""Rules of suspensions alone: by plan, automatic, and what is published when."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.enrolments import rules, suspensions
from services.training.enrolments.rules import (
    Enrolment,
    EnrolmentState,
    Suspension,
    SuspensionCause,
)
from tests.training.rule_factories import DAY, build_enrolment

WEDNESDAY = DAY + timedelta(days=2)
THURSDAY = DAY + timedelta(days=3)
FRIDAY = DAY + timedelta(days=4)
SATURDAY = DAY + timedelta(days=5)
REST = Suspension(since=WEDNESDAY, until=FRIDAY, reason="panen")


CAUSES = st.sampled_from(
    [(verb, cause) for verb in ("suspend", "resume") for cause in SuspensionCause]
)


def apply_steps(steps: list[tuple[str, SuspensionCause]]) -> tuple[Enrolment, list[str]]:
    """Return the enrolment after these suspensions and resumptions, and its events."""
    after = build_enrolment()
    published: list[str] = []
    for verb, cause in steps:
        change = suspensions.suspend if verb == "suspend" else suspensions.resume
        after, events = change(after, cause, DAY)
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


def plan(enrolment: Enrolment, today: date = DAY) -> Enrolment:
    """Return the enrolment with the planned suspension from Wednesday to Friday."""
    return suspensions.plan_suspension(enrolment, REST, today)[0]


@pytest.mark.scenario("T3")
def test_a_planned_suspension_takes_over_after_an_automatic_one() -> None:
    planned = plan(build_enrolment())
    away, _ = suspensions.suspend(planned, SuspensionCause.ABSENCE, DAY)
    back, events = suspensions.resume(away, SuspensionCause.ABSENCE, THURSDAY)
    assert rules.compute_state(away, DAY) is EnrolmentState.AUTO_SUSPENDED
    assert [rules.compute_state(back, day) for day in (THURSDAY, FRIDAY, SATURDAY)] == [
        EnrolmentState.SUSPENDED,
        EnrolmentState.SUSPENDED,
        EnrolmentState.ACTIVE,
    ]
    assert events == []
    assert back.changes_on == SATURDAY


def test_an_absence_covers_a_planned_suspension_and_a_return_keeps_it() -> None:
    planned = plan(build_enrolment())
    assert [planned.absence_on(day) for day in (DAY, WEDNESDAY, FRIDAY, SATURDAY)] == [
        "",
        "SUSPENDED",
        "SUSPENDED",
        "",
    ]
    away, _ = suspensions.suspend(planned, SuspensionCause.ABSENCE, DAY)
    assert away.absence_on(WEDNESDAY) == away.absence_on(SATURDAY) == "AUTO_SUSPENDED"


def test_a_planned_suspension_is_published_on_its_days() -> None:
    enrolment, events = suspensions.plan_suspension(build_enrolment(), REST, DAY)
    published = {DAY: events}
    for day in (DAY + timedelta(days=number) for number in range(1, 7)):
        enrolment, published[day] = suspensions.publish_suspension(enrolment, day)
    assert {
        day: [type(event).__name__ for event in each] for day, each in published.items() if each
    } == {
        WEDNESDAY: ["EnrolmentSuspended"],
        SATURDAY: ["EnrolmentResumed"],
    }
    assert enrolment.changes_on is None


def test_a_planned_suspension_ends_earlier_or_is_lifted() -> None:
    planned = plan(build_enrolment())
    shorter, _ = suspensions.shorten_suspension(planned, 1, WEDNESDAY, DAY)
    assert [shorter.absence_on(day) for day in (WEDNESDAY, THURSDAY)] == ["SUSPENDED", ""]
    lifted, _ = suspensions.shorten_suspension(planned, 1, None, DAY)
    assert lifted.suspensions == ()
    running, _ = suspensions.publish_suspension(planned, THURSDAY)
    stopped, events = suspensions.shorten_suspension(running, 1, None, THURSDAY)
    assert [stopped.absence_on(day) for day in (WEDNESDAY, THURSDAY)] == ["SUSPENDED", ""]
    assert [type(event).__name__ for event in events] == ["EnrolmentResumed"]


def test_a_planned_suspension_cannot_become_longer_or_end_before_it_begins() -> None:
    planned = plan(build_enrolment())
    for until in (SATURDAY, DAY):
        with pytest.raises(suspensions.DatesWrong):
            suspensions.shorten_suspension(planned, 1, until, DAY)
    for number in (0, 2):
        with pytest.raises(suspensions.SuspensionUnknown):
            suspensions.shorten_suspension(planned, number, None, DAY)
