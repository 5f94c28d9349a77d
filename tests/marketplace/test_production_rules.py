"""Who may work, what is counted, what a batch costs."""

from dataclasses import replace
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
from services.marketplace.workers import rules as workers
from services.marketplace.workers.rules import Assignment, AssignmentId, EndReason, Worker
from services.marketplace.workshops.rules import (
    UnitKind,
    Workshop,
    WorkshopClosed,
    WorkshopId,
    WorkshopState,
)

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)  # the 25th in Belitung
TODAY = date(2026, 11, 25)
WORKSHOP = Workshop(
    id=WorkshopId("w1"),
    facility_id="LP-TJP",
    zone="Asia/Jakarta",
    code="KAYU",
    name="Bengkel Kayu",
    product_classes=frozenset({"mebel"}),
    unit_kind=UnitKind.HOUR,
    programmes=(),
)


def worker(
    *,
    eligible: bool = True,
    valid_until: date | None = None,
    present: bool = True,
    facility: str = "LP-TJP",
    decided_at: str = "LP-TJP",
) -> Worker:
    return Worker(
        id="p1",
        facility_id=facility,
        present=present,
        decided_at=decided_at,
        eligible=eligible,
        decided_on=date(2026, 11, 1),
        valid_until=valid_until,
    )


def place(
    from_on: date = date(2026, 11, 2),
    to_on: date | None = None,
    *,
    live: bool = True,
    workshop: str = "w1",
) -> Assignment:
    return Assignment(
        id=AssignmentId("a1"),
        participant_ref="p1",
        workshop_id=workshop,
        facility_id="LP-TJP",
        role="tukang",
        consented_on=date(2026, 11, 2),
        from_on=from_on,
        to_on=to_on,
        live=live,
    )


def assign(
    of: Worker,
    others: list[Assignment] | None = None,
    from_on: date = TODAY,
    consented_on: date = TODAY,
) -> Assignment:
    return workers.assign(
        AssignmentId("a2"),
        of,
        WORKSHOP,
        others or [],
        role="tukang",
        consented_on=consented_on,
        from_on=from_on,
        today=TODAY,
    )


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


def test_a_place_is_given_while_the_decision_stands() -> None:
    assert assign(worker(valid_until=TODAY)).live


@pytest.mark.parametrize(
    ("of", "error"),
    [
        (worker(eligible=False), workers.WorkNotAllowed),
        (worker(valid_until=date(2026, 11, 24)), workers.WorkNotAllowed),
        (worker(decided_at="LP-PKP"), workers.WorkNotAllowed),
        (worker(present=False), workers.WorkerNotPresent),
        (worker(facility="LP-PKP"), workers.WorkerNotPresent),
    ],
)
def test_no_place_without_a_standing_decision_of_this_lapas(
    of: Worker, error: type[Exception]
) -> None:
    with pytest.raises(error):
        assign(of)


def test_a_place_is_given_once_from_the_decision_on_and_with_consent() -> None:
    with pytest.raises(workers.AlreadyAssigned):
        assign(worker(), [place()])
    with pytest.raises(workers.AssignmentDateInvalid):
        assign(worker(), from_on=date(2026, 10, 31))
    with pytest.raises(workers.AssignmentDateInvalid):
        assign(worker(), consented_on=TODAY + timedelta(days=1))
    assert assign(worker(), [place(live=False), place(workshop="w2")]).workshop_id == "w1"


def test_a_closed_workshop_gives_no_place() -> None:
    with pytest.raises(WorkshopClosed):
        workers.assign(
            AssignmentId("a"),
            worker(),
            replace(WORKSHOP, state=WorkshopState.CLOSED),
            [],
            role="r",
            consented_on=TODAY,
            from_on=TODAY,
            today=TODAY,
        )


def test_the_later_decision_counts_whatever_comes_last() -> None:
    newest = workers.record_decision(
        None,
        participant_ref="p1",
        facility_id="LP-TJP",
        eligible=False,
        decided_on=date(2026, 11, 9),
        valid_until=None,
    )
    older = workers.record_decision(
        newest,
        participant_ref="p1",
        facility_id="LP-TJP",
        eligible=True,
        decided_on=date(2026, 11, 8),
        valid_until=None,
    )
    assert older == newest
    assert workers.record_decision(
        older,
        participant_ref="p1",
        facility_id="LP-TJP",
        eligible=True,
        decided_on=date(2026, 11, 9),
        valid_until=None,
    ).eligible


