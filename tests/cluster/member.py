"""A process under load: the shop, which publishes, or the reader, which applies its events.

`python -m tests.cluster.member shop|reader` runs a real service with settings from the
environment. The file MEMBER_TRAP, when it exists, contains "<point> <kill|stop>": the process does
that to itself (SIGKILL, SIGSTOP) the next time it reaches the point. No product module knows the
points. Not here: starting and stopping the process.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from fastapi import APIRouter, FastAPI

from chassis.app.factory import create_app
from chassis.app.lifespan import ServiceRuntime
from chassis.app.server import serve
from chassis.app.service import Service
from chassis.messaging.events import Inbound, Reference
from chassis.messaging.kafka_ports import (
    Assigned,
    Consumer,
    Outgoing,
    Partition,
    Producer,
    Record,
    Revoked,
    Sent,
)
from chassis.persistence.mongo import Document, Mongo, Session, Write
from chassis.settings import Settings
from tests.chassis.sample_service import (
    Jar,
    JarBody,
    JarFilled,
    Note,
    Run,
    ShopSettings,
    Transaction,
    fill_jar,
)

TRAP = "MEMBER_TRAP"
ROOM = 1_000_000
_PR_SET_PDEATHSIG = 1
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def passed(point: str) -> None:
    """Kill or stop this process if the trap is set at this point."""
    with suppress(FileNotFoundError):
        trap = Path(os.environ[TRAP])
        where, what = trap.read_text(encoding="utf-8").split()
        if where == point:
            trap.unlink()
            os.kill(os.getpid(), _SIGNALS[what])


class TrappedMongo(Mongo):
    """The database, with a point between a batch's last write, its positions, and the commit."""

    async def write(
        self, by_collection: Mapping[str, Iterable[Write | Document]], *, session: Session = None
    ) -> None:
        await super().write(by_collection, session=session)
        if "offsets" in by_collection:
            passed("position")


class TrappedProducer:
    """A producer with points between two halves of a send and before the last acknowledgement."""

    def __init__(self, inner: Producer) -> None:
        self.start = inner.start
        self.stop = inner.stop
        self._send = inner.send_all

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        middle = len(records) // 2
        first = await self._send(topic, records[:middle])
        if first.failure:
            return first
        if first.acknowledged:
            passed("send")
        on_its_way = asyncio.create_task(self._send(topic, records[middle:]))
        await asyncio.sleep(0.001)  # the second half is sent but not acknowledged
        passed("acknowledgement")
        second = await on_its_way
        return Sent(
            [*first.acknowledged, *(middle + directory for directory in second.acknowledged)],
            second.failure,
        )


class TrappedConsumer:
    """A consumer with points after a poll and on both sides of a rebalance."""

    def __init__(self, inner: Consumer) -> None:
        self.inner = inner
        self.stop = inner.stop
        self.seek = inner.seek
        self.beginning = inner.beginning
        self.ends = inner.ends
        self.commit = inner.commit
        self.following = inner.following

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        async def trapped_assigned(partitions: set[Partition]) -> Mapping[Partition, int | None]:
            positions = await assigned(partitions)
            passed("assigned")
            return positions

        async def trapped_revoked(partitions: set[Partition]) -> None:
            await revoked(partitions)
            passed("revoked")

        await self.inner.start(trapped_assigned, trapped_revoked)

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        found = await self.inner.poll(max_records, timeout_seconds)
        if any(
            ("ce_type", Heard.type.encode()) in record.headers
            for records in found.values()
            for record in records
        ):  # a batch of audit anchors has no effect
            passed("poll")
        return found


class Member(ServiceRuntime):
    """The service's runtime with trapped ports."""

    def new_mongo(self) -> Mongo:
        settings = self.service.settings
        return TrappedMongo(
            settings.mongo_url.get_secret_value(),
            self.database(),
            settings.mongo_driver,
            app=self.service.name,
        )

    def new_producer(self) -> Producer:
        return TrappedProducer(super().new_producer())

    def new_consumer(self) -> Consumer:
        return TrappedConsumer(super().new_consumer())


class ReaderSettings(Settings, prefix="READER_"):
    """The settings that every service has."""


class Heard(Inbound, type="shop.jar-filled.v1"):
    owner_ref: Reference


async def on_heard(event: Heard, tx: Transaction) -> None:
    """Append to the stored value, which shows second effects and their order."""
    text = f"{event.meta.sequence}"
    note = await tx.notes.seek(event.owner_ref)
    if note is None:
        tx.notes.add(Note(id=event.owner_ref, owner_ref=event.owner_ref, texts=(text,)))
    else:
        tx.notes.save(note, replace(note, texts=(*note.texts, text)))


router = APIRouter()


@router.post("/v1/owners/{owner}/marbles")
async def post_marble(owner: str, run: Run) -> JarBody:
    """Put one marble into the owner's jar: one transaction with one event."""

    async def work(tx: Transaction) -> Jar:
        if await tx.jars.seek(owner) is None:
            tx.jars.add(Jar(id=owner, owner_ref=owner, room="north", capacity=ROOM))
        return await fill_jar(owner, 1, tx)

    return JarBody.of(await run(work, contended=[f"jars/{owner}"]))


def _shop(settings: ShopSettings) -> FastAPI:
    return create_app(
        Service(
            name="shop",
            settings=settings,
            transaction=Transaction,
            routers=(router,),
            published=(JarFilled,),
        ),
        lifetime=Member,
    )


def _reader(settings: ReaderSettings) -> FastAPI:
    return create_app(
        Service(
            name="reader",
            settings=settings,
            transaction=Transaction,
            routers=(),
            handlers={"shop.events": {Heard: on_heard}},
        ),
        lifetime=Member,
    )


SERVED = {
    "shop": partial(serve, _shop, ShopSettings),
    "reader": partial(serve, _reader, ReaderSettings),
}

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(
        _PR_SET_PDEATHSIG, signal.SIGKILL
    )  # a stopped process must end with the test
    SERVED[sys.argv[1]]()
