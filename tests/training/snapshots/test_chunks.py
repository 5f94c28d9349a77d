"""Applying snapshots chunk by chunk: killed imports, faulty and stopped rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from chassis.ids import new_id
from services.training.snapshots import chunks
from services.training.transaction import Transaction
from tests.fakes import AsgiClient, eventually
from tests.training import factories
from tests.training.evidence import Evidence
from tests.training.snapshot_files import snapshot_file


class _Killed(Exception):
    """The process ends before the commit."""


async def hold_import(service: AsgiClient, facility_id: str) -> None:
    """Give the row of a facility's imports to another process."""
    until = {"$add": ["$$NOW", 600_000]}
    held = {"holder": "another", "process": "another", "token": 1, "until": until}
    where = {"_id": f"{chunks.APPLY_JOB}/{facility_id}"}
    await factories.database(service).update("keyed_jobs", where, [{"$set": held}], upsert=True)


async def release_import(service: AsgiClient, facility_id: str) -> None:
    """Let our process import the facility's lists."""
    where = {"_id": f"{chunks.APPLY_JOB}/{facility_id}"}
    released = {"holder": "", "until": "$$NOW"}
    await factories.database(service).update("keyed_jobs", where, [{"$set": released}])
    service.app.state.life.jobs[chunks.APPLY_JOB].wake()


@pytest.mark.scenario("T25/resume")
async def test_a_killed_import_continues_and_moves_everybody_once(
    service: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS_PER_CHUNK", 5)
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    await hold_import(service, facility_id)
    refs = [f"{facility_id}-{number}" for number in range(30)]
    registry = factories.officer(service, facility_id, "registry_operator")
    answer = await registry.post(
        f"/v1/facilities/{facility_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        content=snapshot_file(facility_id, {ref: {} for ref in refs}),
    )
    assert answer.json()["state"] == "APPLYING"
    database = factories.database(service)
    for _ in range(2):
        await factories.runner(service)(partial(chunks.apply_next_chunk, facility_id))
    assert await database.count("movements", {"facility_id": facility_id}) == 10

    async def killed(tx: Transaction) -> None:
        await chunks.apply_next_chunk(facility_id, tx)
        await tx.flush()
        raise _Killed

    with pytest.raises(_Killed):
        await factories.runner(service)(killed)
    assert await database.count("movements", {"facility_id": facility_id}) == 10
    await release_import(service, facility_id)
    done = await factories.wait_until_applied(registry, answer.json()["snapshot_id"])
    assert done["counts"]["admitted"] == 30
    assert await database.count("movements", {"facility_id": facility_id}) == 30
    assert (
        await database.count(
            "outbox", {"facility_id": facility_id, "type": "training.participant-admitted.v1"}
        )
        == 30
    )


async def test_an_import_that_fails_delays_no_other_facility(service: AsgiClient) -> None:
    """The roster of the first list is damaged: none of its rows is given up."""
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    await hold_import(service, facility_id)
    registry = factories.officer(service, facility_id, "registry_operator")
    answer = await registry.post(
        f"/v1/facilities/{facility_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        content=snapshot_file(facility_id, {new_id(): {}}),
    )
    assert answer.json()["state"] == "APPLYING"
    database = factories.database(service)
    of_list = {"snapshot_id": answer.json()["snapshot_id"]}
    roster = of_list | {"kind": "roster"}
    [chunk] = await database.find("snapshot_chunks", roster)
    damage = {"$set": {"sealed.ciphertext": chunk["sealed"]["nonce"]}}
    await database.update("snapshot_chunks", roster, damage)
    await release_import(service, facility_id)

    async def find_failed() -> Any:
        row_id = f"{chunks.APPLY_JOB}/{facility_id}"
        return await database.find_one("keyed_jobs", {"_id": row_id, "failures": {"$gte": 1}})

    row = await eventually(find_failed)
    assert row["error"] == "FieldUnreadable"
    other = await factories.create_harness(service, [new_id()])
    assert len(other.refs) == 1
    assert await database.count("snapshot_chunks", of_list | {"kind": "rows"}) == 1
    await database.delete("snapshots", {"_id": of_list["snapshot_id"]})


async def test_a_row_that_cannot_be_applied_is_reported_alone(
    service: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(6)])
    broken = list(facility.people)[3]
    applied = chunks.rows.apply_rows

    async def failing(rows: Any, *arguments: Any) -> Any:
        if any(row.source_ref == broken for row in rows):
            raise RuntimeError("a fault nobody expected")
        return await applied(rows, *arguments)

    monkeypatch.setattr(chunks.rows, "apply_rows", failing)
    done = await facility.list_again(**{ref: {"Kamar": "Z9"} for ref in facility.people})
    assert done["counts"] == {"details_changed": 5}
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    errors = await factories.list_all(registry, f"/v1/snapshots/{done['snapshot_id']}/row-errors")
    assert [(error["reason"], error["row"], error["effect"]) for error in errors] == [
        ("ROW_FAILED", 5, "row")
    ]


