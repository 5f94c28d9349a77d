"""Recovery from lost state: the change stream, a position, the end of a topic, inbox rows.

Each is lost alone, on a real MongoDB.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.messaging import consumer
from chassis.messaging.outbox_relay import OutboxRelay
from chassis.persistence.mongo import Mongo, MongoError
from tests.chassis.harness import Harness, runner
from tests.chassis.sample_service import Jar, fill_jar, make_jar
from tests.fakes import FakeKafka, eventually


class StreamlessMongo(Mongo):
    """A database whose change stream is lost as soon as it is opened."""

    async def inserts(self, collection: str, field: str) -> AsyncIterator[list[Any]]:
        if collection:
            raise MongoError("the resume token is gone")
        yield [field]


async def test_a_lost_change_stream_costs_a_sweep_and_nothing_else(
    db: Mongo, mongo_url: str
) -> None:
    deaf = StreamlessMongo(mongo_url, db.name)
    fake = FakeKafka()
    relay = OutboxRelay(deaf, "shop", "0", fake.producer)

    async def answer() -> bool:
        return [dict(record.headers)["ce_sequence"] for record in fake.records("shop.events")] == [
            b"1",
            b"2",
            b"3",
        ]

    running = asyncio.create_task(relay.run())
    try:
        jar = await runner(db)(
            partial(make_jar, Jar(id=new_id(), owner_ref=new_id(), room="north"))
        )
        for _ in range(3):
            await runner(db)(partial(fill_jar, jar.id, 1))
        await eventually(answer)
    finally:
        relay.stop()
        await running
        await deaf.close()


async def heard(harness: Harness) -> tuple[str, float]:
    """Return a new key whose first three events took effect, and the number of done rows."""
    key = new_id()
    for what in ("one", "two", "three"):
        await harness.tell("asked", key, owner_ref=key, what=what)
    await harness.becomes(lambda: harness.texts(key), ["one", "two", "three"])
    return key, await harness.db.count("inbox", {"state": "done"})


async def test_after_a_lost_position_nothing_takes_effect_twice(
    harness: Harness,
) -> None:
    key, done = await heard(harness)
    assert await harness.db.delete("offsets", {}) > 0
    await harness.fake.rebalance("shop")
    await harness.tell("asked", key, owner_ref=key, what="four")
    await harness.becomes(lambda: harness.texts(key), ["one", "two", "three", "four"])
    assert await harness.db.count("inbox", {"state": "done"}) == done + 1
    [position] = [row["next"] for row in await harness.db.find("offsets", {})]
    assert position == 4


async def test_after_a_truncated_topic_nothing_takes_effect_twice(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 0)
    key, done = await heard(harness)
    where = harness.fake.partition(
        f"{harness.life.service.settings.namespace}outside.events", key.encode()
    )
    del harness.fake.logs[where][1:]
    harness.fake.ends[where] = 1
    await harness.tell("asked", key, owner_ref=key, what="four")
    await harness.becomes(lambda: harness.texts(key), ["one", "two", "three", "four"])
    assert await harness.db.count("inbox", {"state": "done"}) == done + 1
    await harness.tell("asked", key, owner_ref=key, what="five")
    await harness.becomes(lambda: harness.texts(key), ["one", "two", "three", "four", "five"])
    [position] = [row["next"] for row in await harness.db.find("offsets", {})]
    assert position == 3


async def test_after_lost_inbox_rows_the_position_prevents_second_effects(
    harness: Harness,
) -> None:
    key, done = await heard(harness)
    assert await harness.db.delete("inbox", {"state": "done"}) == done
    await harness.fake.rebalance("shop")
    await harness.tell("asked", key, owner_ref=key, what="four")
    await harness.becomes(lambda: harness.texts(key), ["one", "two", "three", "four"])
    assert await harness.db.count("inbox", {"state": "done"}) == 1
