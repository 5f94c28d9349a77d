"""A process with an outbox relay over a database that records its reads. Not here: tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from chassis.ids import new_id
from chassis.messaging.outbox_relay import OutboxRelay
from chassis.persistence.mongo import Filter, Mongo
from chassis.persistence.unit_of_work import OUTBOX
from tests.chassis.harness import runner
from tests.chassis.sample_service import Jar, Transaction, fill_jar, make_jar
from tests.fakes import FakeKafka, eventually

LONG_LEASE_SECONDS = 600.0  # no lease expires within a test: only a wake makes the holder sweep


@asynccontextmanager
async def relaying(relay: OutboxRelay) -> AsyncGenerator[None]:
    running = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        await running


def received(fake: FakeKafka, count: int) -> Callable[[], Awaitable[bool]]:
    async def has_enough() -> bool:
        return len(fake.records("shop.events")) >= count

    return has_enough


class ReadRecordingMongo(Mongo):
    """A database that records for which keys the outbox was read; "" = for all."""

    reads: list[Any]

    async def find(self, collection: str, where: Filter, **more: Any) -> list[dict[str, Any]]:
        if collection == OUTBOX and "key" in where:
            self.reads.append(where["key"].get("$in", ""))
        return await super().find(collection, where, **more)


class RelayHarness:
    """A process with a relay, and another process whose commits do not wake that relay."""

    def __init__(self, db: Mongo, recording: ReadRecordingMongo, fake: FakeKafka) -> None:
        self.db = db
        self.recording = recording
        self.fake = fake
        self.relay = OutboxRelay(
            recording, "shop", "0", fake.producer, lease_seconds=LONG_LEASE_SECONDS
        )
        self.jars: dict[str, str] = {}

    async def commit(self, owner: str, marbles: int = 1, *, wakes: bool = True) -> dict[str, Any]:
        """Commit one event of this key; return its outbox row."""
        rows: list[dict[str, Any]] = []

        async def fill(tx: Transaction) -> None:
            if owner not in self.jars:
                jar = Jar(id=new_id(), owner_ref=owner, room="north", capacity=100)
                self.jars[owner] = (await make_jar(jar, tx)).id
            await fill_jar(self.jars[owner], marbles, tx)
            rows[:] = tx.outbox_rows

        await runner(self.db)(fill)
        if wakes:
            self.relay.wake([owner])
        [row] = rows
        return row

    async def receives(self, count: int) -> None:
        """Wait for that many records and assert that there are no more."""
        await eventually(received(self.fake, count))
        assert len(self.fake.records("shop.events")) == count