def test_an_ended_place_ends_once_and_keeps_past_work() -> None:
    ended = workers.end(place(), EndReason.DECISION, TODAY)
    assert (
        ended.live,
        ended.to_on,
        ended.covers(date(2026, 11, 20)),
        ended.covers(TODAY + timedelta(days=1)),
    ) == (False, TODAY, True, False)
    with pytest.raises(workers.AssignmentEnded):
        workers.end(ended, EndReason.OFFICER, TODAY)


def test_work_is_logged_on_local_days_from_the_start_of_the_batch_to_today() -> None:
    assert batches.log_work(log(), batch(), WORKSHOP, worker(), [place()], NOW)
    for day in (date(2026, 11, 21), TODAY + timedelta(days=1)):
        with pytest.raises(batches.WorkDateInvalid):
            batches.log_work(log(worked_on=day), batch(), WORKSHOP, worker(), [place()], NOW)


@pytest.mark.parametrize(
    "places",
    [
        [],
        [place(to_on=date(2026, 11, 24))],
        [place(workshop="w2")],
        [place(from_on=TODAY + timedelta(days=1))],
    ],
)
def test_work_counts_only_with_a_place_on_that_day(places: list[Assignment]) -> None:
    with pytest.raises(batches.NotAssigned):
        batches.log_work(log(), batch(), WORKSHOP, worker(), places, NOW)


def test_no_work_after_the_decision_has_lapsed() -> None:
    with pytest.raises(workers.WorkNotAllowed):
        batches.log_work(
            log(), batch(), WORKSHOP, worker(valid_until=date(2026, 11, 24)), [place()], NOW
        )


@pytest.mark.parametrize("state", [BatchState.PLANNED, BatchState.COMPLETED, BatchState.REJECTED])
def test_work_is_logged_in_open_batches_only(state: BatchState) -> None:
    with pytest.raises(batches.BatchStateDiffers):
        batches.log_work(log(), batch(state), WORKSHOP, worker(), [place()], NOW)


def test_a_correction_keeps_what_stood_before_and_is_refused_after_seven_days_or_completion() -> (
    None
):
    corrected = batches.correct(
        log(), batch(), units=5, reason="salah hitung", by="officer", now=NOW + timedelta(days=7)
    )
    assert (corrected.work_units, corrected.edits[0].was_units, corrected.edits[0].reason) == (
        5,
        3,
        "salah hitung",
    )
    with pytest.raises(batches.WorkLogLocked):
        batches.correct(
            log(), batch(), units=5, reason="r", by="o", now=NOW + timedelta(days=7, seconds=1)
        )
    with pytest.raises(batches.WorkLogLocked):
        batches.correct(log(), batch(BatchState.COMPLETED), units=5, reason="r", by="o", now=NOW)


def test_completion_freezes_unit_cost_and_premi_weights() -> None:
    logs = [log(2), log(1, person="p2"), log(4), log(0, person="p3")]
    done = batches.complete(
        batch(BatchState.QUALITY_CHECK),
        logs,
        qty_good=7,
        qty_reject=1,
        reject_reason="retak",
        now=NOW,
    )
    assert done.weights == (
        PremiWeight(participant_ref="p1", units=6),
        PremiWeight(participant_ref="p2", units=1),
    )
    assert [(portion.qty, portion.unit_cost_idr) for portion in done.portions] == [(7, 40_000)]
    assert (done.state, done.completed_at) == (BatchState.COMPLETED, NOW)


def test_a_batch_completes_only_with_work_with_good_units_and_with_reasons_for_rejects() -> None:
    checked = batch(BatchState.QUALITY_CHECK)
    with pytest.raises(batches.BatchWithoutWork):
        batches.complete(checked, [], qty_good=7, qty_reject=0, reject_reason="", now=NOW)
    with pytest.raises(batches.BatchNothingGood):
        batches.complete(checked, [log()], qty_good=0, qty_reject=7, reject_reason="retak", now=NOW)
    with pytest.raises(batches.RejectReasonMissing):
        batches.complete(checked, [log()], qty_good=6, qty_reject=1, reject_reason=" ", now=NOW)
    with pytest.raises(batches.BatchStateDiffers):
        batches.complete(batch(), [log()], qty_good=7, qty_reject=0, reject_reason="", now=NOW)


@given(st.integers(0, 10**12), st.integers(1, 10**5))
def test_unit_costs_give_back_exactly_what_the_batch_cost(cost: int, qty: int) -> None:
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


def test_whoever_was_merged_shares_under_the_surviving_reference() -> None:
    weights = [
        PremiWeight(participant_ref="old", units=2),
        PremiWeight(participant_ref="new", units=1),
        PremiWeight(participant_ref="p", units=4),
    ]
    assert batches.sum_weights_by_survivor(weights, {"old": "new"}) == {"new": 3, "p": 4}
