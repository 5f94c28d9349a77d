"""Processes of one service that run step by step, over ports with traps.

Not here: the invariants (machine).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.caller import system
from chassis.messaging.consumer import EventConsumer
from chassis.messaging.inbox import EARLY_JOB
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.kafka_ports import (
    Assigned,
    Consumer,
    Outgoing,
    Partition,
    Producer,
    Record,
    Revoked,
    SendFailed,
    Sent,
)
from chassis.messaging.outbox_relay import OutboxRelay
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from chassis.persistence.unit_of_work import Transaction as UnitOfWork
from tests.fakes import FakeKafka
from tests.model.sample_service import BROKEN, HANDLERS, Admitted, Merged, Noted, Transaction

SENDING = (
    "dies before a send",
    "dies in a send",
    "dies before the mark",
    "send fails half-way",
    "another relay comes first",
)
READING = (
    "dies after a poll",
    "dies before the commit",
    "dies after the commit",
    "batch lost on the way",
    "rebalance after the poll",
    "overtaken after the poll",
)
TRAPS = (*SENDING, *READING)


class Died(BaseException):
    """The process has died. A BaseException, so that no handler catches it."""


class Broker(Protocol):
    """The broker of a story, in memory or real."""

    poll_seconds: float

    def producer(self) -> Producer: ...
    def consumer(self, topic: str, member: str) -> Consumer: ...
    async def records(self, topic: str) -> list[Record]: ...


class InMemoryBroker:
    poll_seconds = 0.0

    def __init__(self) -> None:
        self.fake = FakeKafka(partitions=3)

    def producer(self) -> Producer:
        return self.fake.producer()

    def consumer(self, topic: str, member: str) -> Consumer:
        del member  # each of its consumers is a member of its own
        return self.fake.consumer("shop", [topic])

    async def records(self, topic: str) -> list[Record]:
        return self.fake.records(topic)


class KafkaBroker:
    poll_seconds = 0.2

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def producer(self) -> Producer:
        return KafkaProducer(self.bootstrap, "model")

    def consumer(self, topic: str, member: str) -> Consumer:
        return KafkaConsumer(self.bootstrap, f"{topic}-readers", f"{topic}-{member}", [topic])

    async def records(self, topic: str) -> list[Record]:
        """Return all records, as a reader outside the group sees them."""
        reader: Any = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, auto_offset_reset="earliest"
        )
        await reader.start()
        try:
            # No public way without a group.
            numbers = sorted((await reader._client._wait_on_metadata(topic)) or ())  # noqa: SLF001
            places = [TopicPartition(topic, number) for number in numbers]
            reader.assign(places)
            ends = await reader.end_offsets(places)
            found: list[Record] = []
            async with asyncio.timeout(30):
                while sum(ends.values()) > len(found):
                    for records in (await reader.getmany(timeout_ms=200)).values():
                        found += [
                            Record(
                                one.topic,
                                one.partition,
                                one.offset,
                                one.key,
                                one.value,
                                tuple(one.headers),
                                one.timestamp,
                            )
                            for one in records
                        ]
            return sorted(found, key=lambda record: record.order)
        finally:
            await reader.stop()


class Harness:
    """The processes of the service, the traps set for them, and the keys whose events fail."""

    def __init__(self, db: Mongo, broker: Broker, service: Service[Any]) -> None:
        self.db = db
        self.broker = broker
        self.service = service
        self.broken: set[str] = set()
        self.traps: list[str] = []
        self.processes: dict[str, Process] = {}
        self.fell: list[str] = []

    def falls(self, *traps: str) -> str:
        """Return the trap among these that is set, and remove it."""
        trap = next((trap for trap in self.traps if trap in traps), "")
        if trap:
            self.traps.remove(trap)
            self.fell.append(trap)
        return trap

    async def begin(self, name: str) -> Process:
        """Start a process with this name; it replaces a running one."""
        if name in self.processes:
            await self.end(name)
        process = self.processes[name] = Process(self, name)
        await process.reader.join()
        return process

    async def end(self, name: str) -> None:
        """End a process."""
        process = self.processes.pop(name)
        await process.reader.leave()
        await process.sender.leave()

    def other(self, name: str) -> Process | None:
        """Return another process if one runs."""
        return next((process for other, process in self.processes.items() if other != name), None)


class Process(ServiceRuntime):
    """One process: the service's own runtime, in which nothing runs by itself."""

    def __init__(self, harness: Harness, name: str) -> None:
        self.harness = harness
        self.name = name
        super().__init__(harness.service)
        self.engine.ports = {BROKEN: harness.broken}
        self.engine.before_commit.append(self._before)
        self.engine.after_commit.append(self._after)
        self.sender = SteppedRelay(
            self.db, "shop", name, self.new_producer, namespace=harness.service.settings.namespace
        )
        self.reader = SteppedConsumer(self.engine, self.inbox, "shop", self.new_consumer)

    def new_mongo(self) -> Mongo:
        """Return the one client of all processes."""
        return self.harness.db

    def new_producer(self) -> Producer:
        """Return a producer with traps."""
        return TrappedProducer(self.harness.broker.producer(), self.harness, self.name)

    def new_consumer(self) -> Consumer:
        """Return a consumer with traps."""
        return TrappedConsumer(
            self.harness.broker.consumer(self.relay.topic, self.name), self.harness, self.name
        )

    async def overdue(self) -> bool:
        """Run the job of early events once; True if there may be more to do."""
        return await self.jobs[EARLY_JOB].job.work(self.run)

    @property
    def run(self) -> Runner[Any]:
        """Return a runner for commands."""
        return Runner(self.engine, OperationContext(caller=system("model"), correlation_id="model"))

    async def _before(self, tx: UnitOfWork) -> None:
        if tx.context.what.startswith("batch:") and self.harness.falls("dies before the commit"):
            raise Died

    def _after(self, tx: UnitOfWork) -> None:
        if tx.outbox_rows:
            self.sender.wake({row["key"] for row in tx.outbox_rows})
        if tx.context.what.startswith("batch:") and self.harness.falls("dies after the commit"):
            raise Died


