"""A workshop's day by one request: good lines go in, the others name every reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from services.marketplace.batches import work_day_acts
from services.marketplace.batches.work_days import WorkCell
from services.marketplace.workshops.rules import WorkshopId
from tests.marketplace.harness import (
    Json,
    LapasHarness,
    created,
    jakarta_today,
    ok,
    together,
)


def day_path(lapas: LapasHarness, days: int = 0) -> str:
    """Return the address of a day of the workshop, by default today."""
    return f"/v1/workshops/{lapas.workshop['id']}/work-days/{jakarta_today() + timedelta(days)}"


def line(batch: Json, person: str, units: int, **parts: Any) -> Json:
    """Return a line of a day."""
    return {
        "participant_ref": person,
        "batch_id": batch["id"],
        "work_units": units,
    } | parts


async def put(lapas: LapasHarness, *lines: Json, days: int = 0) -> Json:
    """Record lines of a day, and return the answer."""
    officer = lapas.as_("workshop_officer")
    return await ok(officer.request("PUT", day_path(lapas, days), json={"lines": lines}))


def outcomes(answer: Json) -> list[tuple[str, list[str]]]:
    """Return the outcome of each line with the codes of its reasons."""
    return [
        (each["outcome"], [reason["code"] for reason in each["reasons"]])
        for each in answer["lines"]
    ]


async def changes(lapas: LapasHarness, person: str) -> list[str]:
    """Return the actions of the audit rows that name changes of a person's work."""
    rows = await lapas.stored("audit", person=person)
    work = {"work_logs", "work_months"}
    return sorted(row["action"] for row in rows if row["action"].split(".")[0] in work)


async def month_sums(lapas: LapasHarness, person: str) -> list[int]:
    """Return the sums of the month that were published for a person."""
    rows = sorted(await lapas.stored("outbox", key=person), key=lambda row: row["seq"])
    return [json.loads(row["body"])["units_total"] for row in rows]


@pytest.mark.scenario("M19/day-grid")
async def test_a_day_sent_twice_counts_once_and_refused_lines_alone_fail(
    lapas: LapasHarness,
) -> None:
    first, second = await lapas.employ(1, 1)
    batch = await lapas.start_batch(1, 0)
    other_batch = await lapas.start_batch(1, 0)
    lines = [
        line(batch, first, 4, client_ref="sel-1"),
        line(other_batch, first, 3),
        line(batch, second, 0),
        line(batch, "tidak-ada", 2),
        line({"id": "tidak-ada"}, second, 2, version=1),
    ]
    answer = await put(lapas, *lines)
    assert outcomes(answer) == [
        ("applied", []),
        ("applied", []),
        ("refused", ["work_units_missing"]),
        ("refused", ["worker_unknown"]),
        ("refused", ["work_log_unknown", "batch_unknown"]),
    ]
    assert answer["counts"] == {"applied": 2, "repeated": 0, "refused": 3}
    [worker] = answer["day"]["workers"]
    assert (worker["participant_ref"], worker["work_units"]) == (first, 7)
    work = {each["batch_id"]: (each["work_units"], each["client_ref"]) for each in worker["work"]}
    assert work == {batch["id"]: (4, "sel-1"), other_batch["id"]: (3, None)}
    assert await changes(lapas, first) == ["work_logs.added"] * 2 + ["work_months.added"]
    assert await month_sums(lapas, first) == [7]

    again = await put(lapas, *lines)
    assert [outcome for outcome, _ in outcomes(again)] == ["repeated"] * 2 + ["refused"] * 3
    assert again["day"] == answer["day"]
    assert again["lines"][0]["result_id"] == answer["lines"][0]["result_id"]
    assert len(await changes(lapas, first)) == 3
    assert await changes(lapas, second) == []
    read = await ok(lapas.as_("workshop_officer").get(day_path(lapas)))
    assert read == answer["day"]


