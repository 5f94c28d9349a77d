"""Files that come again, and the time at which a list's data was taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.caller import Actor
from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.factories import FacilityHarness
from tests.training.snapshot_files import mapping_tables, snapshot_file

LOCKED_UNTIL = datetime(2099, 1, 1, tzinfo=UTC)


async def read_seen_at(facility: FacilityHarness) -> Any:
    stored = factories.database(facility.client)
    roster = await stored.find_one("rosters", {"_id": facility.facility_id})
    assert roster
    return roster["seen_at"]


async def test_a_list_that_comes_back_after_another_one_is_applied_again(
    service: AsgiClient,
) -> None:
    person = new_id()
    others = [new_id() for _ in range(9)]
    facility = await factories.create_harness(service, [person, *others])
    present = snapshot_file(facility.facility_id, facility.people)
    away = snapshot_file(facility.facility_id, facility.people | {person: {"Keberadaan": "Sidang"}})
    counts: list[dict[str, int]] = []
    for day, data in enumerate((away, present, away), start=1):
        at = (facility.taken_at + timedelta(days=day)).isoformat()
        snapshot = await factories.upload(service, facility.facility_id, data, at)
        assert (snapshot["state"], snapshot["duplicate"]) == ("APPLIED", False)
        counts.append(snapshot["counts"])
    assert counts == [{"absent": 1}, {"returned": 1}, {"absent": 1}]


async def test_a_quarantined_file_is_applied_after_the_repair_of_its_mapping(
    service: AsgiClient,
) -> None:
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    admin = factories.administrator(service)
    tables = mapping_tables("LP-TJP")
    wrong = tables["facility"]["columns"] | {"name": "Nama Salah"}
    path = f"/v1/facilities/{facility_id}/mappings"
    first = await admin.post(
        path, json=tables | {"facility": tables["facility"] | {"columns": wrong}}
    )
    data = snapshot_file(facility_id, {new_id(): {}})
    at = "2026-11-16T14:00:00+07:00"
    held = await factories.upload(service, facility_id, data, at)
    assert (held["state"], held["reason"]) == ("QUARANTINED", "COLUMN_MISSING")
    again = await factories.upload(service, facility_id, data, at)
    assert (again["snapshot_id"], again["duplicate"]) == (held["snapshot_id"], True)
    repaired = await admin.post(path, json=tables, headers={"if-match": first.headers["etag"]})
    assert repaired.status_code == 201
    taken = await factories.upload(service, facility_id, data, at)
    assert (taken["state"], taken["duplicate"], taken["row_count"]) == ("APPLIED", False, 1)


async def test_the_accepted_file_is_judged_again_only_under_another_mapping(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id()])
    path = f"/v1/facilities/{facility.facility_id}/mappings"
    data = snapshot_file(facility.facility_id, facility.people)
    at = facility.taken_at.isoformat()
    tables = mapping_tables("LP-TJP")
    admin = factories.administrator(service)
    same = await factories.upload(service, facility.facility_id, data, at)
    first = await admin.post(path, json=tables)
    again = await admin.post(path, json=tables, headers={"if-match": first.headers["etag"]})
    assert again.status_code == 201, again.text
    read_again = await factories.upload(service, facility.facility_id, data, at)
    assert (same["duplicate"], read_again["duplicate"]) == (True, False)
    assert (read_again["state"], read_again["counts"]) == ("APPLIED", {})
    assert read_again["snapshot_id"] != same["snapshot_id"]


async def test_a_broken_file_that_comes_twice_is_no_sign_of_life(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id()])
    seen_at = await read_seen_at(facility)
    at = (facility.taken_at + timedelta(days=1)).isoformat()
    for _ in range(2):
        held = await factories.upload(service, facility.facility_id, b'a;"b', at)
        assert held["reason"] == "UNREADABLE"
    assert await read_seen_at(facility) == seen_at


async def test_a_list_of_the_future_is_refused(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id()])
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    data = snapshot_file(facility.facility_id, facility.people, "2")
    path = f"/v1/facilities/{facility.facility_id}/snapshots"
    now = datetime.now(UTC)
    for ahead, status in ((timedelta(minutes=11), 422), (timedelta(minutes=9), 201)):
        params = {"taken_at": (now + ahead).isoformat()}
        answer = await registry.post(path, params=params, content=data)
        assert answer.status_code == status, answer.text
        if status == 422:
            problem = answer.json()
            assert (problem["code"], problem["field"]) == ("taken_at_in_future", "taken_at")


async def lock(facility: FacilityHarness) -> str:
    """Make the facility's list one of 2099, as before such lists were refused; return its id."""
    stored = factories.database(facility.client)
    where = {"facility_id": facility.facility_id}
    [snapshot] = await stored.find("snapshots", where)
    locked = {"$set": {"taken_at": LOCKED_UNTIL}}
    await stored.update("snapshots", {"_id": snapshot["_id"]}, locked)
    await stored.update("rosters", {"_id": facility.facility_id}, locked)
    await stored.update(
        "participants", where, {"$set": {"stays.$[].as_of": LOCKED_UNTIL}}, many=True
    )
    return snapshot["_id"]


async def test_two_persons_correct_the_time_of_a_list_that_locks_its_facility(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(3)])
    snapshot_id = await lock(facility)
    held = await facility.list_again()
    assert held["reason"] == "TAKEN_AT_NOT_AFTER_LAST"
    path = f"/v1/snapshots/{snapshot_id}/taken-at-correction"
    registry = factories.officer(service, facility.facility_id, "registry_operator").by(
        *Actor("petugas")
    )
    true_time = facility.taken_at - timedelta(days=1)
    body = {"taken_at": true_time.isoformat(), "reason": "salah ketik tahun"}
    ahead = body | {"taken_at": "2100-01-01T00:00:00Z"}
    assert (await factories.change(registry, path, ahead)).json()["code"] == "taken_at_in_future"
    proposed = await factories.change(registry, path, body)
    assert proposed.json()["correction"]["approved_by"] is None
    version = {"if-match": proposed.headers["etag"]}
    same = await registry.post(f"{path}/approval", headers=version)
    assert (same.status_code, same.json()["code"]) == (422, "same_person_corrects")
    head = factories.officer(service, facility.facility_id, "head", "kepala")
    approved = await head.post(f"{path}/approval", headers=version)
    assert approved.status_code == 200, approved.text
    assert approved.json()["correction"]["approved_by"] == "kepala"
    person = next(iter(facility.people))
    done = await facility.list_again(**{person: {"Kamar": "Z1"}})
    assert (done["state"], done["counts"]) == ("APPLIED", {"details_changed": 1})
    stays = await factories.database(service).find(
        "participants", {"facility_id": facility.facility_id}
    )
    assert {one["stays"][0]["as_of"] for one in stays} == {true_time}
    again = await head.post(f"{path}/approval", headers={"if-match": approved.headers["etag"]})
    assert again.status_code == 409