class SteppedRelay(OutboxRelay):
    """The relay, run page by page."""

    async def step(self) -> bool:
        """Sweep once while it believes that it holds the lease; True if there may be more."""
        if not self._lease.held:
            self._reset()
            if not await self._lease.take():
                return False
        await self._read_blocked_keys()
        if not self._named_keys:
            self.wake()
        try:
            return await self.sweep()
        except SendFailed:
            self._reset()
            await self._drop_producer()
            return True

    async def mark(self) -> None:
        """Mark the acknowledged rows, as an idle relay does."""
        await self._mark()

    async def leave(self) -> None:
        """Close the producer and free the lease, which others would wait 8 s for.

        It runs in MongoDB for longer than its holder relies on it.
        """
        await self._drop_producer()
        await self._lease.release()


class SteppedConsumer(EventConsumer[Any]):
    """The consumer's loop, one iteration at a time."""

    port: Consumer

    async def join(self) -> None:
        """Join the group."""
        self.port = self._new_consumer()
        await self.port.start(self._assigned, self._revoked)

    async def leave(self) -> None:
        """Leave the group."""
        self._positions.clear()
        await self.port.stop()

    async def step(self) -> None:
        """Run one iteration of the loop."""
        await self._turn(self.port)

    async def overtake(self, fetched: Mapping[Partition, list[Record]]) -> None:
        """Take over the partitions of another member and process what it has fetched."""
        await self._assigned(set(fetched))
        await self._turn(PrefetchedConsumer(fetched, self.port))


class PrefetchedConsumer:
    """A consumer whose poll returns what another one has fetched."""

    def __init__(self, fetched: Mapping[Partition, list[Record]], inner: Consumer) -> None:
        self.fetched = dict(fetched)
        self.start = inner.start
        self.stop = inner.stop
        self.seek = inner.seek
        self.beginning = inner.beginning
        self.commit = inner.commit
        self.ends = inner.ends
        self.following = inner.following

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        del max_records, timeout_seconds
        return self.fetched


class TrappedConsumer:
    """A consumer with traps."""

    def __init__(self, inner: Consumer, harness: Harness, name: str) -> None:
        self.inner = inner
        self.harness = harness
        self.name = name
        self.stop = inner.stop
        self.seek = inner.seek
        self.beginning = inner.beginning
        self.commit = inner.commit
        self.ends = inner.ends
        self.following = inner.following

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        await self.inner.start(assigned, revoked)

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        del timeout_seconds  # a step has a timeout of its own
        fetched = await self.inner.poll(max_records, self.harness.broker.poll_seconds)
        trap = self.harness.falls(*READING[3:], READING[0]) if fetched else ""
        other = self.harness.other(self.name)
        if trap == "dies after a poll":
            raise Died
        if trap == "batch lost on the way":
            return {}
        if trap == "rebalance after the poll" and isinstance(self.harness.broker, InMemoryBroker):
            await self.harness.broker.fake.rebalance("shop")
        if trap == "overtaken after the poll" and other:
            await other.reader.overtake(fetched)
            return {partition: records[:1] for partition, records in fetched.items()}
        return fetched


class TrappedProducer:
    """A producer with traps."""

    def __init__(self, inner: Producer, harness: Harness, name: str) -> None:
        self.inner = inner
        self.harness = harness
        self.name = name
        self.start = inner.start
        self.stop = inner.stop

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        trap = self.harness.falls(*SENDING)
        middle = (len(records) + 1) // 2
        if trap == "dies before a send":
            raise Died
        if trap in {"dies in a send", "send fails half-way"}:
            sent = await self.inner.send_all(topic, records[:middle])
            if trap == "dies in a send":
                raise Died
            return Sent(sent.acknowledged, sent.failure or SendFailed("trapped"))
        if trap == "another relay comes first" and (other := self.harness.other(self.name)):
            await self.harness.db.update("leases", {"_id": "relay"}, {"$set": {"until": None}})
            await other.sender.step()
        sent = await self.inner.send_all(topic, records)
        if trap == "dies before the mark":
            raise Died
        return sent


def service_of(settings: Any) -> Service[Any]:
    """Return the service of the model."""
    return Service(
        name="shop",
        settings=settings,
        transaction=Transaction,
        routers=(),
        published=(Admitted, Noted, Merged),
        handlers=HANDLERS,
    )