async def test_other_units_of_a_line_need_its_version_and_a_reason(lapas: LapasHarness) -> None:
    """What a device sends again after a correction changes nothing."""
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    sent = line(batch, person, 4, client_ref="sel-1")
    recorded = (await put(lapas, sent))["lines"][0]
    corrected = {"version": recorded["version"], "reason": "salah hitung"}
    for refused, codes in (
        (line(batch, person, 5), ["work_log_differs"]),
        (line(batch, person, 5, client_ref="sel-1"), ["work_log_differs"]),
        (line(batch, person, 5, version=7), ["version_differs", "correction_reason_missing"]),
    ):
        assert outcomes(await put(lapas, refused)) == [("refused", codes)]
    answer = await put(lapas, line(batch, person, 5, **corrected))
    assert outcomes(answer) == [("applied", [])]
    assert answer["day"]["workers"][0]["work"][0]["version"] == recorded["version"] + 1
    assert await month_sums(lapas, person) == [4, 5]
    again = await put(lapas, sent)
    assert outcomes(again) == [("repeated", [])]
    assert again["day"] == answer["day"]
    [log] = await lapas.stored("work_logs", participant_ref=person)
    assert [edit["reason"] for edit in log["edits"]] == ["salah hitung"]


async def test_a_day_obeys_the_rules_of_single_work_logs(lapas: LapasHarness) -> None:
    """Each line names every reason; a single log of the same work is refused as well."""
    worker, unassigned = await lapas.employ(1, 1)
    today = jakarta_today()
    await lapas.decide(unassigned, today - timedelta(days=1), eligible=False)
    [ended] = await lapas.stored("work_assignments", participant_ref=unassigned)
    yesterday = str(today - timedelta(days=1))
    await lapas.update_stored("work_assignments", ended["_id"], to_on=yesterday)
    await lapas.update_stored("workers", unassigned, valid_until=yesterday)
    done = await lapas.produce(1, 0, 1, 0)
    open_batch = await lapas.start_batch(1, 0)
    single = {"worked_on": str(today)}
    refusals = [
        (line(done, worker, 1), {"batch_state_differs"}),
        (line(open_batch, unassigned, 1), {"not_assigned", "work_not_allowed"}),
        (line(done, unassigned, 1), {"batch_state_differs", "not_assigned", "work_not_allowed"}),
    ]
    # the completed batch holds a log of the worker already
    await lapas.client.app.state.life.db.delete("work_logs", {"batch_id": done["id"]})
    for each, codes in refusals:
        [(outcome, found)] = outcomes(await put(lapas, each))
        assert (outcome, set(found)) == ("refused", codes)
        officer = lapas.as_("workshop_officer")
        alone = await officer.post("/v1/work-logs", json=each | single)
        assert alone.json()["code"] in codes
    for days in (-1, 1):
        answer = await put(lapas, line(open_batch, worker, 1), days=days)
        [(outcome, found)] = outcomes(answer)
        assert (outcome, "work_date_invalid" in found) == ("refused", True)
    assert await lapas.stored("work_logs", batch_id=open_batch["id"]) == []


async def test_a_line_of_a_locked_work_log_is_refused(lapas: LapasHarness) -> None:
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    recorded = (await put(lapas, line(batch, person, 4)))["lines"][0]
    long_ago = datetime.now(UTC) - timedelta(days=8)
    await lapas.update_stored("work_logs", recorded["result_id"], recorded_at=long_ago)
    correction = line(batch, person, 5, version=recorded["version"])
    assert outcomes(await put(lapas, correction)) == [
        ("refused", ["correction_reason_missing", "work_log_locked"])
    ]


async def test_a_day_shows_single_work_logs_and_adds_nothing_to_them(lapas: LapasHarness) -> None:
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    await created(lapas.log_work(batch, person, 2))
    await created(lapas.log_work(batch, person, 3))
    answer = await put(lapas, line(batch, person, 5))
    assert outcomes(answer) == [("repeated", [])]
    assert answer["day"]["workers"][0]["work_units"] == 5
    other = line(batch, person, 6, version=1, reason="salah hitung")
    assert outcomes(await put(lapas, other)) == [("refused", ["work_logged_several_times"])]
    assert await month_sums(lapas, person) == [2, 5]


