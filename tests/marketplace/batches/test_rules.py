"""Rules of batches: what work counts, what a batch costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketplace.batches import rules as batches
from services.marketplace.batches.rules import (
    Batch,
    BatchId,
    BatchNumberCounter,
    BatchState,
    PremiWeight,
    WorkLog,
    WorkLogId,
)
from services.marketplace.money import Rupiah
from services.marketplace.workers.rules import Assignment, Worker, WorkNotAllowed
from tests.marketplace.factories import WORKSHOP, create_assignment, create_worker

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)  # the 25th in Belitung
TODAY = date(2026, 11, 25)


def batch(state: BatchState = BatchState.IN_PROGRESS, cost: int = 280_000) -> Batch:
    return Batch(
        id=BatchId("b1"),
        number="KAYU-2026-0001",
        workshop_id="w1",
        facility_id="LP-TJP",
        sku="KURSI",
        qty_planned=7,
        material_cost_idr=Rupiah(cost),
        other_cost_idr=Rupiah(0),
        started_at=NOW - timedelta(days=3),
        state=state,
    )


def log(units: int = 3, worked_on: date = TODAY, person: str = "p1") -> WorkLog:
    return WorkLog(
        id=WorkLogId("l1"),
        batch_id="b1",
        workshop_id="w1",
        facility_id="LP-TJP",
        participant_ref=person,
        work_units=units,
        worked_on=worked_on,
        recorded_by="officer",
        recorded_at=NOW,
    )


def log_work(
    work_log: WorkLog,
    state: BatchState = BatchState.IN_PROGRESS,
    worker: Worker | None = None,
    assignments: list[Assignment] | None = None,
) -> WorkLog:
    """Log work, by default in an open batch with a worker who is assigned."""
    return batches.log_work(
        work_log,
        batch(state),
        WORKSHOP,
        worker or create_worker(),
        [create_assignment()] if assignments is None else assignments,
        NOW,
    )


def complete(
    checked: Batch, logs: list[WorkLog], qty_good: int, qty_reject: int = 0, reason: str = ""
) -> Batch:
    """Complete the batch."""
    return batches.complete(
        checked, logs, qty_good=qty_good, qty_reject=qty_reject, reject_reason=reason, now=NOW
    )


def correct(state: BatchState = BatchState.IN_PROGRESS, after: timedelta = timedelta()) -> WorkLog:
    """Correct a work log of 3 units to 5, that long after it was recorded."""
    return batches.correct(
        log(3), batch(state), units=5, reason="salah hitung", by="officer", now=NOW + after
    )


def test_work_is_logged_on_the_local_day_of_today() -> None:
    assert log_work(log(worked_on=TODAY)).worked_on == TODAY


@pytest.mark.parametrize("day", [date(2026, 11, 21), TODAY + timedelta(days=1)])
def test_work_before_the_start_of_the_batch_or_in_the_future_is_refused(day: date) -> None:
    with pytest.raises(batches.WorkDateInvalid):
        log_work(log(worked_on=day))


@pytest.mark.parametrize(
    "assignments",
    [
        [],
        [create_assignment(to_on=date(2026, 11, 24))],
        [create_assignment(workshop="w2")],
        [create_assignment(from_on=TODAY + timedelta(days=1))],
    ],
)
def test_work_counts_only_with_an_assignment_on_that_day(assignments: list[Assignment]) -> None:
    with pytest.raises(batches.NotAssigned):
        log_work(log(), assignments=assignments)


def test_work_after_the_decision_has_lapsed_is_refused() -> None:
    with pytest.raises(WorkNotAllowed):
        log_work(log(), worker=create_worker(valid_until=date(2026, 11, 24)))


@pytest.mark.parametrize("state", [BatchState.PLANNED, BatchState.COMPLETED, BatchState.REJECTED])
def test_work_is_logged_in_open_batches_only(state: BatchState) -> None:
    with pytest.raises(batches.BatchStateDiffers):
        log_work(log(), state)


def test_a_correction_keeps_the_old_units_and_the_reason() -> None:
    corrected = correct(after=timedelta(days=7))
    [edit] = corrected.edits
    assert (corrected.work_units, edit.was_units, edit.reason) == (5, 3, "salah hitung")


def test_a_correction_after_seven_days_is_refused() -> None:
    with pytest.raises(batches.WorkLogLocked):
        correct(after=timedelta(days=7, seconds=1))


def test_a_correction_after_completion_is_refused() -> None:
    with pytest.raises(batches.WorkLogLocked):
        correct(BatchState.COMPLETED)


def test_completion_freezes_unit_cost_and_premi_weights() -> None:
    logs = [log(2), log(1, person="p2"), log(4), log(0, person="p3")]
    completed = complete(batch(BatchState.QUALITY_CHECK), logs, 7, 1, "retak")
    assert completed.weights == (
        PremiWeight(participant_ref="p1", units=6),
        PremiWeight(participant_ref="p2", units=1),
    )
    portions = [(portion.qty, portion.unit_cost_idr) for portion in completed.portions]
    assert portions == [(7, 40_000)]
    assert (completed.state, completed.completed_at) == (BatchState.COMPLETED, NOW)


def test_a_batch_without_work_cannot_complete() -> None:
    with pytest.raises(batches.BatchWithoutWork):
        complete(batch(BatchState.QUALITY_CHECK), [], 7)


def test_a_batch_without_good_units_cannot_complete() -> None:
    with pytest.raises(batches.BatchNothingGood):
        complete(batch(BatchState.QUALITY_CHECK), [log()], 0, 7, "retak")


def test_a_batch_with_rejects_cannot_complete_without_a_reason() -> None:
    with pytest.raises(batches.RejectReasonMissing):
        complete(batch(BatchState.QUALITY_CHECK), [log()], 6, 1, " ")


def test_a_batch_in_progress_cannot_complete() -> None:
    with pytest.raises(batches.BatchStateDiffers):
        complete(batch(), [log()], 7)


@given(st.integers(0, 10**12), st.integers(1, 10**5))
def test_unit_costs_sum_to_exactly_what_the_batch_cost(cost: int, qty: int) -> None:
    parts = batches.divide_into_unit_costs(Rupiah(cost), qty)
    assert sum(count * unit for count, unit in parts) == cost
    assert sum(count for count, _ in parts) == qty
    assert max(unit for _, unit in parts) - min(unit for _, unit in parts) <= 1


def test_batch_numbers_count_per_workshop_in_the_local_year() -> None:
    first, numbers = batches.assign_number(
        WORKSHOP,
        BatchNumberCounter(id="w1", facility_id="LP-TJP"),
        datetime(2026, 12, 31, 20, tzinfo=UTC),
    )
    second, _ = batches.assign_number(WORKSHOP, numbers, NOW)
    assert (first, second) == ("KAYU-2027-0001", "KAYU-2026-0002")


def test_merged_weights_count_under_the_surviving_reference() -> None:
    weights = [
        PremiWeight(participant_ref="old", units=2),
        PremiWeight(participant_ref="new", units=1),
        PremiWeight(participant_ref="p", units=4),
    ]
    assert batches.sum_weights_by_survivor(weights, {"old": "new"}) == {"new": 3, "p": 4}
