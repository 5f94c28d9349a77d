"""A service over HTTP on real servers: commits, repeats, versions, scopes, problems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.admin.audit_export.verification import verify
from chassis.ids import new_id
from tests.chassis.sample_service import ShopSettings, create_app
from tests.fakes import AsgiClient, Keys, eventually, running

DRIVERS = ("motor", "pymongo")


@pytest.fixture(params=DRIVERS)
async def shop(
    request: pytest.FixtureRequest, tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncIterator[AsgiClient]:
    keys = Keys.make(tmp_path, ("gateway", "shop", "training", "manpower"))
    settings = ShopSettings(
        **keys.settings(
            "shop",
            mongo_url=mongo_url,
            database=database,
            kafka=kafka,
            namespace=f"{new_id()}.",
            driver=request.param,
        )
    )
    async with running(create_app(settings), keys, "shop") as client:
        yield client.as_("keeper", facility="north")


async def make(shop: AsgiClient, **more: str) -> str:
    jar_id = new_id()
    answer = await shop.post(
        "/v1/jars", json={"id": jar_id, "owner_ref": new_id(), "room": "north"} | more
    )
    assert answer.status_code == 201, answer.text
    return jar_id


async def test_an_answer_means_committed_state_event_and_audit_row(shop: AsgiClient) -> None:
    jar_id = await make(shop)
    answer = await shop.post(f"/v1/jars/{jar_id}/fillings", json={"marbles": 3})
    assert answer.json() == {"id": jar_id, "marbles": 3, "version": 2}
    db = shop.app.state.life.db
    assert (await db.find_one("jars", {"_id": jar_id}))["marbles"] == 3
    [row] = await db.find("outbox", {"aggregate_id": jar_id})
    assert (row["seq"], row["type"], row["actor_role"]) == (1, "shop.jar-filled.v1", "keeper")
    rows = await db.find("audit", {"subject": jar_id}, sort=[("_id", 1)])
    assert [(one["action"], one["actor"], one["version"]) for one in rows] == [
        ("jars.added", "user-keeper", 1),
        ("jars.changed", "user-keeper", 2),
    ]
    assert rows[1]["values"] == {"marbles": [0, 3]}
    assert await eventually(lambda: db.find("outbox", {"aggregate_id": jar_id, "sent": True}))


async def test_a_refused_command_leaves_nothing(shop: AsgiClient) -> None:
    jar_id = await make(shop)
    answer = await shop.post(f"/v1/jars/{jar_id}/fillings", json={"marbles": 11})
    assert (answer.status_code, answer.json()["code"], answer.json()["marbles"]) == (
        409,
        "jar_full",
        0,
    )
    assert answer.headers["content-type"] == "application/problem+json"
    assert await shop.app.state.life.db.find("outbox", {"aggregate_id": jar_id}) == []


async def test_twenty_parallel_requests_of_one_key_take_effect_once(
    shop: AsgiClient,
) -> None:
    jar_id = await make(shop)
    path = f"/v1/jars/{jar_id}/fillings"
    headers = {"idempotency-key": new_id()}
    answers = await asyncio.gather(
        *(shop.post(path, json={"marbles": 2}, headers=headers) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert (await shop.get(f"/v1/jars/{jar_id}")).json()["marbles"] == 2
    other = await shop.post(path, json={"marbles": 3}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_a_failed_command_is_not_remembered_under_its_key(shop: AsgiClient) -> None:
    jar_id = await make(shop)
    path = f"/v1/jars/{jar_id}/fillings"
    headers = {"idempotency-key": new_id()}
    assert (await shop.post(path, json={"marbles": 0}, headers=headers)).status_code == 422
    assert (await shop.post(path, json={"marbles": 1}, headers=headers)).status_code == 200


async def test_if_match_of_another_version_is_412_and_of_this_one_is_taken(
    shop: AsgiClient,
) -> None:
    jar_id = await make(shop)
    assert (await shop.get(f"/v1/jars/{jar_id}")).headers["etag"] == '"1"'
    stale = await shop.post(
        f"/v1/jars/{jar_id}/fillings", json={"marbles": 1}, headers={"if-match": '"7"'}
    )
    assert (stale.status_code, stale.json()["current_version"]) == (412, 1)
    assert (
        await shop.post(
            f"/v1/jars/{jar_id}/fillings", json={"marbles": 1}, headers={"if-match": '"1"'}
        )
    ).status_code == 200
    assert (
        await shop.post(
            f"/v1/jars/{jar_id}/fillings", json={"marbles": 1}, headers={"if-match": "x"}
        )
    ).status_code == 400


async def test_other_rooms_are_as_unknown_as_what_does_not_exist(shop: AsgiClient) -> None:
    jar_id = await make(shop)
    stranger = shop.as_("keeper", facility="south")
    nobody = shop.as_("keeper")
    all_seeing = shop.as_("keeper", facility="*")
    foreign = await stranger.get(f"/v1/jars/{jar_id}")
    unknown = await stranger.get(f"/v1/jars/{new_id()}")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert {**foreign.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert (
        (await stranger.get("/v1/jars")).json()["items"]
        == (await nobody.get("/v1/jars")).json()["items"]
        == []
    )
    assert (await nobody.get(f"/v1/jars/{jar_id}")).status_code == 404
    assert (await all_seeing.get(f"/v1/jars/{jar_id}")).status_code == 200
    assert (
        await stranger.post("/v1/jars", json={"id": new_id(), "owner_ref": "x", "room": "north"})
    ).status_code == 404


async def test_missing_tokens_permissions_and_purposes_are_refused(
    shop: AsgiClient,
) -> None:
    jar_id = await make(shop)
    assert (await shop.request("GET", "/v1/jars", token="")).status_code == 401
    assert (await shop.request("GET", "/v1/jars", token="x.y.z")).status_code == 401
    reader = shop.as_("keeper", permissions=["GET /v1/jars"], facility="north")
    assert (await reader.get("/v1/jars")).status_code == 200
    assert (await reader.post("/v1/jars", json={})).status_code == 403
    path = f"/internal/jars/{jar_id}"
    assert (await shop.get(path)).status_code == 401
    assert (await shop.asked_by("training", "GET", path, purpose="count")).status_code == 200
    assert (await shop.asked_by("training", "GET", path, purpose="other")).status_code == 403
    assert (await shop.asked_by("manpower", "GET", path, purpose="count")).status_code == 403


async def test_a_malformed_request_names_its_fields_in_indonesian(shop: AsgiClient) -> None:
    answer = await shop.post("/v1/jars", json={"id": "a", "room": "north", "colour": "red"})
    assert answer.status_code == 422
    assert {(one["field"], one["message"]) for one in answer.json()["errors"]} == {
        ("owner_ref", "wajib diisi"),
        ("colour", "tidak dikenal"),
    }
    broken = await shop.post("/v1/jars", content=b"{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed")
    assert (await shop.get("/v1/jars?limit=0")).json()["field"] == "limit"
    assert (await shop.get("/v1/jars?cursor=abc")).json()["code"] == "cursor_invalid"


async def test_pages_show_each_once_in_order(shop: AsgiClient) -> None:
    made = [await make(shop) for _ in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page = (
            await shop.get("/v1/jars", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        ).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    assert len(seen) == 7


async def test_a_contended_jar_takes_exactly_what_fits_from_fifty_at_once(
    shop: AsgiClient,
) -> None:
    jar_id = await make(shop)
    answers = await asyncio.gather(
        *(shop.post(f"/v1/jars/{jar_id}/fillings", json={"marbles": 1}) for _ in range(50))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 40


async def test_a_second_of_a_unique_label_is_a_conflict(shop: AsgiClient) -> None:
    await make(shop, label="red")
    answer = await shop.post(
        "/v1/jars", json={"id": new_id(), "owner_ref": "x", "room": "north", "label": "red"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate")


async def test_audit_rows_are_sealed_and_an_altered_removed_or_late_row_is_named(
    shop: AsgiClient,
) -> None:
    jar_id = await make(shop)
    life = shop.app.state.life
    key = bytes.fromhex("11" * 32)
    await eventually(lambda: life.db.find("audit", {"subject": jar_id, "block": {"$gt": 0}}))
    assert await verify(life.db, key, {}, life.engine.clock()) == []
    [row] = await life.db.find("audit", {"subject": jar_id})
    await life.db.update("audit", {"_id": row["_id"]}, {"$set": {"actor": "somebody else"}})
    assert [
        (found.row, found.what) for found in await verify(life.db, key, {}, life.engine.clock())
    ] == [(row["_id"], "row altered")]
    await life.db.delete("audit", {"_id": row["_id"]})
    assert [
        (found.row, found.what) for found in await verify(life.db, key, {}, life.engine.clock())
    ] == [(row["_id"], "row removed")]
    assert (await verify(life.db, b"other", {}, life.engine.clock()))[
        0
    ].what == "block altered: its digest does not fit"
