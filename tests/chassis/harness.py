"""The sample service on a fake Kafka whose records a test publishes. Not here: tests."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from chassis.app.lifespan import ServiceRuntime
from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope, Inbound, Reference, SubjectNotKnownYet
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.sample_service import Jar, JarFull, Note, Transaction
from tests.fakes import AsgiClient, FakeKafka, eventually


class Asked(Inbound, type="outside.asked.v1"):
    owner_ref: Reference
    what: str
    about: str = ""


async def on_asked(event: Asked, tx: Transaction) -> None:
    if event.what == "too big":
        tx.jars.add(Jar(id=event.about, owner_ref=event.owner_ref, room="north", marbles=2**70))
    elif event.what == "refuse":
        raise JarFull
    elif event.what == "raise":
        raise ValueError(event.about)
    elif event.what == "bad query":
        await tx.notes.find({"owner_ref": {"$regex": "("}})
    elif event.what == "label taken":
        tx.jars.add(Jar(id=event.about, owner_ref=event.owner_ref, room="north", label="taken"))
    elif event.what == "query and note":
        await tx.jars.find({"room": "north"})
        await remember(event, tx)
    elif event.what == "query and wait":
        await tx.notes.find({"owner_ref": event.owner_ref})
        raise SubjectNotKnownYet(event.about)
    elif event.what == "jar when noted":
        if await tx.notes.seek(event.about) is None:
            raise SubjectNotKnownYet(event.about)
        tx.jars.add(Jar(id=new_id(), owner_ref=event.owner_ref, room="north", label="taken"))
    else:
        await remember(event, tx)


async def remember(event: Asked, tx: Transaction) -> None:
    note = await tx.notes.seek(event.owner_ref)
    if note is None:
        tx.notes.add(Note(id=event.owner_ref, owner_ref=event.owner_ref, texts=(event.what,)))
    else:
        tx.notes.save(note, replace(note, texts=(*note.texts, event.what)))


def in_memory(fake: FakeKafka) -> type[ServiceRuntime]:
    """Return a service runtime whose broker is this fake."""

    class InMemory(ServiceRuntime):
        def new_producer(self) -> Any:
            return fake.producer()

        def new_consumer(self) -> Any:
            return fake.consumer(self.service.name, self.inbox.topics)

    return InMemory


class Harness:
    """The running shop, its fake Kafka, and a client."""

    def __init__(self, life: ServiceRuntime, fake: FakeKafka, client: AsgiClient) -> None:
        self.life = life
        self.fake = fake
        self.client = client
        self.db = life.db
        self.sequence = 0

    def run(self, seconds: float = 10) -> Runner[Transaction]:
        return Runner(
            self.life.engine,
            OperationContext(caller=system("operator"), correlation_id=new_id()),
            seconds,
        )

    async def tell(
        self,
        type_name: str,
        key: str,
        *,
        null_header: bool = False,
        traceparent: str = "",
        **data: Any,
    ) -> str:
        self.sequence += 1
        envelope = Envelope(
            id=new_id(),
            type=f"outside.{type_name}.v1",
            source="bina/outside",
            key=key,
            time=utc_now(),
            sequence=self.sequence,
            traceparent=traceparent,
        )
        headers: list[Any] = [*envelope.headers(), *([("empty", None)] if null_header else [])]
        await self.fake.append(
            f"{self.life.service.settings.namespace}outside.events",
            key.encode(),
            json.dumps(data).encode(),
            headers,
        )
        return envelope.id

    @asynccontextmanager
    async def one_batch(self) -> AsyncGenerator[None]:
        """Make the consumer fetch all records published in the block in one batch."""
        self.fake.away = True
        yield
        self.fake.away = False
        async with self.fake.changed:
            self.fake.changed.notify_all()

    def beside(self, key: str) -> str:
        """Return another key of the same partition, so that the events of both are in one order."""
        return next(
            other
            for other in iter(new_id, "")
            if self.fake.partition("", other.encode()) == self.fake.partition("", key.encode())
        )

    async def state(self, event_id: str) -> str:
        row = await self.db.find_one("inbox", {"_id": event_id})
        return row["state"] if row else ""

    async def texts(self, owner: str) -> list[str] | None:
        note = await self.db.find_one("notes", {"_id": owner})
        return None if note is None else note["texts"]

    async def becomes(
        self, probe: Callable[[], Awaitable[Any]], wanted: Any, seconds: float = 5
    ) -> None:
        async def reached() -> bool:
            return await probe() == wanted

        try:
            await eventually(reached, seconds=seconds)
        except AssertionError:
            assert await probe() == wanted

    async def jar(self, **more: Any) -> Jar:
        return await self.run()(
            lambda tx: added(tx, Jar(id=new_id(), owner_ref=new_id(), room="north", **more))
        )


async def added(tx: Transaction, jar: Jar) -> Jar:
    return tx.jars.add(jar)


def runner(db: Mongo, seconds: float = 10, **more: Any) -> Runner[Any]:
    return Runner(
        TransactionManager(db, more.pop("transaction", Transaction)),
        OperationContext(caller=system("shop"), correlation_id=new_id()),
        seconds,
        **more,
    )
