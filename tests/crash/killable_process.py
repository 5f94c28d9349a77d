"""A process that kills itself under load: the sample service, reading its own topic.

Kill points are wrappers around the ports; no product module knows them. The input of a process is
{settings, point, nth, backlog, owners, answered}. It sends commands until it kills itself (SIGKILL)
the nth time that its point is reached. Without a point it sends no command: it relays and applies
what other processes left, until it is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chassis import telemetry
from chassis.app.factory import create_app
from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.caller import system
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.messaging.consumer import EventConsumer
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.kafka_ports import Consumer, Outgoing, Partition, Producer, Record, Sent
from chassis.messaging.outbox_relay import OutboxRelay
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.sample_service import Jar, ShopSettings, Transaction, fill_jar
from tests.crash.sample_service import shop

LEASE_SECONDS = 2.0
LIFE_SECONDS = 90.0
# limited, because two processes, mongod and Kafka share the machine
LOADERS = 4
PAUSE_SECONDS = 0.02


class Trigger:
    """Kills this process the nth time that its point is reached.

    It holds relay and consumer back until a backlog of commands is committed.
    """

    def __init__(self, point: str, nth: int, backlog: int) -> None:
        self.point = point
        self.left = nth
        self.backlog = backlog
        self.piled = asyncio.Event()
        self.answered(0)

    def passed(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def answered(self, commands: int) -> None:
        self.backlog -= commands
        if self.backlog <= 0:
            self.piled.set()


class KillingMongo(Mongo):
    """The database, with kill points on both sides of each commit and after the relay's mark."""

    trigger: Trigger

    async def transact(self, body: Callable[[Any], Awaitable[Any]]) -> Any:
        point = "effect" if _is_batch(body) else "commit"

        async def watched(session: Any) -> Any:
            result = await body(session)
            self.trigger.passed(point)
            return result

        result = await super().transact(watched)
        self.trigger.passed(point)
        return result

    async def update(
        self, collection: str, where: Mapping[str, Any], update: Any, **more: Any
    ) -> int:
        count = await super().update(collection, where, update, **more)
        if collection == "outbox":
            self.trigger.passed("marked")
        return count


def _is_batch(body: Callable[[Any], Awaitable[Any]]) -> bool:
    inner = [cell.cell_contents for cell in body.__closure__ or ()]
    return any(
        isinstance(getattr(getattr(one, "func", None), "__self__", None), EventConsumer)
        for one in inner
    )


class KillingRelay(OutboxRelay):
    """The relay, with a kill point after it has got rows, from the outbox or from a commit."""

    trigger: Trigger

    async def _page(self) -> list[dict[str, Any]]:
        rows = await super()._page()
        if rows:
            self.trigger.passed("relay_read")
        return rows


class KillingProducer:
    """A producer with kill points before a send and after its acknowledgement."""

    def __init__(self, inner: Producer, trigger: Trigger) -> None:
        self.inner = inner
        self.trigger = trigger

    async def start(self) -> None:
        await self.inner.start()

    async def stop(self) -> None:
        await self.inner.stop()

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """Send in two halves, so that a kill may come between them."""
        await self.trigger.piled.wait()
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
    """A consumer with kill points after a poll and after a commit of the position."""

    def __init__(self, inner: Consumer, trigger: Trigger) -> None:
        self.inner = inner
        self.trigger = trigger
        self.start = inner.start
        self.stop = inner.stop
        self.seek = inner.seek
        self.beginning = inner.beginning
        self.following = inner.following
        self.ends = inner.ends

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        await self.trigger.piled.wait()
        found = await self.inner.poll(max_records, timeout_seconds)
        if found:
            self.trigger.passed("polled")
        return found

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        await self.inner.commit(positions)
        self.trigger.passed("position")


class Victim(ServiceRuntime):
    """The service's runtime with wrapped ports, and a short relay lease."""

    trigger: Trigger

    def __init__(self, service: Service[Any]) -> None:
        super().__init__(service)
        settings = service.settings
        self._workers.remove(self.relay)
        relay = KillingRelay(
            self.db,
            service.name,
            settings.replica,
            self.new_producer,
            namespace=settings.namespace,
            lease_seconds=LEASE_SECONDS,
        )
        relay.trigger = self.trigger
        self.relay = relay
        self._workers.append(self.relay)

    def new_mongo(self) -> Mongo:
        settings = self.service.settings
        db = KillingMongo(
            settings.mongo_url.get_secret_value(), self.database(), settings.mongo_driver
        )
        db.trigger = self.trigger
        return db

    def new_producer(self) -> Producer:
        settings = self.service.settings
        return KillingProducer(
            KafkaProducer(settings.kafka, f"shop-{settings.replica}"), self.trigger
        )

    def new_consumer(self) -> Consumer:
        settings = self.service.settings
        group = settings.namespace + "shop"
        return KillingConsumer(
            KafkaConsumer(settings.kafka, group, f"{group}-{settings.replica}", self.inbox.topics),
            self.trigger,
        )


@asynccontextmanager
async def alive(settings: ShopSettings, trigger: Trigger) -> AsyncGenerator[Victim]:
    Victim.trigger = trigger
    app = create_app(shop(settings), lifetime=Victim)
    async with app.router.lifespan_context(app):
        await app.state.life.prepared.wait()
        yield app.state.life


class Load:
    """Commands without end; each answered one is written to a file that outlives the process."""

    def __init__(self, life: Victim, owners: Sequence[str], answered: int) -> None:
        self.life = life
        self.owners = owners
        self.file = answered

    async def run(self) -> None:
        await asyncio.gather(*(self._loader() for _ in range(LOADERS)))

    async def _loader(self) -> None:
        for _ in itertools.count():
            owner = random.choice(self.owners)  # noqa: S311 - whose command comes next
            try:
                jar = await self._command(owner)
            except Busy:
                continue  # MongoDB aborts a killed process's open transaction after a few seconds
            os.write(self.file, f"{owner} {jar.marbles}\n".encode())
            self.life.trigger.answered(1)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _command(self, owner: str) -> Jar:
        async def work(tx: Transaction) -> Jar:
            if await tx.jars.seek(owner) is None:
                tx.jars.add(Jar(id=owner, owner_ref=owner, room="north", capacity=1_000_000))
            return await fill_jar(owner, 1, tx)

        return await Runner(
            self.life.engine,
            OperationContext(caller=system("load"), correlation_id=new_id()),
            seconds=2,
        )(work)


async def live(report: Mapping[str, Any]) -> None:
    """Run the service and its load until the kill, at most LIFE_SECONDS.

    Raises TimeoutError when the point was not reached often enough.
    """
    telemetry.configure("shop", "warning")
    trigger = Trigger(report["point"], report["nth"], report["backlog"])
    async with (
        asyncio.timeout(LIFE_SECONDS),
        alive(ShopSettings(**report["settings"]), trigger) as life,
    ):
        if trigger.point:
            answered = os.open(
                Path(report["answered"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
            )
            await Load(life, report["owners"], answered).run()
        else:
            await asyncio.Event().wait()
