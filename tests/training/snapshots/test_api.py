"""Snapshots over HTTP: accepted, quarantined, released and refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.caller import Actor
from chassis.ids import new_id
from tests.fakes import AsgiClient, not_four_eyes
from tests.training import factories
from tests.training.factories import FacilityHarness
from tests.training.snapshot_files import snapshot_file

TEN = [f"R-{number}" for number in range(10)]


async def bring(
    facility: FacilityHarness,
    people: dict[str, dict[str, str]],
    *,
    days: int = 1,
    by: Actor = factories.UPLOADER,
) -> dict[str, Any]:
    return await factories.upload(
        facility.client,
        facility.facility_id,
        snapshot_file(facility.facility_id, people),
        (facility.taken_at + timedelta(days=days)).isoformat(),
        by=by,
    )


@pytest.mark.scenario("T25/wire")
async def test_the_same_bytes_twice_change_nothing_and_are_a_duplicate(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, TEN)
    data = snapshot_file(facility.facility_id, facility.people)
    later = (facility.taken_at + timedelta(hours=1)).isoformat()
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    answer = await registry.post(
        f"/v1/facilities/{facility.facility_id}/snapshots", params={"taken_at": later}, content=data
    )
    assert (answer.status_code, answer.json()["duplicate"], answer.json()["state"]) == (
        200,
        True,
        "APPLIED",
    )
    assert (
        await factories.database(service).count("snapshots", {"facility_id": facility.facility_id})
        == 1
    )
    roster = await factories.database(service).find_one("rosters", {"_id": facility.facility_id})
    assert roster
    assert roster["seen_at"] > roster["taken_at"]


async def test_two_uploads_of_the_same_bytes_at_once_are_one_snapshot(
    service: AsgiClient,
) -> None:
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    registry = factories.officer(service, facility_id, "registry_operator")
    data = snapshot_file(facility_id, {ref: {"ID WBP": f"{facility_id}-{ref}"} for ref in TEN})
    path = f"/v1/facilities/{facility_id}/snapshots"
    answers = await asyncio.gather(
        *(
            registry.post(path, params={"taken_at": "2026-11-16T14:00:00+07:00"}, content=data)
            for _ in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["snapshot_id"] for answer in answers}) == 1


@pytest.mark.scenario("T25/release")
async def test_a_quarantine_is_released_by_a_second_person_with_a_reason(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [f"{new_id()}" for _ in range(10)])
    fewer = dict(list(facility.people.items())[:6])
    held = await bring(facility, fewer, by=Actor("uploader", "kasi"))
    assert (held["state"], held["reason"]) == ("QUARANTINED", "ROW_COUNT_DOWN")
    assert (
        await factories.database(service).count(
            "participants", {"facility_id": facility.facility_id, "state": "held"}
        )
        == 10
    )
    path = f"/v1/snapshots/{held['snapshot_id']}/release"
    for actor in not_four_eyes("uploader", "kasi"):
        same_person = factories.officer(service, facility.facility_id, "head").by(*actor)
        assert (await factories.change(same_person, path, {"reason": "pindah blok"})).json()[
            "code"
        ] == "same_person_releases", actor
    second = factories.officer(service, facility.facility_id, "head", "kepala")
    assert (await factories.change(second, path, {"reason": "x"})).status_code == 422
    assert (await factories.change(second, path, {"reason": "bebas massal"})).status_code == 200
    done = await factories.wait_until_applied(second, held["snapshot_id"])
    assert done["counts"] == {"missing": 4}
    tasks = await factories.list_all(second, "/v1/training-tasks", kind="QUARANTINE")
    assert [task["state"] for task in tasks] == ["RESOLVED"]
    assert (await factories.change(second, path, {"reason": "sekali lagi"})).json()[
        "code"
    ] == "not_quarantined"


@pytest.mark.scenario("T25/release")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"Kode UPT": "LAIN"}, "FACILITY_MISMATCH"), ({"ID WBP": "sama"}, "SOURCE_REF_DUPLICATE")],
)
async def test_a_wrong_file_is_never_released(
    service: AsgiClient, changes: dict[str, str], reason: str
) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(3)])
    held = await bring(facility, {ref: values | changes for ref, values in facility.people.items()})
    assert (held["state"], held["reason"]) == ("QUARANTINED", reason)
    second = factories.officer(service, facility.facility_id, "head", "kepala")
    answer = await factories.change(
        second, f"/v1/snapshots/{held['snapshot_id']}/release", {"reason": "sudah benar"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "not_releasable")
    assert (
        await factories.database(service).count(
            "snapshot_chunks", {"snapshot_id": held["snapshot_id"]}
        )
        == 0
    )


@pytest.mark.scenario("T37")
async def test_another_block_is_quarantined_as_full_and_added_as_partial(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(10)])
    others: dict[str, dict[str, str]] = {new_id(): {} for _ in range(10)}
    held = await bring(facility, others)
    assert (
        held["reason"],
        await factories.database(service).count(
            "participants", {"facility_id": facility.facility_id}
        ),
    ) == ("PEOPLE_GONE", 10)
    shown = await factories.administrator(service).get(f"/v1/facilities/{facility.facility_id}")
    changed = await factories.administrator(service).patch(
        f"/v1/facilities/{facility.facility_id}",
        json={"roster_mode": "partial"},
        headers={"if-match": shown.headers["etag"]},
    )
    assert changed.status_code == 200
    taken = await bring(facility, others | {next(iter(others)): {"Kamar": "Z9"}}, days=2)
    assert taken["counts"] == {"admitted": 10, "release_planned": 10}
    assert (
        await factories.database(service).count(
            "participants", {"facility_id": facility.facility_id, "state": "held"}
        )
        == 20
    )


@pytest.mark.scenario("T38/source-reference")
async def test_another_register_of_a_source_reference_changes_details(
    service: AsgiClient,
) -> None:
    ref = new_id()
    facility = await factories.create_harness(
        service, {ref: {"Gol": "A.III", "No. Reg": "A.III 7/2026"}}
    )
    done = await facility.list_again(**{ref: {"Gol": "B.I", "No. Reg": "B.I 9/2026"}})
    assert done["counts"] == {"details_changed": 1}
    (event,) = [
        row
        for row in await factories.list_events(service, facility.refs[ref])
        if "details-changed" in row["type"]
    ]
    assert '"fields":["legal_status","register_no"]' in event["body"]
    assert "9/2026" not in event["body"]


@pytest.mark.parametrize(
    ("params", "status", "field"),
    [
        ({}, 422, "taken_at"),
        ({"taken_at": "kemarin"}, 422, "taken_at"),
        ({"taken_at": "2026-11-16T14:00:00"}, 422, "taken_at"),
        ({"taken_at": "0001-01-01T00:00:00+14:00"}, 422, "taken_at"),
        ({"taken_at": "9999-12-31T23:59:59-12:00"}, 422, "taken_at"),
    ],
)
async def test_a_malformed_upload_names_the_field(
    service: AsgiClient, params: dict[str, str], status: int, field: str
) -> None:
    facility = await factories.create_harness(service, [new_id()])
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    answer = await registry.post(
        f"/v1/facilities/{facility.facility_id}/snapshots", params=params, content=b"x"
    )
    assert (answer.status_code, answer.json()["field"]) == (status, field)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "UNREADABLE"),
        (b"\x00\xff\xfe", "UNREADABLE"),
        (b'a;"b', "UNREADABLE"),
        (b"   \r\n  ", "UNREADABLE"),
        (b"PK\x03\x04 no text", "COLUMN_MISSING"),
    ],
)
async def test_a_broken_file_is_quarantined_with_a_reason(
    service: AsgiClient, data: bytes, reason: str
) -> None:
    facility = await factories.create_harness(service, [new_id()])
    held = await factories.upload(
        service, facility.facility_id, data, (facility.taken_at + timedelta(days=1)).isoformat()
    )
    assert (held["state"], held["reason"], held["counts"]) == ("QUARANTINED", reason, {})
    assert held["message"]


async def test_nobody_brings_or_sees_the_files_of_another_facility(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id()])
    other = await factories.create_harness(service, [new_id()])
    stranger = factories.officer(service, other.facility_id, "registry_operator")
    params = {"taken_at": "2026-11-20T14:00:00+07:00"}
    assert (
        await stranger.post(
            f"/v1/facilities/{facility.facility_id}/snapshots", params=params, content=b"x"
        )
    ).status_code == 404
    assert (
        await stranger.get(f"/v1/facilities/{facility.facility_id}/snapshots")
    ).status_code == 404
    listed = (
        await facility.officer.get(f"/v1/facilities/{facility.facility_id}/snapshots")
    ).json()["items"]
    assert (await stranger.get(f"/v1/snapshots/{listed[0]['snapshot_id']}")).status_code == 404
    assert (
        await stranger.get(f"/v1/snapshots/{listed[0]['snapshot_id']}/movements")
    ).status_code == 404


async def test_an_upload_with_an_idempotency_key_is_answered_the_same_again(
    service: AsgiClient,
) -> None:
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    registry = factories.officer(service, facility_id, "registry_operator")
    ask = partial(
        registry.post,
        f"/v1/facilities/{facility_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        headers={"idempotency-key": "k1"},
    )
    data = snapshot_file(facility_id, {new_id(): {}})
    first = await ask(content=data)
    second = await ask(content=data)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["snapshot_id"] == second.json()["snapshot_id"]
    assert (await ask(content=b"lain")).json()["code"] == "idempotency_key_reused"
