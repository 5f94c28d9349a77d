"""Batches and work logs over HTTP: completions that race, months that are published."""

from __future__ import annotations

import json
from functools import partial

import pytest

from chassis.ids import new_id
from services.marketplace.batches import usecases
from services.marketplace.batches.rules import BatchId, WorkLogId
from services.marketplace.transaction import Transaction
from tests.marketplace.harness import (
    Json,
    LapasHarness,
    created,
    if_match,
    jakarta_today,
    ok,
    together,
)


async def check_batch(lapas: LapasHarness, person: str, units: int) -> Json:
    """Return a batch of 7 in quality check, with one work log."""
    batch = await lapas.start_batch(7, 70_000)
    await created(lapas.log_work(batch, person, units))
    return await lapas.change("workshop_officer", batch, "/v1/batches", "quality-check")


@pytest.mark.scenario("M19/batch")
async def test_a_batch_completed_twice_at_once_is_received_once(lapas: LapasHarness) -> None:
    """A work log at that moment counts, or is refused."""
    officer = lapas.as_("workshop_officer")
    [person] = await lapas.employ(1)
    batch = await check_batch(lapas, person, 2)
    path = f"/v1/batches/{batch['id']}"
    version = if_match(batch)
    first, second, logged = await together(
        officer.post(f"{path}/completion", json={"qty_good": 7}, headers=version),
        officer.post(f"{path}/completion", json={"qty_good": 7}, headers=version),
        lapas.log_work(batch, person, 2),
    )
    assert sorted((first.status_code, second.status_code)) == [200, 412]
    assert await lapas.stock() == (7, 0, 0)
    weights = (await ok(officer.get(path)))["weights"]
    assert weights == [{"participant_ref": person, "units": 4 if logged.status_code == 201 else 2}]


async def test_a_completed_batch_cannot_be_completed_again(lapas: LapasHarness) -> None:
    officer = lapas.as_("workshop_officer")
    batch = await lapas.produce(7, 70_000, 1)
    path = f"/v1/batches/{batch['id']}/completion"
    answer = await officer.post(path, json={"qty_good": 7}, headers=if_match(batch))
    assert (answer.status_code, answer.json()["code"]) == (409, "batch_state_differs")


@pytest.mark.scenario("INV-14/outbox")
async def test_each_log_and_correction_publishes_the_sum_of_the_month(lapas: LapasHarness) -> None:
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    await created(lapas.log_work(batch, person, 4))
    second = await created(lapas.log_work(batch, person, 3))
    corrected = await ok(
        lapas.as_("workshop_officer").patch(
            f"/v1/work-logs/{second['id']}",
            json={"work_units": 1, "reason": "salah hitung"},
            headers=if_match(second),
        )
    )
    assert corrected["edits"][0]["was_units"] == 3
    rows = sorted(await lapas.stored("outbox", key=person), key=lambda row: row["seq"])
    sums = [(row["seq"], json.loads(row["body"])["units_total"]) for row in rows]
    assert sums == [(1, 4), (2, 7), (3, 5)]
    assert json.loads(rows[0]["body"]) == {
        "participant_ref": person,
        "workshop_id": lapas.workshop["id"],
        "month": f"{jakarta_today():%Y-%m}",
        "unit_kind": "hour",
        "units_total": 4,
    }
    assert {row["facility_id"] for row in rows} == {lapas.facility}


async def read_left(lapas: LapasHarness, person: str) -> dict[str, set[str]]:
    """Return the ids of what a work log of this person leaves: log, month, event, audit row."""
    where = {
        "work_logs": {"participant_ref": person},
        "work_months": {"participant_ref": person},
        "outbox": {"key": person},
        "audit": {"person": person, "action": "work_logs.added"},
    }
    return {
        name: {str(row["_id"]) for row in await lapas.stored(name, **query)}
        for name, query in where.items()
    }


@pytest.mark.scenario("INV-14/outbox")
async def test_a_log_that_is_rolled_back_leaves_neither_row_nor_event(lapas: LapasHarness) -> None:
    """The transaction fails once its writes are in the database, before the commit."""
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    log = partial(
        usecases.log_work,
        WorkLogId(new_id()),
        BatchId(batch["id"]),
        person,
        4,
        jakarta_today(),
    )

    async def fail_before_commit(tx: Transaction) -> None:
        await log(tx)
        await tx.finish()
        raise ZeroDivisionError

    before = await read_left(lapas, person)
    with pytest.raises(ZeroDivisionError):
        await lapas.as_service(fail_before_commit)
    assert await read_left(lapas, person) == before
    await lapas.as_service(log)
    left = {name: ids - before[name] for name, ids in (await read_left(lapas, person)).items()}
    assert {name: len(ids) for name, ids in left.items()} == dict.fromkeys(before, 1)


async def cost_balance(lapas: LapasHarness) -> int:
    """Return what the books show as the cost of goods unsold and in work."""
    return (await lapas.balances()).get("biaya_produksi", 0)


@pytest.mark.scenario("M1/sale")
@pytest.mark.scenario("INV-4/stored")
async def test_the_books_have_the_cost_of_goods_unsold_and_in_work(lapas: LapasHarness) -> None:
    """Started, dearer, cheaper, completed, sold, reversed: the cost is booked at each step."""
    await lapas.employ(1)
    batch = await lapas.start_batch(4, 160_000)
    assert await cost_balance(lapas) == 160_000
    for costs, total in (((170_000, 5_000), 175_000), ((150_000, 0), 150_000)):
        path = f"/v1/batches/{batch['id']}/costs"
        body = {"material_cost_idr": costs[0], "other_cost_idr": costs[1]}
        officer = lapas.as_("workshop_officer")
        batch = await ok(officer.patch(path, json=body, headers=if_match(batch)))
        assert await cost_balance(lapas) == total
    assert (await lapas.log_work(batch, lapas.people[0], 1)).status_code == 201
    batch = await lapas.change("workshop_officer", batch, "/v1/batches", "quality-check")
    await lapas.change("workshop_officer", batch, "/v1/batches", "completion", {"qty_good": 4})
    order = await lapas.paid_order(1)
    assert await cost_balance(lapas) == 112_500
    await lapas.command(order, "deny")
    balances = await lapas.balances()
    assert (balances["biaya_produksi"], balances["kas_titipan"]) == (150_000, -150_000)


async def test_the_capital_fund_bears_the_cost_of_a_rejected_batch(lapas: LapasHarness) -> None:
    batch = await lapas.start_batch(1, 40_000)
    batch = await lapas.change("workshop_officer", batch, "/v1/batches", "quality-check")
    body = {"qty_reject": 1, "reason": "retak"}
    await lapas.change("workshop_officer", batch, "/v1/batches", "rejection", body)
    balances = await lapas.balances()
    assert (balances["biaya_produksi"], balances["dana_modal_produksi"]) == (0, 40_000)


async def test_a_person_of_another_lapas_is_answered_like_an_unknown_one(
    lapas: LapasHarness,
) -> None:
    """Their TPP allowed work there, which nobody here may find out."""
    other = LapasHarness(lapas.client)
    await other.open_workshop()
    [stranger] = await other.employ(1)
    batch = await lapas.start_batch(1, 0)
    answers = [await lapas.log_work(batch, person, 1) for person in (stranger, f"ref-{new_id()}")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (404, "worker_unknown")
    ] * 2
