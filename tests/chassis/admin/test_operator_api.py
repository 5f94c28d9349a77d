"""The operator routes over HTTP: parked sequences and lag.

They run on a real MongoDB, with a real Kafka and with the fake. Not here: replays and the outbox.
"""

from __future__ import annotations

from typing import Any

import pytest

from chassis.admin.parked_event_admin import encode_segment
from chassis.ids import new_id
from chassis.messaging import parked_events
from tests.chassis.admin.operator_shop import (
    ROOT,
    OperatorHarness,
    serve_shop,
)
from tests.fakes import eventually, routes

shop = pytest.fixture(scope="module", params=["fake", "kafka-pymongo"])(serve_shop)


async def test_a_parked_sequence_is_explained_in_words_and_redacted(
    shop: OperatorHarness,
) -> None:
    owner, sequence = await shop.stuck("poison of Budi Santoso", "b")
    other, _ = await shop.stuck("poison")
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while cursor is not None:
        page = await shop.get(f"/parked?limit=1{f'&cursor={cursor}' if cursor else ''}")
        assert len(page["items"]) == 1
        found |= {item["key"]: item for item in page["items"]}
        cursor = page["next_cursor"]
    assert {owner, other} <= found.keys()
    listed = found[owner]
    assert (listed["sequence"], listed["count"], listed["reason"], listed["type"]) == (
        sequence,
        2,
        "jar_full",
        "outside.note-told.v1",
    )
    assert listed["what"] == "Ditolak oleh aturan layanan: Stoples penuh."
    assert listed["todo"]

    shown = await shop.get(f"/parked/{sequence}")
    first, second = shown["letters"]
    assert {**first["body"]} == {"owner_ref": owner, "text": "…"}
    assert (second["reason"], second["what"]) == (
        "waits behind an earlier event of its key",
        "Menunggu peristiwa sebelumnya dengan kunci yang sama.",
    )
    assert "Budi" not in str(shown)
    assert "Budi" not in str(found)
    marker = f"{shop.life.inbox.topics[0]}/{owner}"
    assert await shop.audited("parked.shown", marker)
    assert any(marker in row["sequences"] for row in await shop.audited("parked.listed", "shop"))


async def test_a_retry_that_fails_changes_nothing_and_says_so(shop: OperatorHarness) -> None:
    owner, sequence = await shop.stuck("poison", "b")
    version = await shop.version(sequence)
    tried = await shop.post(f"/parked/{sequence}/retry", if_match=version)
    assert (tried["took_effect"], tried["count"], tried["reason"], tried["more"]) == (
        0,
        2,
        "jar_full",
        False,
    )
    assert await shop.texts(owner) == []
    old = await shop.post(f"/parked/{sequence}/retry", if_match=version, expect=412)
    assert (old["code"], old["current_version"]) == ("version_differs", tried["version"])
    assert (await shop.post(f"/parked/{sequence}/retry", expect=428))["code"] == "version_required"


async def test_after_a_discard_the_rest_takes_effect_once_in_order(
    shop: OperatorHarness,
) -> None:
    owner, sequence = await shop.stuck("poison", "a", "b")
    path = f"/parked/{sequence}"
    [bad, *_] = (await shop.get(path))["letters"]
    version = await shop.version(sequence)
    assert (
        await shop.post(
            f"{path}/discard",
            {"event_id": bad["id"], "reason": " salah     "},
            if_match=version,
            expect=422,
        )
    )["field"] == "reason"
    given_up = await shop.post(
        f"{path}/discard", {"event_id": bad["id"], "reason": "salah kirim"}, if_match=version
    )
    assert (given_up["count"], given_up["todo"]) == (2, "Ulangi urutan ini.")
    assert await shop.texts(owner) == []
    [row] = await shop.audited("parked.discarded", bad["id"])
    assert row["reason"] == "salah kirim"

    version = await shop.version(sequence)
    key = new_id()
    done = await shop.post(f"{path}/retry", if_match=version, idempotency_key=key)
    again = await shop.post(f"{path}/retry", if_match=version, idempotency_key=key)
    assert (done["took_effect"], done["count"], done["version"]) == (2, 0, 0)
    assert again == done | {"took_effect": None}
    assert (
        len(await shop.audited("parked.retried", f"{shop.life.inbox.topics[0]}/{owner}")) == 2
    )  # one for each event's transaction, none for the repeated request
    await shop.note(owner, "c")
    await shop.heard(owner, "a", "b", "c")
    assert (await shop.post(f"{path}/retry", if_match=version, expect=404))[
        "code"
    ] == "parked_unknown"


