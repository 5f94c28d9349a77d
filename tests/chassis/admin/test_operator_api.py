"""What an operator asks of a service over HTTP.

Parked sequences, lag, outbox, replay; on real MongoDB, with real Kafka and with the fake.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from chassis import telemetry
from chassis.admin import operator_api, replay
from chassis.admin.parked_event_admin import encode_segment
from chassis.admin.projections import Projection
from chassis.app.factory import create_app
from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.ids import new_id, utc_now
from chassis.messaging import parked_events
from chassis.messaging.events import Inbound, Reference
from tests.chassis.messaging.test_pipeline import Outside
from tests.chassis.sample_service import (
    HANDLERS,
    JarFilled,
    Note,
    Notes,
    ShopSettings,
    TooFew,
    Transaction,
    router,
)
from tests.fakes import AsgiClient, FakeKafka, Keys, eventually, routes, running

ROOT = "/v1/operations/shop"
UNLUCKY = 7


class FilledHeard(Inbound, type="shop.jar-filled.v1"):
    owner_ref: Reference
    jar_id: str
    marbles: int


async def on_filled(event: FilledHeard, tx: Transaction) -> None:
    """What the shop itself remembers of its jars: a reader of its topic."""
    if event.marbles == 1:  # published by a note, which these tests do not count
        return
    if event.marbles == UNLUCKY:
        raise TooFew
    note = await tx.notes.seek(event.owner_ref) or tx.notes.add(
        Note(id=event.owner_ref, owner_ref=event.owner_ref)
    )
    tx.notes.save(note, replace(note, texts=(*note.texts, str(event.marbles))))


# A note of an owner `own-...` is made of the shop's own events, any other of events from outside.
NOTES = Projection(
    name="notes",
    store=Notes,
    handlers={FilledHeard: on_filled},
    own={"_id": {"$regex": "^own-"}},
    recorded_at="recorded_at",
)


class Shop(Outside):
    """The shop as its operator reaches it, and the outside that sends it events."""

    def __init__(
        self, life: ServiceRuntime, send: Any, client: AsgiClient, fake: FakeKafka
    ) -> None:
        super().__init__(life, send)
        self.client = client
        self.fake = fake
        self.operator = client.as_("operator", subject="operator-1")
        self.officer = client.as_("officer", facility="room")

    async def stuck(self, *texts: str) -> tuple[str, str]:
        """An owner and the sequence of these notes of his, the first of which is poison."""
        owner = await self.admitted()
        for text in texts:
            await self.note(owner, text)
        return owner, await self.waiting(owner, len(texts))

    async def waiting(self, key: str, count: int) -> str:
        marker = await eventually(lambda: self.db.find_one("parked", {"key": key, "count": count}))
        return encode_segment(marker["_id"])

    async def measured_lag(self) -> dict[str, Any] | None:
        answer = await self.get("/lag")
        return (
            answer if all(isinstance(one["behind"], int) for one in answer["partitions"]) else None
        )

    async def filled(self, owner: str, *marbles: int) -> None:
        """A jar of this owner into which these marbles go, one event each."""
        jar = new_id()
        assert (
            await self.officer.post(
                "/v1/jars", json={"id": jar, "owner_ref": owner, "room": "room"}
            )
        ).status_code == 201
        for number in marbles:
            assert (
                await self.officer.post(f"/v1/jars/{jar}/fillings", json={"marbles": number})
            ).status_code == 200

    async def sent(self, owner: str, count: int) -> None:
        """Return when that many of this owner's events are marked as sent.

        A replay takes no others.
        """

        async def marked() -> bool:
            return await self.db.count("outbox", {"key": owner, "sent": True}) == count

        await eventually(marked)

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.operator.get(ROOT + path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(
        self, path: str, body: Any = None, *, expect: int = 200, **headers: str
    ) -> dict[str, Any]:
        answer = await self.operator.post(
            ROOT + path,
            json=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def version(self, sequence: str) -> str:
        return f'"{(await self.get(f"/parked/{sequence}"))["version"]}"'

    async def audited(self, action: str, subject: str) -> list[dict[str, Any]]:
        return await self.db.find(
            "audit",
            {"action": action, "subject": subject, "actor": "operator-1", "role": "operator"},
        )

    def stretch(self, key: str, since: datetime, **more: Any) -> dict[str, Any]:
        return {
            "from": since.isoformat(),
            "to": (utc_now() + timedelta(seconds=1)).isoformat(),
            "key": key,
        } | more


@asynccontextmanager
async def opened(
    broker: str, driver: str, place: Path, mongo_url: str, kafka: str
) -> AsyncGenerator[Shop]:
    keys = Keys.make(place, ("gateway", "shop"))
    fake = FakeKafka()
    settings = ShopSettings(
        **keys.settings(
            "shop",
            mongo_url=mongo_url,
            database=f"test_{uuid.uuid4().hex[:20]}",
            kafka=kafka,
            driver=driver or "motor",
        )
    )

    class InMemory(ServiceRuntime):
        def new_producer(self) -> Any:
            return fake.producer()

        def new_consumer(self) -> Any:
            return fake.consumer("shop", self.inbox.topics)

    handlers = HANDLERS | {"shop.events": {FilledHeard: on_filled}}
    app = create_app(
        Service(
            name="shop",
            settings=settings,
            transaction=Transaction,
            routers=(router, operator_api.router("shop", [NOTES])),
            published=(JarFilled,),
            handlers=handlers,
        ),
        lifetime=InMemory if broker == "fake" else ServiceRuntime,
    )
    life: ServiceRuntime = app.state.life
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()

    async def send(topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        if broker == "fake":
            await fake.append(topic, key, value, headers)
        else:
            await producer.send_and_wait(topic, value, key=key, headers=headers)

    cleaner = life.new_mongo()
    try:
        async with running(app, keys, "shop") as client:
            yield Shop(life, send, client, fake)
    finally:
        await producer.stop()
        await cleaner.drop()
        await cleaner.close()


@pytest.fixture(scope="module", params=["fake", "kafka-pymongo"])
async def shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    mongo_url: str,
    kafka: str,
) -> AsyncIterator[Shop]:
    broker, _, driver = request.param.partition("-")
    async with opened(broker, driver, tmp_path_factory.mktemp("shop"), mongo_url, kafka) as one:
        yield one


only_fake = pytest.mark.parametrize("shop", ["fake"], indirect=True)


async def test_a_parked_sequence_is_explained_in_words_and_redacted(
    shop: Shop,
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


async def test_a_retry_that_fails_changes_nothing_and_says_so(shop: Shop) -> None:
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
    shop: Shop,
) -> None:
    owner, sequence = await shop.stuck("poison", "a", "b")
    path = f"/parked/{sequence}"
    [bad, *_] = (await shop.get(path))["letters"]
    version = await shop.version(sequence)
    assert (
        await shop.post(
            f"{path}/discard", {"event_id": bad["id"], "reason": " "}, if_match=version, expect=422
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
    )  # one of each letter's transaction, none of the repeat
    await shop.note(owner, "c")
    await shop.heard(owner, "a", "b", "c")
    assert (await shop.post(f"{path}/retry", if_match=version, expect=404))[
        "code"
    ] == "parked_unknown"


async def test_a_dry_run_shows_the_result_and_changes_nothing(shop: Shop) -> None:
    owner, sequence = await shop.stuck("poison", "a", "b")
    path = f"/parked/{sequence}"
    before = await shop.get(path)
    [bad, *_] = before["letters"]
    command = {"event_id": bad["id"], "reason": "coba"}
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
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, sequence = await shop.stuck("poison", "a", "b")
    path = f"/parked/{sequence}"
    seen = await shop.get(path)
    after = await shop.post(
        f"{path}/discard",
        {"event_id": seen["letters"][0]["id"], "reason": "coba"},
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
    shop: Shop,
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
        {"event_id": letter["id"], "reason": "rusak"},
        if_match=f'"{shown["version"]}"',
    )
    assert gone["count"] == 0
    await shop.note(owner, "flows")
    await shop.heard(owner, "flows")


@pytest.mark.parametrize("sequence", [encode_segment("outside.events/nobody"), "_", "%C3%A9"])
async def test_an_unknown_sequence_is_404_to_show_retry_and_discard(
    shop: Shop, sequence: str
) -> None:
    assert (await shop.operator.get(f"{ROOT}/parked/{sequence}")).status_code == 404
    assert (await shop.post(f"/parked/{sequence}/retry", if_match='"1"', expect=404))[
        "title"
    ] == "Tidak ada peristiwa yang tertahan dengan kunci ini"
    await shop.post(
        f"/parked/{sequence}/discard", {"event_id": "x", "reason": "y"}, if_match='"1"', expect=404
    )


async def test_no_route_of_operations_is_open_without_a_token_or_a_permission(shop: Shop) -> None:
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


async def test_the_lag_shows_the_position_in_each_partition(shop: Shop) -> None:
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


async def test_readers_of_a_replay_apply_only_what_is_new_to_them(
    shop: Shop,
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
    await shop.db.delete("inbox", {"_id": first})  # as if this reader had never had it
    assert (await shop.post("/event-status", about))["new"] == 1
    await shop.post("/replay", shop.stretch(owner, began, cursor=None))
    await shop.heard(owner, "2", "3", "4", "2")
    [row, _] = await shop.audited("events.replayed", would["topic"])
    assert (row["key"], row["events"]) == (owner, 2)


@only_fake
async def test_a_replay_goes_on_page_by_page_in_the_order_of_the_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = new_id()
    began = utc_now()
    await shop.filled(owner, 2, 3, 2, 3)
    await shop.heard(owner, "2", "3", "2", "3")
    await shop.sent(owner, 4)
    monkeypatch.setattr(replay, "PAGE", 3)
    first = await shop.post("/replay", shop.stretch(owner, began))
    assert (first["total"], first["published"], first["next_cursor"]) == (
        4,
        3,
        first["events"][-1][0],
    )
    second = await shop.post("/replay", shop.stretch(owner, began, cursor=first["next_cursor"]))
    assert (second["total"], second["published"], second["next_cursor"]) == (None, 1, None)
    sequences = [
        dict(record.headers)["ce_sequence"]
        for record in shop.fake.records(first["topic"])
        if record.key == owner.encode()
    ]
    assert sequences == [b"1", b"2", b"3", b"4"] * 2


async def test_a_replay_leaves_a_parked_event_parked(shop: Shop) -> None:
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


async def test_a_replay_reaches_no_further_back_than_readers_remember(shop: Shop) -> None:
    refused = await shop.post(
        "/replay", shop.stretch("k", utc_now() - timedelta(days=45)), expect=422
    )
    assert (refused["code"], refused["field"]) == ("too_long_ago", "from")
    assert refused["detail"].startswith("Paling awal ")
    assert (await shop.post("/replay", shop.stretch("k", utc_now() - timedelta(days=43))))[
        "total"
    ] == 0


async def test_following_a_topic_is_audited(shop: Shop) -> None:
    answer = await shop.get("/topic")
    assert answer == {"topic": shop.life.relay.topic}
    assert await shop.audited("events.followed", answer["topic"])


@only_fake
async def test_without_a_broker_the_outbox_is_listed_and_a_replay_refused(
    shop: Shop,
) -> None:
    owner = new_id()
    began = utc_now()
    await shop.filled(owner, 2)
    await eventually(lambda: all_sent(shop))
    shop.fake.away = True
    try:
        await shop.filled(owner, 3, 4)
        first = await shop.get("/outbox?limit=1")
        assert (first["unsent"], len(first["items"]), first["items"][0]["seq"]) == (2, 1, 2)
        second = await shop.get(f"/outbox?limit=1&cursor={first['next_cursor']}")
        assert ([row["seq"] for row in second["items"]], second["next_cursor"]) == ([3], None)
        assert (await shop.post("/replay", shop.stretch(owner, began, dry_run=True)))["total"] == 1
        assert (await shop.post("/replay", shop.stretch(owner, began), expect=503))[
            "code"
        ] == "busy"
    finally:
        shop.fake.away = False
    await shop.heard(owner, "2", "3", "4")
    await eventually(lambda: all_sent(shop))


async def all_sent(shop: Shop) -> bool:
    """Whether nothing waits for the broker or for its mark."""
    return (await shop.get("/outbox"))["unsent"] == 0


@only_fake
async def test_a_blocked_key_is_shown_as_parked_and_a_retry_sends_it(
    shop: Shop,
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
        {"event_id": letter["id"], "reason": "x"},
        if_match=version,
        expect=404,
    )
    assert (await shop.post(f"/parked/{sequence}/retry", if_match=version))["count"] == 0
    await shop.heard(owner, "2")
    await eventually(lambda: stopped_keys(0))


async def stopped_keys(wanted: int) -> bool:
    """Whether the gauge says so."""
    return [
        sample.value for metric in telemetry.OUTBOX_STOPPED.collect() for sample in metric.samples
    ] == [wanted]
