"""Snapshots one by one over HTTP: what is taken, set aside, released, resumed, tried again and refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.caller import Actor, system
from chassis.ids import new_id
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from services.training.snapshots import usecases
from services.training.transaction import Transaction
from tests.fakes import AsgiClient, eventually, not_four_eyes
from tests.training import factories
from tests.training.factories import Place

TEN = [f"R-{number}" for number in range(10)]


async def bring(
    place: Place,
    people: dict[str, dict[str, str]],
    *,
    days: int = 1,
    by: Actor = factories.UPLOADER,
) -> dict[str, Any]:
    return await factories.upload(
        place.client,
        place.facility_id,
        factories.rows(place.facility_id, people),
        (place.taken_at + timedelta(days=days)).isoformat(),
        by=by,
    )


async def state_of(place: Place, source_ref: str) -> dict[str, Any]:
    found = await factories.everything(place.officer, "/v1/participants", source_ref=source_ref)
    return found[0]


@pytest.mark.scenario("T25/wire")
async def test_the_same_bytes_twice_change_nothing_and_are_told_as_a_repeat(
    service: AsgiClient,
) -> None:
    place = await factories.place(service, TEN)
    data, later = (
        factories.rows(place.facility_id, place.people),
        (place.taken_at + timedelta(hours=1)).isoformat(),
    )
    registry = factories.officer(service, place.facility_id, "registry_operator")
    answer = await registry.post(
        f"/v1/facilities/{place.facility_id}/snapshots", params={"taken_at": later}, content=data
    )
    assert (answer.status_code, answer.json()["duplicate"], answer.json()["state"]) == (
        200,
        True,
        "APPLIED",
    )
    assert (
        await factories.database(service).count("snapshots", {"facility_id": place.facility_id})
        == 1
    )
    roster = await factories.database(service).find_one("rosters", {"_id": place.facility_id})
    assert roster
    assert roster["seen_at"] > roster["taken_at"]


async def test_two_uploads_of_the_same_bytes_at_once_are_one_snapshot(
    service: AsgiClient,
) -> None:
    facility_id = await factories.facility(service, f"UJI-{new_id()[-12:].upper()}")
    registry = factories.officer(service, facility_id, "registry_operator")
    data, name = (
        factories.rows(facility_id, {ref: {"ID WBP": f"{facility_id}-{ref}"} for ref in TEN}),
        f"/v1/facilities/{facility_id}/snapshots",
    )
    answers = await asyncio.gather(
        *(
            registry.post(name, params={"taken_at": "2026-11-16T14:00:00+07:00"}, content=data)
            for _ in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["snapshot_id"] for answer in answers}) == 1


@pytest.mark.scenario("T25/release")
async def test_a_quarantine_is_lifted_by_a_second_person_with_a_reason_only(
    service: AsgiClient,
) -> None:
    place = await factories.place(service, [f"{new_id()}" for _ in range(10)])
    fewer = dict(list(place.people.items())[:6])
    held = await bring(place, fewer, by=Actor("uploader", "kasi"))
    assert (held["state"], held["reason"]) == ("QUARANTINED", "ROW_COUNT_DOWN")
    assert (
        await factories.database(service).count(
            "participants", {"facility_id": place.facility_id, "state": "held"}
        )
        == 10
    )
    name = f"/v1/snapshots/{held['snapshot_id']}/release"
    for hand in not_four_eyes("uploader", "kasi"):
        one = factories.officer(service, place.facility_id, "head").by(*hand)
        assert (await one.post(name, json={"reason": "pindah blok"})).json()[
            "code"
        ] == "same_person_releases", hand
    second = factories.officer(service, place.facility_id, "head", "kepala")
    assert (await second.post(name, json={"reason": "x"})).status_code == 422
    assert (await second.post(name, json={"reason": "bebas massal"})).status_code == 200
    done = await factories.applied(second, held["snapshot_id"])
    assert done["counts"] == {"missing": 4}
    items = await factories.everything(second, "/v1/training-tasks", kind="QUARANTINE")
    assert [item["state"] for item in items] == ["RESOLVED"]
    assert (await second.post(name, json={"reason": "sekali lagi"})).json()[
        "code"
    ] == "not_quarantined"


@pytest.mark.scenario("T25/release")
@pytest.mark.parametrize(
    ("change", "reason"),
    [({"Kode UPT": "LAIN"}, "FACILITY_MISMATCH"), ({"ID WBP": "sama"}, "SOURCE_REF_DUPLICATE")],
)
async def test_a_wrong_file_is_never_released(
    service: AsgiClient, change: dict[str, str], reason: str
) -> None:
    place = await factories.place(service, [new_id() for _ in range(3)])
    held = await bring(place, {ref: said | change for ref, said in place.people.items()})
    assert (held["state"], held["reason"]) == ("QUARANTINED", reason)
    second = factories.officer(service, place.facility_id, "head", "kepala")
    answer = await second.post(
        f"/v1/snapshots/{held['snapshot_id']}/release", json={"reason": "sudah benar"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "not_releasable")
    assert (
        await factories.database(service).count(
            "snapshot_chunks", {"snapshot_id": held["snapshot_id"]}
        )
        == 0
    )


@pytest.mark.scenario("T37")
async def test_another_blocks_people_are_quarantined_as_a_full_list_and_added_as_a_partial_one(
    service: AsgiClient,
) -> None:
    place = await factories.place(service, [new_id() for _ in range(10)])
    others: dict[str, dict[str, str]] = {new_id(): {} for _ in range(10)}
    held = await bring(place, others)
    assert (
        held["reason"],
        await factories.database(service).count("participants", {"facility_id": place.facility_id}),
    ) == ("PEOPLE_GONE", 10)
    shown = await factories.administrator(service).get(f"/v1/facilities/{place.facility_id}")
    changed = await factories.administrator(service).patch(
        f"/v1/facilities/{place.facility_id}",
        json={"roster_mode": "partial"},
        headers={"if-match": shown.headers["etag"]},
    )
    assert changed.status_code == 200
    taken = await bring(place, others | {next(iter(others)): {"Kamar": "Z9"}}, days=2)
    assert taken["counts"] == {"admitted": 10, "release_planned": 10}
    assert (
        await factories.database(service).count(
            "participants", {"facility_id": place.facility_id, "state": "held"}
        )
        == 20
    )


@pytest.mark.scenario("T25/resume")
async def test_an_import_that_is_killed_goes_on_where_it_was_and_moves_everybody_once(
    service: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usecases, "ROWS_PER_CHUNK", 5)
    await _job(service, stop=True)
    place_id = await factories.facility(service, f"UJI-{new_id()[-12:].upper()}")
    refs = [f"{place_id}-{number}" for number in range(30)]
    registry = factories.officer(service, place_id, "registry_operator")
    answer = await registry.post(
        f"/v1/facilities/{place_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        content=factories.rows(place_id, {ref: {} for ref in refs}),
    )
    assert answer.json()["state"] == "APPLYING"
    database = factories.database(service)
    engine = service.app.state.engine
    for _ in range(2):
        await by_itself(service)(usecases.apply_next_chunk)
    assert await database.count("movements", {"facility_id": place_id}) == 10

    async def killed(tx: Transaction) -> None:
        await usecases.apply_next_chunk(tx)
        await tx.flush()
        raise _Killed

    with pytest.raises(_Killed):
        await engine.once(killed, OperationContext(caller=system("training"), correlation_id="x"))
    assert await database.count("movements", {"facility_id": place_id}) == 10
    await _job(service, stop=False)
    done = await factories.applied(registry, answer.json()["snapshot_id"])
    assert done["counts"]["admitted"] == 30
    assert await database.count("movements", {"facility_id": place_id}) == 30
    assert (
        await database.count(
            "outbox", {"facility_id": place_id, "type": "training.participant-admitted.v1"}
        )
        == 30
    )


class _Killed(Exception):
    pass


def by_itself(service: AsgiClient) -> Runner[Transaction]:
    return Runner(
        service.app.state.engine, OperationContext(caller=system("training"), correlation_id="test")
    )


async def _job(service: AsgiClient, *, stop: bool) -> None:
    """Keep the import job from working, or let it work again: the lease is held by another replica meanwhile."""
    database = factories.database(service)
    lease = {"_id": f"job/{usecases.APPLY_JOB}"}
    if stop:
        loop = service.app.state.life.jobs[usecases.APPLY_JOB]
        await eventually(lambda: _free(loop))
        loop._lease._until = 0.0  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as after a pause longer than the lease
        await database.update(
            "leases",
            lease,
            [{"$set": {"holder": "another", "until": {"$add": ["$$NOW", 600_000]}}}],
            upsert=True,
        )
    else:
        await database.update("leases", lease, [{"$set": {"holder": "", "until": "$$NOW"}}])
        service.app.state.life.jobs[usecases.APPLY_JOB].wake()


async def _free(loop: Any) -> bool:
    return bool(loop._lease.held)  # noqa: SLF001


async def test_a_row_that_cannot_be_applied_is_reported_and_takes_no_other_with_it(
    service: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await factories.place(service, [new_id() for _ in range(6)])
    broken = list(place.people)[3]
    applied = usecases.rows.apply_rows

    async def failing(rows: Any, *arguments: Any) -> Any:
        if any(row.source_ref == broken for row in rows):
            raise RuntimeError("a fault nobody expected")
        return await applied(rows, *arguments)

    monkeypatch.setattr(usecases.rows, "apply_rows", failing)
    done = await bring(place, {ref: {"Kamar": "Z9"} for ref in place.people})
    assert done["counts"] == {"details_changed": 5}
    registry = factories.officer(service, place.facility_id, "registry_operator")
    errors = await factories.everything(registry, f"/v1/snapshots/{done['snapshot_id']}/row-errors")
    assert [(error["reason"], error["row"], error["effect"]) for error in errors] == [
        ("ROW_FAILED", 5, "row")
    ]


@pytest.mark.scenario("T2/rerun")
async def test_an_unknown_release_changes_nothing_until_its_word_is_mapped_and_the_row_run_again(
    service: AsgiClient,
) -> None:
    ref, other = new_id(), new_id()
    place = await factories.place(service, [ref, other])
    class_id = await factories.open_class(place)
    enrolment_id = await factories.enrolled(place, class_id, ref)
    before = await factories.types_of(service, place.refs[ref])
    done = await place.list_again(**{ref: {"Ket. Keluar": "XYZ", "Tanggal Keluar": "10/11/2026"}})
    assert done["counts"] == {}
    assert await factories.types_of(service, place.refs[ref]) == before
    registry = factories.officer(service, place.facility_id, "registry_operator")
    (item,) = await factories.everything(registry, "/v1/training-tasks", kind="ROW_STOPPED")
    assert (item["facts"]["raw"], item["facts"]["field"], item["facts"]["source_ref"]) == (
        "XYZ",
        "release",
        ref,
    )
    name = f"/v1/facilities/{place.facility_id}/mapped-values"
    assert (
        await registry.post(name, json={"field": "release", "word": "XYZ", "code": "gone"})
    ).json()["field"] == "code"
    assert (
        await registry.post(name, json={"field": "name", "word": "XYZ", "code": "free"})
    ).json()["field"] == "field"
    assert (
        await registry.post(name, json={"field": "release", "word": "XYZ", "code": "free"})
    ).status_code == 201
    again = await registry.post(f"/v1/snapshots/{done['snapshot_id']}/stopped-rows")
    assert again.json()["released_by_kind"] == {"free": 1}
    assert (await state_of(place, ref))["state"] == "released"
    ended = (await place.officer.get(f"/v1/enrolments/{enrolment_id}")).json()
    assert (ended["state"], ended["end_reason"]) == ("ENDED", "RELEASED")
    assert (await factories.everything(registry, "/v1/training-tasks", kind="ROW_STOPPED"))[0][
        "state"
    ] == "RESOLVED"
    repeated = await registry.post(f"/v1/snapshots/{done['snapshot_id']}/stopped-rows")
    assert repeated.json()["version"] == again.json()["version"]


async def test_an_older_snapshots_stopped_rows_are_not_tried_once_a_newer_list_decides(
    service: AsgiClient,
) -> None:
    place = await factories.place(service, [new_id(), new_id()])
    first = await place.list_again(**{next(iter(place.people)): {"Keberadaan": "Dititip"}})
    await place.list_again(**{next(iter(place.people)): {"Keberadaan": "", "Kamar": "Z9"}})
    registry = factories.officer(service, place.facility_id, "registry_operator")
    answer = await registry.post(f"/v1/snapshots/{first['snapshot_id']}/stopped-rows")
    assert (answer.status_code, answer.json()["code"]) == (409, "snapshot_outdated")


@pytest.mark.scenario("T38/source-reference")
async def test_another_register_under_the_same_source_reference_is_a_change_of_details(
    service: AsgiClient,
) -> None:
    ref = new_id()
    place = await factories.place(service, {ref: {"Gol": "A.III", "No. Reg": "A.III 7/2026"}})
    done = await place.list_again(**{ref: {"Gol": "B.I", "No. Reg": "B.I 9/2026"}})
    assert done["counts"] == {"details_changed": 1}
    (event,) = [
        row
        for row in await factories.events_of(service, place.refs[ref])
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
    ],
)
async def test_a_malformed_upload_names_the_field(
    service: AsgiClient, params: dict[str, str], status: int, field: str
) -> None:
    place = await factories.place(service, [new_id()])
    registry = factories.officer(service, place.facility_id, "registry_operator")
    answer = await registry.post(
        f"/v1/facilities/{place.facility_id}/snapshots", params=params, content=b"x"
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
async def test_a_broken_file_is_set_aside_with_a_reason_and_changes_nothing(
    service: AsgiClient, data: bytes, reason: str
) -> None:
    place = await factories.place(service, [new_id()])
    held = await factories.upload(
        service, place.facility_id, data, (place.taken_at + timedelta(days=1)).isoformat()
    )
    assert (held["state"], held["reason"], held["counts"]) == ("QUARANTINED", reason, {})
    assert held["message"]


async def test_nobody_brings_or_sees_the_files_of_another_facility(service: AsgiClient) -> None:
    place, other = (
        await factories.place(service, [new_id()]),
        await factories.place(service, [new_id()]),
    )
    stranger = factories.officer(service, other.facility_id, "registry_operator")
    params = {"taken_at": "2026-11-20T14:00:00+07:00"}
    assert (
        await stranger.post(
            f"/v1/facilities/{place.facility_id}/snapshots", params=params, content=b"x"
        )
    ).status_code == 404
    assert (await stranger.get(f"/v1/facilities/{place.facility_id}/snapshots")).status_code == 404
    listed = (await place.officer.get(f"/v1/facilities/{place.facility_id}/snapshots")).json()[
        "items"
    ]
    assert (await stranger.get(f"/v1/snapshots/{listed[0]['snapshot_id']}")).status_code == 404
    assert (
        await stranger.get(f"/v1/snapshots/{listed[0]['snapshot_id']}/movements")
    ).status_code == 404


async def test_a_facility_without_a_mapping_is_told_so_before_anything_is_read(
    service: AsgiClient,
) -> None:
    facility_id = await factories.facility(
        service, f"UJI-{new_id()[-12:].upper()}", mapping="TIDAK-ADA"
    )
    answer = await factories.officer(service, facility_id).post(
        f"/v1/facilities/{facility_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        content=b"x",
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "mapping_unknown")


async def test_a_facility_nobody_foresaw_goes_live_by_data_alone(service: AsgiClient) -> None:
    facility_id = await factories.facility(
        service, f"UJI-{new_id()[-12:].upper()}", mapping="TIDAK-ADA"
    )
    tables = factories.mapping("LP-TJP")
    columns = tables["facility"]["columns"] | {"source_ref": "Nomor Baru", "status_note": "Ket."}
    for gone in ("absence", "release"):
        del columns[gone]
    words = {
        word: f"release:{kind}" for word, kind in tables["facility"]["values"]["release"].items()
    }
    body = {
        "facility": tables["facility"]
        | {"delimiter": ",", "columns": columns, "values": {"status_note": words}},
        "common": tables["common"],
    }
    admin, name = factories.administrator(service), f"/v1/facilities/{facility_id}/mappings"
    made = await admin.post(name, json=body)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    heading = ",".join(columns.values()) + ",Kode UPT"
    value = {
        columns["source_ref"]: new_id(),
        columns["name"]: "Uji Coba",
        columns["admission_date"]: "01/02/2026",
        "Ket.": "BM",
        columns["release_date"]: "10/11/2026",
        "Kode UPT": facility_id,
    }
    data = f"{heading}\r\n{','.join(value.get(one, '') for one in heading.split(','))}\r\n".encode(
        "utf-8-sig"
    )
    done = await factories.upload(service, facility_id, data, "2026-11-16T14:00:00+07:00")
    assert (done["state"], done["released_by_kind"]) == ("APPLIED", {"free": 1})
    again = await admin.post(name, json=body, headers={"if-match": "7"})
    assert again.status_code == 412
    bad = [
        ({"encoding": "klingon"}, "mapping_invalid"),
        ({"date_formats": ["yyyy.dd"]}, "mapping_invalid"),
        ({"columns": {"source_ref": "A"}}, "mapping_invalid"),
        ({"values": {"release": {"BM": "bebas"}}}, "code_unknown"),
        ({"values": {"warna": {"BM": "biru"}}}, "field_unknown"),
    ]
    for change, code in bad:
        refused = await admin.post(name, json=body | {"facility": body["facility"] | change})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (await admin.post(name, json={"facility": body["facility"]})).json()["field"] == "common"


async def test_an_upload_with_an_idempotency_key_is_answered_the_same_again(
    service: AsgiClient,
) -> None:
    facility_id = await factories.facility(service, f"UJI-{new_id()[-12:].upper()}")
    registry = factories.officer(service, facility_id, "registry_operator")
    ask = partial(
        registry.post,
        f"/v1/facilities/{facility_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        headers={"idempotency-key": "k1"},
    )
    data = factories.rows(facility_id, {new_id(): {}})
    first, second = await ask(content=data), await ask(content=data)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["snapshot_id"] == second.json()["snapshot_id"]
    assert (await ask(content=b"lain")).json()["code"] == "idempotency_key_reused"


@pytest.mark.scenario("T26/effects")
async def test_missing_without_evidence_rests_the_enrolment_asks_at_the_third_list_and_is_settled_by_the_next_sight(
    service: AsgiClient,
) -> None:
    ref = new_id()
    place = await factories.place(service, [ref, *[new_id() for _ in range(10)]])
    enrolment_id = await factories.enrolled(place, await factories.open_class(place), ref)
    row = dict(place.people[ref])

    async def now() -> tuple[str, str, list[str]]:
        items = await factories.everything(place.officer, "/v1/training-tasks", kind="MISSING")
        return (
            (await state_of(place, ref))["state"],
            (await place.officer.get(f"/v1/enrolments/{enrolment_id}")).json()["state"],
            [item["state"] for item in items],
        )

    await place.list_again(**{ref: None})
    assert await now() == ("missing", "AUTO_SUSPENDED", [])
    await place.list_again(**{next(iter(place.people)): {"Kamar": "Z1"}})
    assert await now() == ("missing", "AUTO_SUSPENDED", [])
    await place.list_again(**{next(iter(place.people)): {"Kamar": "Z2"}})
    assert await now() == ("missing", "AUTO_SUSPENDED", ["OPEN"])
    await place.list_again(**{ref: row})
    assert await now() == ("held", "ACTIVE", ["RESOLVED"])
    types = await factories.types_of(service, place.refs[ref])
    assert types == [
        "participant-admitted",
        "release-planned",
        "participant-enrolled",
        "enrolment-suspended",
        "enrolment-resumed",
    ]
