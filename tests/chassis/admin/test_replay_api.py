"""The operator routes over HTTP: replays, the outbox and the topic."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.admin import replay
from chassis.ids import new_id, utc_now
from tests.chassis.admin.operator_shop import (
    UNLUCKY,
    OperatorHarness,
    all_sent,
    serve_shop,
    stopped_keys,
)
from tests.fakes import eventually

shop = pytest.fixture(scope="module", params=["fake", "kafka-pymongo"])(serve_shop)
only_fake = pytest.mark.parametrize("shop", ["fake"], indirect=True)


async def test_readers_of_a_replay_apply_only_what_is_new_to_them(
    shop: OperatorHarness,
) -> None:
    owner = new_id()
    began = utc_now()
    await shop.filled(owner, 2, 3)
    await shop.heard(owner, "2", "3")
    await shop.sent(owner, 2)
    would = await shop.post("/replay", shop.stretch(owner, began, dry_run=True))
    assert (would["total"], would["published"], would["next_cursor"], len(would["events"])) == (
        2,
        0,
        None,
        2,
    )
    about = {"topic": would["topic"], "events": [*would["events"], [new_id(), "shop.nothing.v1"]]}
    assert await shop.post("/event-status", about) == {
        "done": 2,
        "parked": 0,
        "early": 0,
        "discarded": 0,
        "new": 0,
        "unread": 1,
    }

    done = await shop.post("/replay", shop.stretch(owner, began))
    assert done["published"] == 2
    await shop.filled(owner, 4)
    await shop.heard(owner, "2", "3", "4")
    await shop.sent(owner, 3)

    [(first, _), _] = would["events"]
    await shop.db.delete("inbox", {"_id": first})  # as if this consumer had never received it
    assert (await shop.post("/event-status", about))["new"] == 1
    await shop.post("/replay", shop.stretch(owner, began, cursor=None))
    await shop.heard(owner, "2", "3", "4", "2")
    [row, _] = await shop.audited("events.replayed", would["topic"])
    assert (row["key"], row["events"]) == (owner, 2)


@only_fake
async def test_a_replay_goes_on_page_by_page_in_the_order_of_the_key(
    shop: OperatorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = new_id()
    began = utc_now()
    await shop.filled(owner, 2, 3, 2, 3)
    await shop.heard(owner, "2", "3", "2", "3")
    await shop.sent(owner, 4)
    monkeypatch.setattr(replay, "PAGE", 3)
    body = shop.stretch(owner, began)
    first = await shop.post("/replay", body)
    assert (first["total"], first["published"]) == (4, 3)
    second = await shop.post("/replay", body | {"cursor": first["next_cursor"]})
    assert (second["total"], second["published"], second["next_cursor"]) == (None, 1, None)
    sequences = [
        dict(record.headers)["ce_sequence"]
        for record in shop.fake.records(first["topic"])
        if record.key == owner.encode()
    ]
    assert sequences == [b"1", b"2", b"3", b"4"] * 2


async def test_a_replay_leaves_a_parked_event_parked(shop: OperatorHarness) -> None:
    owner = new_id()
    began = utc_now()
    await shop.filled(owner, UNLUCKY, 2)
    sequence = await shop.waiting(owner, 2)
    await shop.sent(owner, 2)
    before = await shop.version(sequence)
    would = await shop.post("/replay", shop.stretch(owner, began, dry_run=True))
    assert (await shop.post("/event-status", {"topic": would["topic"], "events": would["events"]}))[
        "parked"
    ] == 2
    assert (await shop.post("/replay", shop.stretch(owner, began)))["published"] == 2
    await shop.filled(owner, 3)
    assert await shop.waiting(owner, 3) == sequence
    assert await shop.version(sequence) == f'"{int(before.strip(chr(34))) + 1}"'


async def test_a_replay_reaches_no_further_back_than_readers_remember(
    shop: OperatorHarness,
) -> None:
    refused = await shop.post(
        "/replay", shop.stretch("k", utc_now() - timedelta(days=45)), expect=422
    )
    assert (refused["code"], refused["field"]) == ("too_long_ago", "from")
    assert refused["detail"].startswith("Paling awal ")
    assert (await shop.post("/replay", shop.stretch("k", utc_now() - timedelta(days=43))))[
        "total"
    ] == 0


async def test_following_a_topic_is_audited(shop: OperatorHarness) -> None:
    answer = await shop.get("/topic")
    assert answer == {"topic": shop.life.relay.topic}
    assert await shop.audited("events.followed", answer["topic"])


@only_fake
async def test_without_a_broker_the_outbox_is_listed_and_a_replay_refused(
    shop: OperatorHarness,
) -> None:
    owner = new_id()
    began = utc_now()
    await shop.filled(owner, 2)
    await eventually(lambda: all_sent(shop))
    shop.fake.away = True
    try:
        await shop.filled(owner, 3, 4)
        pages = [await shop.get("/outbox?limit=1")]
        while pages[-1]["next_cursor"]:
            pages.append(await shop.get(f"/outbox?limit=1&cursor={pages[-1]['next_cursor']}"))
        # The sealer of the audit may add a row of its own key at any moment.
        assert pages[0]["unsent"] >= 2
        assert {len(page["items"]) for page in pages} == {1}
        waiting = [page["items"][0] for page in pages]
        assert [row["seq"] for row in waiting if row["key"] == owner] == [2, 3]
        assert (await shop.post("/replay", shop.stretch(owner, began, dry_run=True)))["total"] == 1
        assert (await shop.post("/replay", shop.stretch(owner, began), expect=503))[
            "code"
        ] == "busy"
    finally:
        shop.fake.away = False
    await shop.heard(owner, "2", "3", "4")
    await eventually(lambda: all_sent(shop))


@only_fake
async def test_a_blocked_key_is_shown_as_parked_and_a_retry_sends_it(
    shop: OperatorHarness,
) -> None:
    owner = new_id()
    shop.fake.refuses = lambda value: owner.encode() in value
    try:
        await shop.filled(owner, 2)
        sequence = await shop.waiting(owner, 1)
    finally:
        shop.fake.refuses = lambda _: False
    shown = await shop.get(f"/parked/{sequence}")
    [letter] = shown["letters"]
    assert (
        shown["kind"],
        letter["type"],
        letter["body"]["owner_ref"],
        letter["body"]["marbles"],
    ) == ("outbox", "shop.jar-filled.v1", owner, 2)
    assert (
        shown["what"]
        == letter["what"]
        == "Kafka menolak peristiwa ini, biasanya karena terlalu besar."
    )
    assert (await shop.get("/outbox"))["stopped_keys"] == 1
    await eventually(lambda: stopped_keys(1))
    version = f'"{shown["version"]}"'
    await shop.post(
        f"/parked/{sequence}/discard",
        {"event_id": letter["id"], "reason": "isinya rusak"},
        if_match=version,
        expect=404,
    )
    assert (await shop.post(f"/parked/{sequence}/retry", if_match=version))["count"] == 0
    await shop.heard(owner, "2")
    await eventually(lambda: stopped_keys(0))