@pytest.mark.scenario("T2/rerun")
async def test_a_stopped_row_is_applied_after_its_word_is_mapped(
    service: AsgiClient,
) -> None:
    ref = new_id()
    other = new_id()
    facility = await factories.create_harness(service, [ref, other])
    class_id = await factories.open_class(facility)
    enrolment_id = await factories.enrol(facility, class_id, ref)
    evidence = Evidence(service)
    await evidence.skip()
    done = await facility.list_again(
        **{ref: {"Ket. Keluar": "XYZ", "Tanggal Keluar": "10/11/2026"}}
    )
    assert done["counts"] == {}
    assert await evidence.read_events() == []
    [opened] = await evidence.read_changes()
    assert opened.startswith("tasks.added ")
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    (task,) = await factories.list_all(registry, "/v1/training-tasks", kind="ROW_STOPPED")
    assert (task["facts"]["raw"], task["facts"]["field"], task["facts"]["source_ref"]) == (
        "XYZ",
        "release",
        ref,
    )
    path = f"/v1/facilities/{facility.facility_id}/mapped-values"
    assert (
        await registry.post(path, json={"field": "release", "word": "XYZ", "code": "gone"})
    ).json()["field"] == "code"
    assert (
        await registry.post(path, json={"field": "name", "word": "XYZ", "code": "free"})
    ).json()["field"] == "field"
    assert (
        await registry.post(path, json={"field": "release", "word": "XYZ", "code": "free"})
    ).status_code == 201
    await evidence.skip()
    again = await factories.change(registry, f"/v1/snapshots/{done['snapshot_id']}/stopped-rows")
    assert again.json()["released_by_kind"] == {"free": 1}
    person = facility.refs[ref]
    assert await evidence.read_events() == [
        f"participant-released {person}",
        f"participant-withdrawn {person}",
    ]
    changes = await evidence.read_changes()
    assert set(changes.values()) == {1}
    assert {each for each in changes if not each.startswith("movements.added")} == {
        f"participants.changed {person}",
        f"enrolments.changed {enrolment_id}",
        f"class_seats.changed {class_id}",
        f"tasks.changed {task['id']}",
    }
    assert (await factories.read_person(facility, ref))["state"] == "released"
    ended = (await facility.officer.get(f"/v1/enrolments/{enrolment_id}")).json()
    assert (ended["state"], ended["end_reason"]) == ("ENDED", "RELEASED")
    assert (await factories.list_all(registry, "/v1/training-tasks", kind="ROW_STOPPED"))[0][
        "state"
    ] == "RESOLVED"
    repeated = await factories.change(registry, f"/v1/snapshots/{done['snapshot_id']}/stopped-rows")
    assert repeated.json()["version"] == again.json()["version"]
    assert (await evidence.read_events(), await evidence.read_changes()) == ([], {})


async def test_stopped_rows_of_an_older_snapshot_are_not_retried(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id(), new_id()])
    first = await facility.list_again(**{next(iter(facility.people)): {"Keberadaan": "Dititip"}})
    await facility.list_again(**{next(iter(facility.people)): {"Keberadaan": "", "Kamar": "Z9"}})
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    answer = await factories.change(registry, f"/v1/snapshots/{first['snapshot_id']}/stopped-rows")
    assert (answer.status_code, answer.json()["code"]) == (409, "snapshot_outdated")
