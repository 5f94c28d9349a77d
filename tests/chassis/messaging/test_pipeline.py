"""Events between services on a real MongoDB, with a real Kafka and with the fake.

They take effect once and in order; some are parked, early or about merged references.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from chassis.admin import operator_api
from chassis.app.factory import create_app
from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.parked_events import ParkedSequences
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.harness import in_memory
from tests.chassis.sample_service import HANDLERS, JarFilled, ShopSettings, Transaction, router
from tests.fakes import FakeKafka, Keys, eventually, running

Tell = Callable[..., Any]


class OutsideService:
    """Another service, which publishes to the shop, and the shop as its operator sees it."""

    def __init__(self, life: ServiceRuntime, send: Callable[..., Any]) -> None:
        self.life = life
        self._send = send
        self._seq = 0
        self.db = life.db
        self.parked = ParkedSequences(life.inbox)

    @property
    def run(self) -> Runner[Transaction]:
        return Runner(
            self.life.engine, OperationContext(caller=system("operator"), correlation_id=new_id())
        )

    async def tell(
        self,
        type_name: str,
        key: str,
        *,
        event_id: str = "",
        body: bytes | None = None,
        drop: str = "",
        empty: str = "",
        **data: Any,
    ) -> str:
        self._seq += 1
        envelope = Envelope(
            id=event_id or new_id(),
            type=type_name,
            source="bina/outside",
            key=key,
            time=utc_now(),
            sequence=self._seq,
        )
        headers = [
            (name, None if name == empty else value)
            for name, value in envelope.headers()
            if name != drop
        ]
        await self._send(
            f"{self.life.service.settings.namespace}outside.events",
            key.encode(),
            json.dumps(data).encode() if body is None else body,
            headers,
        )
        return envelope.id

    async def texts(self, owner: str) -> list[str] | None:
        note = await self.db.find_one("notes", {"_id": owner})
        return None if note is None else note["texts"]

    async def admitted(self) -> str:
        owner = new_id()
        await self.tell("outside.owner-admitted.v1", owner, owner_ref=owner)
        return owner

    async def note(self, owner: str, text: str, **more: Any) -> str:
        return await self.tell(
            "outside.note-told.v1", more.pop("key", owner), owner_ref=owner, text=text, **more
        )

    async def heard(self, owner: str, *texts: str) -> None:
        await eventually(lambda: self._heard(owner, list(texts)))

    async def _heard(self, owner: str, texts: list[str]) -> bool:
        return await self.texts(owner) == texts


@asynccontextmanager
async def shop(
    broker: str, tmp_path: Path, mongo_url: str, kafka: str, database: str, driver: str = "motor"
) -> AsyncGenerator[OutsideService]:
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(
        **keys.settings(
            "shop",
            mongo_url=mongo_url,
            database=database,
            kafka=kafka,
            namespace=f"{new_id()}.",
            driver=driver,
        )
    )
    fake = FakeKafka()

    app = create_app(
        Service(
            name="shop",
            settings=settings,
            transaction=Transaction,
            routers=(router, operator_api.router("shop")),
            published=(JarFilled,),
            handlers=HANDLERS,
        ),
        lifetime=in_memory(fake) if broker == "fake" else ServiceRuntime,
    )
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()

    async def send(topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        if broker == "fake":
            await fake.append(topic, key, value, headers)
        else:
            await producer.send_and_wait(topic, value, key=key, headers=headers)

    try:
        async with running(app, keys, "shop"):
            yield OutsideService(app.state.life, send)
    finally:
        await producer.stop()


@pytest.fixture(params=["fake", "kafka", "kafka-pymongo"])
async def outside(
    request: pytest.FixtureRequest, tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncIterator[OutsideService]:
    broker, _, driver = request.param.partition("-")
    async with shop(broker, tmp_path, mongo_url, kafka, database, driver or "motor") as one:
        yield one


async def test_events_of_a_key_sent_twice_take_effect_once_and_in_order(
    outside: OutsideService,
) -> None:
    owner = await outside.admitted()
    ids = [await outside.note(owner, str(number)) for number in range(20)]
    for number in (3, 0, 19):
        await outside.note(owner, str(number), event_id=ids[number])
    await outside.note(owner, "last")
    await outside.heard(owner, *[str(number) for number in range(20)], "last")
    rows = await outside.db.find("outbox", {"key": owner}, sort=[("seq", 1)])
    assert [row["seq"] for row in rows] == list(range(1, 22))
    assert rows[0]["causation_id"] == ids[0]


async def test_an_unknown_type_is_ignored_and_the_key_goes_on(outside: OutsideService) -> None:
    owner = await outside.admitted()
    await outside.tell("outside.nothing-of-ours.v1", owner)
    await outside.note(owner, "a")
    await outside.heard(owner, "a")
    assert await outside.db.count("inbox", {"state": "parked"}) == 0


@pytest.mark.scenario("M18/poison")
@pytest.mark.scenario("T16/parked")
@pytest.mark.parametrize("poison", ["poison", "flushed poison"])
async def test_a_poison_event_is_parked_with_all_behind_it_while_other_keys_flow(
    outside: OutsideService, poison: str
) -> None:
    owner = await outside.admitted()
    other = await outside.admitted()
    await outside.note(owner, "a")
    bad = await outside.note(owner, poison)
    after = await outside.note(owner, "b")
    await outside.note(other, "c")
    await outside.heard(other, "c")
    await eventually(lambda: outside.db.find_one("inbox", {"_id": after, "state": "parked"}))
    await outside.heard(owner, "a")
    [sequence] = await outside.run(outside.parked.sequences)
    assert (sequence["key"], sequence["count"]) == (owner, 2)
    letters = await outside.run(lambda tx: outside.parked.events(tx, sequence["_id"]))
    assert [(letter.id, letter.reason) for letter in letters] == [
        (bad, "jar_full"),
        (after, "waits behind an earlier event of its key"),
    ]
    assert letters[0].body == {"owner_ref": owner, "text": "…"}


async def test_after_a_failed_retry_a_discard_lets_the_rest_take_effect(
    outside: OutsideService,
) -> None:
    owner = await outside.admitted()
    bad = await outside.note(owner, "poison")
    behind = [await outside.note(owner, text) for text in ("a", "b")]
    await eventually(lambda: outside.db.find_one("inbox", {"_id": behind[1], "state": "parked"}))
    [sequence] = await outside.run(outside.parked.sequences)
    assert await outside.parked.retry(outside.run, sequence["_id"]) == 0
    assert await outside.texts(owner) == []
    await outside.run(lambda tx: outside.parked.discard(tx, sequence["_id"], bad, "tested here"))
    assert await outside.texts(owner) == []
    await outside.note(owner, "c")
    await eventually(lambda: outside.db.find_one("parked", {"_id": sequence["_id"], "count": 3}))
    assert await outside.parked.retry(outside.run, sequence["_id"]) == 3
    assert await outside.texts(owner) == ["a", "b", "c"]
    await outside.note(owner, "d")
    await outside.heard(owner, "a", "b", "c", "d")
    assert await outside.db.find_one("audit", {"action": "parked.discarded", "subject": bad})


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"body": b"{"}, "the body is not JSON"),
        ({"body": b"[]"}, "the body is not a JSON object"),
        ({"drop": "ce_id"}, "header missing: ce_id"),
        ({"empty": "ce_id"}, "header missing: ce_id"),
        ({"drop": "ce_time"}, "header missing: ce_time"),
        ({"type_name": "outside.note-told.v2"}, "version not known here: outside.note-told.v2"),
        ({"body": b'{"owner_ref": "x"}'}, "fields that do not fit: text: missing"),
    ],
)
async def test_what_cannot_be_read_is_parked_at_once_with_its_reason(
    outside: OutsideService, what: dict[str, Any], reason: str
) -> None:
    owner = await outside.admitted()
    answer: dict[str, Any] = {"type_name": "outside.note-told.v1", "key": owner} | what
    await outside.tell(**answer)
    await outside.note(owner, "behind")
    [sequence] = await eventually(lambda: outside.db.find("parked", {"key": owner, "count": 2}))
    letters = await outside.run(lambda tx: outside.parked.events(tx, sequence["_id"]))
    assert letters[0].reason == reason
    assert await outside.texts(owner) == []


async def test_an_older_version_is_lifted_by_its_upcaster(outside: OutsideService) -> None:
    owner = await outside.admitted()
    await outside.tell("outside.note-told.v0", owner, owner_ref=owner, words="old")
    await outside.heard(owner, "old")


async def test_early_events_take_effect_in_order_when_their_subject_is_added(
    outside: OutsideService,
) -> None:
    owner = new_id()
    elsewhere = new_id()
    await outside.note(owner, "a", key=elsewhere)
    await outside.note(owner, "b", key=elsewhere)
    await eventually(lambda: outside.db.find("early", {"waits_for": owner}))
    assert await outside.texts(owner) is None
    await outside.tell("outside.owner-admitted.v1", owner, owner_ref=owner)
    await outside.heard(owner, "a", "b")
    await outside.note(owner, "c", key=elsewhere)
    await outside.heard(owner, "a", "b", "c")
    assert await outside.db.count("early", {}) == 0


async def test_a_merge_before_or_after_other_events_gives_one_state(
    outside: OutsideService,
) -> None:
    old = await outside.admitted()
    new = await outside.admitted()
    await outside.note(new, "n")
    await outside.note(old, "o")
    await outside.heard(old, "o")
    await outside.heard(new, "n")
    for key in (old, new):
        await outside.tell(
            "outside.owner-merged.v1", key, owner_ref=key, from_ref=old, into_ref=new
        )
    await outside.heard(new, "n", "o")
    await outside.note(old, "late")
    await outside.heard(new, "n", "o", "late")
    assert await outside.texts(old) is None
    assert await outside.db.count("parked", {}) == 0


async def test_an_early_fact_of_a_merged_subject_waits_for_the_survivor(
    outside: OutsideService,
) -> None:
    old = new_id()
    new = new_id()
    await outside.note(old, "early", key=new_id())
    await eventually(lambda: outside.db.find("early", {"waits_for": old}))
    await outside.tell("outside.owner-merged.v1", old, owner_ref=old, from_ref=old, into_ref=new)
    await eventually(lambda: outside.db.find("early", {"waits_for": new}))
    await outside.tell("outside.owner-admitted.v1", new, owner_ref=new)
    await outside.heard(new, "early")


async def test_a_thousand_events_go_through_in_batches(outside: OutsideService) -> None:
    owners = [await outside.admitted() for _ in range(20)]
    await asyncio.gather(
        *(outside.note(owner, str(number)) for owner in owners for number in range(1))
    )
    for number in range(1, 50):
        for owner in owners:
            await outside.note(owner, str(number))
    for owner in owners:
        await outside.heard(owner, *[str(number) for number in range(50)])