async def test_a_dry_run_shows_the_result_and_changes_nothing(shop: OperatorHarness) -> None:
    owner, sequence = await shop.stuck("poison", "a", "b")
    path = f"/parked/{sequence}"
    before = await shop.get(path)
    [bad, *_] = before["letters"]
    command = {"event_id": bad["id"], "reason": "percobaan saja"}
    assert (
        await shop.post(f"{path}/discard?dry_run=true", command, if_match=f'"{before["version"]}"')
    )["count"] == 2
    assert (await shop.post(f"{path}/retry?dry_run=true", if_match=f'"{before["version"]}"'))[
        "reason"
    ] == "jar_full"
    assert await shop.get(path) == before
    after = await shop.post(f"{path}/discard", command, if_match=f'"{before["version"]}"')
    would = await shop.post(
        f"{path}/retry?dry_run=true", if_match=f'"{after["version"]}"', idempotency_key=new_id()
    )
    assert (would["took_effect"], would["count"]) == (2, 0)
    assert await shop.texts(owner) == []
    assert await shop.audited("parked.retried", f"{shop.life.inbox.topics[0]}/{owner}") == []
    assert (await shop.post(f"{path}/retry", if_match=f'"{after["version"]}"'))["took_effect"] == 2


async def test_a_long_sequence_is_retried_in_parts_that_say_if_more_follows(
    shop: OperatorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, sequence = await shop.stuck("poison", "a", "b")
    path = f"/parked/{sequence}"
    seen = await shop.get(path)
    after = await shop.post(
        f"{path}/discard",
        {"event_id": seen["letters"][0]["id"], "reason": "percobaan saja"},
        if_match=f'"{seen["version"]}"',
    )
    monkeypatch.setattr(parked_events, "MAX_RETRIES", 1)
    answer: list[tuple[int, bool]] = []
    while after["count"]:
        after = await shop.post(f"{path}/retry", if_match=f'"{after["version"]}"')
        answer.append((after["took_effect"], after["more"]))
    assert answer == [(1, True), (1, False)]
    assert await shop.texts(owner) == ["a", "b"]


async def test_a_record_without_an_id_is_named_by_its_place_and_can_be_discarded(
    shop: OperatorHarness,
) -> None:
    owner = await shop.admitted()
    await shop.tell("outside.note-told.v1", owner, drop="ce_id", body=b"{", owner_ref=owner)
    sequence = await shop.waiting(owner, 1)
    shown = await shop.get(f"/parked/{sequence}")
    [letter] = shown["letters"]
    assert (letter["reason"], letter["what"], letter["body"]) == (
        "header missing: ce_id",
        "Kepala (header) peristiwa ini rusak.",
        {},
    )
    assert letter["id"].startswith(shop.life.inbox.topics[0])
    gone = await shop.post(
        f"/parked/{sequence}/discard",
        {"event_id": letter["id"], "reason": "isinya rusak"},
        if_match=f'"{shown["version"]}"',
    )
    assert gone["count"] == 0
    await shop.note(owner, "flows")
    await shop.heard(owner, "flows")


@pytest.mark.parametrize("sequence", [encode_segment("outside.events/nobody"), "_", "%C3%A9"])
async def test_an_unknown_sequence_is_404_to_show_retry_and_discard(
    shop: OperatorHarness, sequence: str
) -> None:
    assert (await shop.operator.get(f"{ROOT}/parked/{sequence}")).status_code == 404
    assert (await shop.post(f"/parked/{sequence}/retry", if_match='"1"', expect=404))[
        "title"
    ] == "Tidak ada peristiwa yang tertahan dengan kunci ini"
    await shop.post(
        f"/parked/{sequence}/discard",
        {"event_id": "x", "reason": "isinya rusak"},
        if_match='"1"',
        expect=404,
    )


async def test_no_route_of_operations_is_open_without_a_token_or_a_permission(
    shop: OperatorHarness,
) -> None:
    walked: list[tuple[str, str]] = []
    for route in routes(shop.client.app):
        if route.path.startswith(ROOT):
            path = route.path.format(sequence="x", projection="x")
            walked += [(method, path) for method in route.methods or ()]
    assert len(walked) == 10
    nobody = shop.client.as_("officer", permissions=())
    for method, path in walked:
        assert (await nobody.request(method, path, token="")).status_code == 401, path
        assert (
            await nobody.request(method, path, headers={"if-match": '"1"'})
        ).status_code == 403, path


async def test_the_lag_shows_the_position_in_each_partition(shop: OperatorHarness) -> None:
    owner = await shop.admitted()
    await shop.heard(owner)
    answer = await eventually(shop.measured_lag)
    assert {one["topic"] for one in answer["partitions"]} == set(shop.life.inbox.topics)
    assert (
        stored := {
            f"shop/{one['topic']}/{one['partition']}": one["next"]
            for one in answer["partitions"]
            if one["next"] is not None
        }
    )
    assert (
        stored.items()
        <= {row["_id"]: row["next"] for row in await shop.db.find("offsets", {})}.items()
    )
    assert answer["behind"] == sum(one["behind"] for one in answer["partitions"])
