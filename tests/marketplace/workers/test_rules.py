"""Rules of workers: who may be assigned to a workshop."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.marketplace.workers import rules as workers
from services.marketplace.workers.rules import Assignment, AssignmentId, EndReason, Worker
from services.marketplace.workshops.rules import Workshop, WorkshopClosed, WorkshopState
from tests.marketplace.factories import WORKSHOP, create_assignment, create_worker

TODAY = date(2026, 11, 25)


def assign(
    worker: Worker,
    others: list[Assignment] | None = None,
    *,
    workshop: Workshop = WORKSHOP,
    from_on: date = TODAY,
    consented_on: date = TODAY,
) -> Assignment:
    """Assign the worker today."""
    return workers.assign(
        AssignmentId("a2"),
        worker,
        workshop,
        others or [],
        role="tukang",
        consented_on=consented_on,
        from_on=from_on,
        today=TODAY,
    )


def record_decision(current: Worker | None, day: int, *, eligible: bool) -> Worker:
    """Record a decision of that day of November."""
    return workers.record_decision(
        current,
        participant_ref="p1",
        facility_id="LP-TJP",
        eligible=eligible,
        decided_on=date(2026, 11, day),
        valid_until=None,
    )


def test_a_participant_is_assigned_while_the_decision_is_in_effect() -> None:
    assert assign(create_worker(valid_until=TODAY)).live


@pytest.mark.parametrize(
    ("worker", "error"),
    [
        (create_worker(eligible=False), workers.WorkNotAllowed),
        (create_worker(valid_until=date(2026, 11, 24)), workers.WorkNotAllowed),
        (create_worker(decided_at="LP-PKP"), workers.WorkNotAllowed),
        (create_worker(present=False), workers.WorkerNotPresent),
        (create_worker(facility="LP-PKP"), workers.WorkerNotPresent),
    ],
)
def test_an_assignment_without_a_decision_of_this_lapas_is_refused(
    worker: Worker, error: type[Exception]
) -> None:
    with pytest.raises(error):
        assign(worker)


def test_a_second_live_assignment_to_a_workshop_is_refused() -> None:
    with pytest.raises(workers.AlreadyAssigned):
        assign(create_worker(), [create_assignment()])


def test_ended_assignments_and_those_to_other_workshops_do_not_count() -> None:
    others = [create_assignment(live=False), create_assignment(workshop="w2")]
    assert assign(create_worker(), others).workshop_id == "w1"


def test_an_assignment_before_the_decision_is_refused() -> None:
    with pytest.raises(workers.AssignmentDateInvalid) as refused:
        assign(create_worker(), from_on=date(2026, 10, 31))
    assert refused.value.field == "from_on"


def test_a_consent_in_the_future_is_refused() -> None:
    with pytest.raises(workers.AssignmentDateInvalid) as refused:
        assign(create_worker(), consented_on=TODAY + timedelta(days=1))
    assert refused.value.field == "consented_on"


def test_an_assignment_to_a_closed_workshop_is_refused() -> None:
    with pytest.raises(WorkshopClosed):
        assign(create_worker(), workshop=replace(WORKSHOP, state=WorkshopState.CLOSED))


def test_the_later_decision_counts_in_any_order_of_arrival() -> None:
    refused = record_decision(None, 9, eligible=False)
    assert record_decision(refused, 8, eligible=True) == refused
    assert record_decision(refused, 9, eligible=True).eligible


def test_an_ended_assignment_still_covers_its_past_days() -> None:
    ended = workers.end(create_assignment(), EndReason.DECISION, TODAY)
    assert (ended.live, ended.to_on) == (False, TODAY)
    assert ended.covers(date(2026, 11, 20))
    assert not ended.covers(TODAY + timedelta(days=1))


def test_an_ended_assignment_cannot_be_ended_again() -> None:
    ended = workers.end(create_assignment(), EndReason.DECISION, TODAY)
    with pytest.raises(workers.AssignmentEnded):
        workers.end(ended, EndReason.OFFICER, TODAY)
