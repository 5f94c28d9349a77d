"""Batches and work logs over HTTP: completions that race, months that are published."""

from __future__ import annotations

import json

import pytest

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