async def test_a_day_takes_no_batch_or_person_of_elsewhere(lapas: LapasHarness) -> None:
    """A batch of another workshop, and a person of another Lapas, are unknown."""
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    other = LapasHarness(lapas.client)
    await other.open_workshop()
    [stranger] = await other.employ(1)
    foreign = await other.start_batch(1, 0)
    answer = await put(lapas, line(foreign, person, 1), line(batch, stranger, 1))
    assert [codes for _, codes in outcomes(answer)] == [["batch_unknown"], ["worker_unknown"]]
    path = day_path(lapas)
    body = {"lines": [line(batch, person, 1)]}
    for answer in (
        await other.as_("workshop_officer").request("PUT", path, json=body),
        await other.as_("workshop_officer").get(path),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "workshop_unknown")


async def test_two_requests_of_one_day_at_once_count_it_once(lapas: LapasHarness) -> None:
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    answers = await together(*(put(lapas, line(batch, person, 4)) for _ in range(3)))
    assert sorted(outcomes(answer)[0][0] for answer in answers) == [
        "applied",
        "repeated",
        "repeated",
    ]
    assert await month_sums(lapas, person) == [4]


async def test_a_line_overtaken_by_the_end_of_the_assignment_is_refused(
    lapas: LapasHarness,
) -> None:
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    [assignment] = await lapas.stored("work_assignments", participant_ref=person)
    yesterday = str(jakarta_today() - timedelta(days=1))
    cell = WorkCell(participant_ref=person, batch_id=batch["id"], work_units=1)
    workshop_id = WorkshopId(lapas.workshop["id"])
    day = await lapas.run_with_concurrent_change(
        partial(work_day_acts.record_day, workshop_id, jakarta_today(), [cell]),
        lambda: lapas.update_stored(
            "work_assignments", assignment["_id"], to_on=yesterday, live=False
        ),
    )
    assert [reason.code for reason in day.lines[0].reasons] == ["not_assigned"]
    assert await lapas.stored("work_logs", participant_ref=person) == []


async def test_completion_divides_premi_by_the_units_of_the_day(lapas: LapasHarness) -> None:
    first, second = await lapas.employ(1, 1)
    batch = await lapas.start_batch(2, 0)
    await put(lapas, line(batch, first, 3), line(batch, second, 1))
    checked = await lapas.change("workshop_officer", batch, "/v1/batches", "quality-check")
    completed = await lapas.change(
        "workshop_officer", checked, "/v1/batches", "completion", {"qty_good": 2}
    )
    weights = {each["participant_ref"]: each["units"] for each in completed["weights"]}
    assert weights == {first: 3, second: 1}


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([], "lines"),
        ([{"work_units": 1}] * 501, "lines"),
        ([{"work_units": 1}] * 2, "lines"),
        ([{"work_units": -1}], "lines.0.work_units"),
        ([{"work_units": 1.5}], "lines.0.work_units"),
        ([{"work_units": 1, "version": 0}], "lines.0.version"),
        ([{"work_units": 1, "name": "x"}], "lines.0.name"),
    ],
)
async def test_a_day_that_cannot_be_read_is_refused_with_its_field(
    lapas: LapasHarness, lines: list[Json], field: str
) -> None:
    complete = [{"participant_ref": "x", "batch_id": "y"} | each for each in lines]
    answer = await lapas.as_("workshop_officer").request(
        "PUT", day_path(lapas), json={"lines": complete}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_day_that_is_no_date_is_refused_with_its_field(lapas: LapasHarness) -> None:
    path = f"/v1/workshops/{lapas.workshop['id']}/work-days/kemarin"
    answer = await lapas.as_("workshop_officer").get(path)
    assert (answer.status_code, answer.json()["field"]) == (422, "date")
