"""A process that is killed: the shop under load, reading its own topic, with kill points as wrappers around the ports. No product module knows them.

`python -m tests.crash.victim SETTINGS.json` reads {settings, service, point, nth, commands, owners}; it kills itself (SIGKILL) the nth time the point
is passed, or, without a point, ends when it has issued its commands, sent its outbox and applied all of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from chassis.auth import system
from chassis.consumer import EventConsumer
from chassis.errors import Busy
from chassis.events import Inbound, Reference
from chassis.ids import new_id
from chassis.kafka import Consumer, KafkaConsumer, KafkaProducer, Outgoing, Partition, Producer, Record, Sent
from chassis.lifetime import Lifetime
from chassis.mongo import Mongo
from chassis.runner import Runner
from chassis.unit_of_work import Cause
from chassis.web import Service, create_app
from tests.chassis.shop import Jar, JarFilled, Note, ShopSettings, Transaction, fill_jar
from tests.doubles import eventually

POINTS = ("commit", "relay_read", "publish", "acknowledged", "marked", "polled", "effect", "position")


class Trigger:
    """Kills this process the nth time its point is passed."""

    def __init__(self, point: str, nth: int) -> None:
        self.point, self.left = point, nth

    def passed(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class KillingMongo(Mongo):
    """The database, with kill points after commits, after the relay's read and after its mark."""

    trigger: Trigger

    async def transact(self, body: Callable[[Any], Awaitable[Any]]) -> Any:
        result = await super().transact(body)
        self.trigger.passed("effect" if _is_batch(body) else "commit")
        return result

    async def find(self, collection: str, where: Mapping[str, Any], **more: Any) -> list[dict[str, Any]]:
        found = await super().find(collection, where, **more)
        if collection == "outbox" and found and "key" in where and "sent" in where:
            self.trigger.passed("relay_read")
        return found

    async def update(self, collection: str, where: Mapping[str, Any], update: Any, **more: Any) -> int:
        count = await super().update(collection, where, update, **more)
        if collection == "outbox":
            self.trigger.passed("marked")
        return count


def _is_batch(body: Callable[[Any], Awaitable[Any]]) -> bool:
    inner = [cell.cell_contents for cell in body.__closure__ or ()]
    return any(isinstance(getattr(getattr(one, "func", None), "__self__", None), EventConsumer) for one in inner)


class KillingProducer:
    """A producer with kill points before a send and after its acknowledgement."""

    def __init__(self, inner: Producer, trigger: Trigger) -> None:
        self.inner, self.trigger = inner, trigger

    async def start(self) -> None:
        await self.inner.start()

    async def stop(self) -> None:
        await self.inner.stop()

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """In two halves, so that a kill may come between them."""
        acknowledged: list[int] = []
        middle = (len(records) + 1) // 2
        for start, part in ((0, records[:middle]), (middle, records[middle:])):
            self.trigger.passed("publish")
            sent = await self.inner.send_all(topic, part)
            acknowledged += [start + place for place in sent.acknowledged]
            self.trigger.passed("acknowledged")
            if sent.failure:
                return Sent(acknowledged, sent.failure)
        return Sent(acknowledged)


class KillingConsumer:
    """A consumer with kill points after a poll and after the broker was told the position."""

    def __init__(self, inner: Consumer, trigger: Trigger) -> None:
        self.inner, self.trigger = inner, trigger
        self.start, self.stop, self.seek, self.beginning, self.ends = inner.start, inner.stop, inner.seek, inner.beginning, inner.ends

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        found = await self.inner.poll(max_records, timeout_seconds)
        if found:
            self.trigger.passed("polled")
        return found

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        await self.inner.commit(positions)
        self.trigger.passed("position")


class Heard(Inbound, type="shop.jar-filled.v1"):
    owner_ref: Reference
    marbles: int


async def on_heard(event: Heard, tx: Transaction) -> None:
    note = await tx.notes.seek(event.owner_ref)
    if note is None:
        tx.notes.add(Note(id=event.owner_ref, owner_ref=event.owner_ref, texts=(f"{event.meta.sequence}",)))
    else:
        tx.notes.save(note, replace(note, texts=(*note.texts, f"{event.meta.sequence}")))


class Victim(Lifetime):
    """The service's life with wrapped ports."""

    trigger: Trigger

    def new_mongo(self) -> Mongo:
        settings = self.service.settings
        db = KillingMongo(settings.mongo_url.get_secret_value(), self.database(), settings.mongo_driver)
        db.trigger = self.trigger
        return db

    def new_producer(self) -> Producer:
        settings = self.service.settings
        return KillingProducer(KafkaProducer(settings.kafka, "shop"), self.trigger)

    def new_consumer(self) -> Consumer:
        settings = self.service.settings
        return KillingConsumer(KafkaConsumer(settings.kafka, settings.namespace + "shop", settings.namespace + "shop-0", self.inbox.topics), self.trigger)


@asynccontextmanager
async def alive(settings: ShopSettings, trigger: Trigger) -> AsyncGenerator[Victim]:
    Victim.trigger = trigger
    app = create_app(
        Service(name="shop", settings=settings, transaction=Transaction, routers=(), published=(JarFilled,), handlers={"shop.events": {Heard: on_heard}}), lifetime=Victim
    )
    async with app.router.lifespan_context(app):
        await app.state.life.prepared.wait()
        yield app.state.life


async def main(told: dict[str, Any]) -> None:
    settings = ShopSettings(**told["settings"])
    async with alive(settings, Trigger(told["point"], told["nth"])) as life:

        async def command(owner: str) -> None:
            run = Runner(life.engine, Cause(caller=system("load"), correlation_id=new_id()), seconds=20)

            async def work(tx: Transaction) -> Jar:
                if await tx.jars.seek(owner) is None:
                    tx.jars.add(Jar(id=owner, owner_ref=owner, room="north", capacity=1_000_000))
                return await fill_jar(owner, 1, tx)

            await run(work)

        async def load(owner: str) -> None:
            for _ in range(told["commands"]):
                while True:  # as a client does: what a killed process left open is let go by MongoDB after a few seconds
                    try:
                        await command(owner)
                    except Busy:
                        continue
                    break

        await asyncio.gather(*(load(owner) for owner in told["owners"]))
        await eventually(partial(quiet, life), seconds=60)
    sys.stdout.write("done\n")


async def quiet(life: Lifetime) -> bool:
    if await life.db.count("outbox", {"sent": False}):
        return False
    sent = await life.db.count("outbox", {"type": "shop.jar-filled.v1"})
    return sum(len(note["texts"]) for note in await life.db.find("notes", {})) >= sent


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
