"""What is lost beside the facts heals.

The change stream, a position, the end of a topic, the memory of what was done. Each alone; real
MongoDB.
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


class Deaf(Mongo):
    """A database whose change stream is lost as soon as it is opened."""

    async def inserts(self, collection: str, field: str) -> AsyncIterator[list[Any]]:
        if collection:
            raise MongoError("the resume token is gone")
        yield [field]


async def test_a_lost_change_stream_costs_a_sweep_and_nothing_else(
    db: Mongo, mongo_url: str
) -> None:
    deaf = Deaf(mongo_url, db.name)
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


async def heard(scene: Harness) -> tuple[str, float]:
    """Return a new key whose first three events took effect, and the number of done rows."""
    key = new_id()
    for what in ("one", "two", "three"):
        await scene.tell("asked", key, owner_ref=key, what=what)
    await scene.becomes(lambda: scene.texts(key), ["one", "two", "three"])
    return key, await scene.db.count("inbox", {"state": "done"})


async def test_after_a_lost_position_nothing_takes_effect_twice(
    scene: Harness,
) -> None:
    key, done = await heard(scene)
    assert await scene.db.delete("offsets", {}) > 0
    await scene.fake.rebalance("shop")
    await scene.tell("asked", key, owner_ref=key, what="four")
    await scene.becomes(lambda: scene.texts(key), ["one", "two", "three", "four"])
    assert await scene.db.count("inbox", {"state": "done"}) == done + 1
    [position] = [row["next"] for row in await scene.db.find("offsets", {})]
    assert position == 4


async def test_after_a_truncated_topic_nothing_takes_effect_twice(
    scene: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 0)
    key, done = await heard(scene)
    where = scene.fake.partition(
        f"{scene.life.service.settings.namespace}outside.events", key.encode()
    )
    del scene.fake.logs[where][1:]
    scene.fake.ends[where] = 1
    await scene.tell("asked", key, owner_ref=key, what="four")
    await scene.becomes(lambda: scene.texts(key), ["one", "two", "three", "four"])
    assert await scene.db.count("inbox", {"state": "done"}) == done + 1
    await scene.tell("asked", key, owner_ref=key, what="five")
    await scene.becomes(lambda: scene.texts(key), ["one", "two", "three", "four", "five"])
    [position] = [row["next"] for row in await scene.db.find("offsets", {})]
    assert position == 3


async def test_after_lost_inbox_rows_the_position_prevents_second_effects(
    scene: Harness,
) -> None:
    key, done = await heard(scene)
    assert await scene.db.delete("inbox", {"state": "done"}) == done
    await scene.fake.rebalance("shop")
    await scene.tell("asked", key, owner_ref=key, what="four")
    await scene.becomes(lambda: scene.texts(key), ["one", "two", "three", "four"])
    assert await scene.db.count("inbox", {"state": "done"}) == 1
