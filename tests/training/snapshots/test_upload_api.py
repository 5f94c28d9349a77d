"""Resumable uploads of snapshots: the protocol, scopes, and the snapshot at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from chassis.errors import PROBLEM
from chassis.files.upload_rules import PART_BYTES
from chassis.ids import new_id
from tests.fakes import AsgiClient, eventually
from tests.training import factories
from tests.training.factories import FacilityHarness
from tests.training.snapshot_files import snapshot_file
from tests.training.snapshots import tus_client

TAKEN_AT = "2026-11-16T14:00:00+07:00"


async def new_facility(service: AsgiClient) -> tuple[AsgiClient, str]:
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    return factories.officer(service, facility_id, "registry_operator"), facility_id


def list_of(facility_id: str, people: int = 30) -> bytes:
    refs = [f"R-{number}" for number in range(people)]
    return snapshot_file(facility_id, {ref: {"ID WBP": f"{facility_id}-{ref}"} for ref in refs})


async def stored_parts(client: AsgiClient, path: str) -> list[dict[str, Any]]:
    upload_id = path.rpartition("/")[2]
    return await factories.database(client).find(
        "files.chunks", {"files_id": {"$regex": f"^{upload_id}/"}}
    )


async def test_an_upload_in_pieces_becomes_the_snapshot_of_its_bytes(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    data = list_of(facility_id)
    path = await tus_client.begun(registry, facility_id, len(data), TAKEN_AT)
    answer: Any = None
    for start in range(0, len(data), 1000):
        answer = await tus_client.send(registry, path, start, data[start : start + 1000])
        assert answer.status_code == 204, answer.text
        assert answer.headers["tus-resumable"] == "1.0.0"
        end = min(start + 1000, len(data))
        assert answer.headers["upload-offset"] == str(end)
        assert await tus_client.offset_of(registry, path) == end
    shown = (await registry.get(path)).json()
    snapshot = shown["snapshot"]
    assert answer.headers["link"] == f'</v1/snapshots/{snapshot["snapshot_id"]}>; rel="related"'
    applied = await factories.wait_until_applied(registry, snapshot["snapshot_id"])
    assert (applied["row_count"], applied["counts"]["admitted"]) == (30, 30)


async def test_a_complete_file_leaves_the_store_and_its_row_answers(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    data = list_of(facility_id)
    path = await tus_client.begun(registry, facility_id, len(data), TAKEN_AT)
    await tus_client.send(registry, path, 0, data[:-1])
    assert await stored_parts(service, path)
    await tus_client.send(registry, path, len(data) - 1, data[-1:])

    async def is_swept() -> bool:
        return not await stored_parts(service, path)

    await eventually(is_swept)
    assert await tus_client.offset_of(registry, path) == len(data)
    again = await tus_client.send(registry, path, len(data), b"")
    assert (again.status_code, again.headers["upload-offset"]) == (204, str(len(data)))


async def test_stored_parts_are_encrypted(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    data = list_of(facility_id, 20_000)
    assert len(data) > 2 * PART_BYTES
    path = await tus_client.begun(registry, facility_id, len(data) + 1, TAKEN_AT)
    answer = await tus_client.send(registry, path, 0, data)
    assert answer.status_code == 204, answer.text
    parts = await stored_parts(service, path)
    assert len(parts) == len(data) // PART_BYTES + 1
    word = facility_id.encode()
    assert word in data
    assert not any(word in part["data"] for part in parts)


async def test_refusals_of_the_protocol_keep_the_upload(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    path = await tus_client.begun(registry, facility_id, 10, TAKEN_AT)
    await tus_client.send(registry, path, 0, b"1234")
    refused = {
        "offset": await tus_client.send(registry, path, 3, b"x"),
        "beyond": await tus_client.send(registry, path, 4, b"1234567"),
        "version": await tus_client.send(registry, path, 4, b"x", **{"tus-resumable": "0.2.2"}),
        "type": await tus_client.send(registry, path, 4, b"x", **{"content-type": "text/csv"}),
        "number": await tus_client.send(registry, path, 4, b"x", **{"upload-offset": "-4"}),
    }
    assert {name: answer.status_code for name, answer in refused.items()} == {
        "offset": 409,
        "beyond": 413,
        "version": 412,
        "type": 415,
        "number": 400,
    }
    assert {answer.headers["content-type"] for answer in refused.values()} == {PROBLEM}
    assert {answer.headers["tus-resumable"] for answer in refused.values()} == {"1.0.0"}
    assert refused["offset"].json()["offset"] == 4
    assert refused["version"].headers["tus-version"] == "1.0.0"
    assert await tus_client.offset_of(registry, path) == 4


async def test_a_body_of_unknown_length_beyond_the_upload_is_413(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    path = await tus_client.begun(registry, facility_id, 10, TAKEN_AT)

    async def too_much() -> AsyncGenerator[bytes]:
        yield b"12345678"
        yield b"9012"

    answer = await tus_client.send(registry, path, 0, too_much())
    assert answer.status_code == 413
    assert await tus_client.offset_of(registry, path) == 0


async def test_an_upload_that_cannot_be_begun_is_refused(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    begin = tus_client.begin
    refused = {
        "large": await begin(registry, facility_id, 20 * 1024 * 1024 + 1, TAKEN_AT),
        "empty": await begin(registry, facility_id, 0, TAKEN_AT),
        "length": await begin(registry, facility_id, -1, TAKEN_AT),
        "future": await begin(registry, facility_id, 10, "2099-01-01T00:00:00Z"),
        "no time": await begin(registry, facility_id, 10, ""),
        "metadata": await begin(registry, facility_id, 10, TAKEN_AT, **{"upload-metadata": "a %"}),
        "version": await begin(registry, facility_id, 10, TAKEN_AT, **{"tus-resumable": "2.0.0"}),
    }
    assert {name: answer.status_code for name, answer in refused.items()} == {
        "large": 413,
        "empty": 422,
        "length": 400,
        "future": 422,
        "no time": 422,
        "metadata": 400,
        "version": 412,
    }
    assert refused["future"].json()["field"] == "taken_at"
    assert refused["no time"].json()["field"] == "taken_at"
    assert all(answer.headers["tus-resumable"] == "1.0.0" for answer in refused.values())


async def test_a_stranger_sees_an_upload_as_an_unknown_one(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    path = await tus_client.begun(registry, facility_id, 10, TAKEN_AT)
    unknown = f"/v1/snapshot-uploads/{new_id()}"
    stranger, _ = await new_facility(service)
    for headers in (tus_client.VERSION, {}):
        foreign = await stranger.get(path, headers=headers)
        missing = await stranger.get(unknown, headers=headers)
        assert _plain(foreign) == _plain(missing)
        assert foreign.status_code == 404
    foreign = await tus_client.send(stranger, path, 0, b"x")
    missing = await tus_client.send(stranger, unknown, 0, b"x")
    assert (foreign.status_code, _plain(foreign)) == (404, _plain(missing))
    assert (await tus_client.begin(stranger, facility_id, 10, TAKEN_AT)).status_code == 404
    assert await tus_client.offset_of(registry, path) == 0


async def test_a_colleague_of_the_facility_continues_an_upload(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    path = await tus_client.begun(registry, facility_id, 10, TAKEN_AT)
    colleague = registry.by("user-colleague")
    assert (await tus_client.send(colleague, path, 0, b"x")).status_code == 204
    row = await factories.database(service).find_one("uploads", {"_id": path.rpartition("/")[2]})
    assert row
    assert row["put_by"] == registry.caller.subject


async def test_one_of_two_patches_at_once_wins(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    path = await tus_client.begun(registry, facility_id, 1000, TAKEN_AT)
    answers = await asyncio.gather(
        *(tus_client.send(registry, path, 0, bytes([65 + n]) * 100) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409]
    assert await tus_client.offset_of(registry, path) == 100
    assert len(await stored_parts(service, path)) == 1


async def test_two_last_patches_at_once_make_one_snapshot(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    data = list_of(facility_id)
    path = await tus_client.begun(registry, facility_id, len(data), TAKEN_AT)
    answers = await asyncio.gather(*(tus_client.send(registry, path, 0, data) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409]
    count = await factories.database(service).count("snapshots", {"facility_id": facility_id})
    assert count == 1


async def test_a_repeated_creation_under_its_key_gives_the_same_upload(
    service: AsgiClient,
) -> None:
    registry, facility_id = await new_facility(service)
    key = {"idempotency-key": new_id()}
    first = await tus_client.begin(registry, facility_id, 10, TAKEN_AT, **key)
    again = await tus_client.begin(registry, facility_id, 10, TAKEN_AT, **key)
    other = await tus_client.begin(registry, facility_id, 11, TAKEN_AT, **key)
    assert first.headers["location"] == again.headers["location"]
    assert (again.status_code, other.status_code) == (201, 409)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_uploads_without_end_are_refused(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    begun = [await tus_client.begin(registry, facility_id, 10, TAKEN_AT) for _ in range(21)]
    assert [answer.status_code for answer in begun] == [201] * 20 + [409]


async def test_bytes_of_the_last_accepted_list_are_a_sign_of_life(service: AsgiClient) -> None:
    facility: FacilityHarness = await factories.create_harness(service, ["R-1", "R-2"])
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    data = snapshot_file(facility.facility_id, facility.people)
    later = (facility.taken_at + timedelta(hours=1)).isoformat()
    path = await tus_client.begun(registry, facility.facility_id, len(data), later)
    assert (await tus_client.send(registry, path, 0, data)).status_code == 204
    database = factories.database(service)
    assert await database.count("snapshots", {"facility_id": facility.facility_id}) == 1
    assert (await registry.get(path)).json()["snapshot"]["state"] == "APPLIED"


async def test_a_file_that_is_no_sheet_is_refused_and_not_kept(service: AsgiClient) -> None:
    registry, facility_id = await new_facility(service)
    path = await tus_client.begun(registry, facility_id, 20, TAKEN_AT)
    answer = await tus_client.send(registry, path, 0, b"%PDF-1.7 0123456789 ")
    assert (answer.status_code, answer.json()["code"]) == (422, "file_type_refused")
    assert (await registry.get(path)).status_code == 404

    async def is_swept() -> bool:
        return not await stored_parts(service, path)

    await eventually(is_swept)
    assert await factories.database(service).count("snapshots", {"facility_id": facility_id}) == 0


def _plain(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}
