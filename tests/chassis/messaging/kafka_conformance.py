"""The broker under test, real or fake, and a consumer of it. Not here: tests."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from chassis.ids import new_id
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.kafka_ports import Consumer, Outgoing, Partition, Producer, Record
from chassis.messaging.kafka_topics import ensure_topic
from ops.local import platform_checks
from tests.fakes import FakeKafka, eventually
from tests.restartable_kafka import RestartableKafka

PARTITIONS = 3
TOO_BIG = b"x" * 2 * 1024 * 1024
Headers = Sequence[tuple[str, bytes | None]]


class Broker(Protocol):
    """A broker with its ports, and what a test does to it without them."""

    def producer(self) -> Producer: ...
    def lost_producer(self) -> Producer:
        """Return a producer whose broker does not answer."""
        ...

    def consumer(self, group: str, member: str, topic: str) -> Consumer: ...
    async def topic(self) -> str: ...
    async def put(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int: ...
    async def forget(self, partition: Partition, before: int) -> None:
        """Delete the records before this offset, as retention does."""
        ...

    async def committed(self, group: str, partition: Partition) -> int: ...


class FakeBroker:
    def __init__(self) -> None:
        self.broker = FakeKafka(partitions=PARTITIONS)
        self.away = FakeKafka(away=True)

    def producer(self) -> Producer:
        return self.broker.producer()

    def lost_producer(self) -> Producer:
        return self.away.producer()

    def consumer(self, group: str, member: str, topic: str) -> Consumer:
        del member  # each of its consumers is a member of its own
        return self.broker.consumer(group, [topic])

    async def topic(self) -> str:
        return new_id()

    async def put(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int:
        return await self.broker.append(topic, key, value, cast("Any", headers))

    async def forget(self, partition: Partition, before: int) -> None:
        self.broker.forget(partition, before)

    async def committed(self, group: str, partition: Partition) -> int:
        return self.broker.committed.get((group, partition), -1)


class LeavingBroker(Protocol):
    """A broker that goes and comes back."""

    def producer(self) -> Producer: ...
    async def topic(self) -> str: ...
    async def go(self) -> None:
        """Answer nothing any more; connections may stay open."""
        ...

    async def come(self) -> None: ...
    async def values(self, topic: str, key: str) -> list[bytes | None]:
        """Return the values of this key in their order, late duplicates left out."""
        ...


class LeavingFakeBroker(FakeBroker):
    async def go(self) -> None:
        self.broker.silent = True

    async def come(self) -> None:
        self.broker.silent = False

    async def values(self, topic: str, key: str) -> list[bytes | None]:
        return _first_values(self.broker.records(topic), key)


class LeavingRealBroker:
    def __init__(self, kafka: RestartableKafka, how: signal.Signals) -> None:
        self.kafka = kafka
        self.how = how

    def producer(self) -> Producer:
        return KafkaProducer(self.kafka.bootstrap, "conformance")

    async def topic(self) -> str:
        topic = new_id()
        await ensure_topic(self.kafka.bootstrap, topic, partitions=PARTITIONS)
        return topic

    async def go(self) -> None:
        await self.kafka.go(self.how)

    async def come(self) -> None:
        await self.kafka.come()

    async def values(self, topic: str, key: str) -> list[bytes | None]:
        group = new_id()
        reader = Reader(KafkaConsumer(self.kafka.bootstrap, group, group, [topic]))
        await reader.consumer.start(reader.assigned, reader.revoked)
        try:
            return _first_values(await polled(reader), key)
        finally:
            await reader.consumer.stop()


def _first_values(records: Iterable[Record], key: str) -> list[bytes | None]:
    return list(dict.fromkeys(one.value for one in records if one.key == key.encode()))


class RealBroker:
    def __init__(self, bootstrap: str, raw: Any, admin: Any) -> None:
        self.bootstrap = bootstrap
        self.raw = raw
        self.admin = admin

    def producer(self) -> Producer:
        return KafkaProducer(self.bootstrap, "conformance")

    def lost_producer(self) -> Producer:
        return KafkaProducer(f"127.0.0.1:{platform_checks.find_free_ports(1)[0]}", "conformance")

    def consumer(self, group: str, member: str, topic: str) -> Consumer:
        return KafkaConsumer(self.bootstrap, group, f"{group}-{member}", [topic])

    async def topic(self) -> str:
        topic = new_id()
        await ensure_topic(self.bootstrap, topic, partitions=PARTITIONS)
        return topic

    async def put(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int:
        return (
            await self.raw.send_and_wait(
                topic, value, key=key, headers=list(headers), partition=0 if key is None else None
            )
        ).offset

    async def forget(self, partition: Partition, before: int) -> None:
        await self.admin.delete_records(
            {TopicPartition(*partition): RecordsToDelete(before_offset=before)}
        )

    async def committed(self, group: str, partition: Partition) -> int:
        offsets = await self.admin.list_consumer_group_offsets(
            group, partitions=[TopicPartition(*partition)]
        )
        return offsets[TopicPartition(*partition)].offset


@asynccontextmanager
async def started(producer: Producer) -> AsyncGenerator[Producer]:
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def outgoing(key: str, *values: bytes) -> list[Outgoing]:
    return [(key.encode(), value, [("ce_id", value[:8])]) for value in values]


class Reader:
    """One member of a group, its rebalances, and the positions at which it begins."""

    def __init__(self, consumer: Consumer, positions: Mapping[int, int] | None = None) -> None:
        self.consumer = consumer
        self.positions = positions or {}
        self.rebalances: list[tuple[str, frozenset[int]]] = []
        self.has: set[Partition] = set()

    async def assigned(self, partitions: set[Partition]) -> Mapping[Partition, int | None]:
        self.rebalances.append(
            ("assigned", frozenset(partition.number for partition in partitions))
        )
        self.has |= partitions
        return {partition: self.positions.get(partition.number) for partition in partitions}

    async def revoked(self, partitions: set[Partition]) -> None:
        if partitions:  # a member without partitions may be notified or not
            self.rebalances.append(
                ("revoked", frozenset(partition.number for partition in partitions))
            )
        self.has -= partitions

    async def read(self, count: int, most: int = 100) -> list[Record]:
        """Read exactly that many records, by polls of at most `most`.

        An assignment sets the positions back, so after one in between all are read again.
        """
        found: list[Record] = []

        async def enough() -> bool:
            rebalances_before = len(self.rebalances)
            polled = await self.consumer.poll(most, 0.2)
            assert sum(map(len, polled.values())) <= most
            assert polled.keys() <= self.has
            if len(self.rebalances) > rebalances_before:
                found.clear()
            found.extend(record for records in polled.values() for record in records)
            return len(found) >= count

        await eventually(enough)
        assert len(found) == count
        assert await self.consumer.poll(most, 0.2) == {}
        return found


@asynccontextmanager
async def reading(
    broker: Broker,
    topic: str,
    *,
    group: str = "",
    member: str = "0",
    positions: Mapping[int, int] | None = None,
) -> AsyncGenerator[Reader]:
    reader = Reader(broker.consumer(group or new_id(), member, topic), positions)
    await reader.consumer.start(reader.assigned, reader.revoked)
    try:
        yield reader
    finally:
        await reader.consumer.stop()


async def values(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    async with reading(broker, topic) as reader:
        return [record.value for record in await reader.read(count)]


async def beside(broker: Broker, topic: str, key: str) -> tuple[str, str]:
    """Return another key of the same partition and a key of another partition.

    Sends one record of each of 21 keys.
    """
    keys = [key, *(f"{key}{number}" for number in range(20))]
    for one in keys:
        await broker.put(topic, one.encode(), b"place")
    async with reading(broker, topic) as reader:
        places = {
            (record.key or b"").decode(): record.partition for record in await reader.read(21)
        }
    [same, *_] = [other for other in keys[1:] if places[other] == places[key]]
    [other, *_] = [other for other in keys[1:] if places[other] != places[key]]
    return same, other


async def fill(broker: Broker, topic: str, keys: Iterable[str], count: int) -> dict[int, list[int]]:
    """Send that many records of each key; return the offsets in each partition."""
    for key in keys:
        for number in range(count):
            await broker.put(topic, key.encode(), f"{key}{number}".encode())
    async with reading(broker, topic) as reader:
        found = await reader.read(len([*keys]) * count)
    places: dict[int, list[int]] = {}
    for record in found:
        places.setdefault(record.partition, []).append(record.offset)
    return places


async def polled(reader: Reader) -> list[Record]:
    """Poll until nothing more comes, and return the records of this member's partitions."""
    found: list[Record] = []

    async def at_the_end() -> bool:
        polled = await reader.consumer.poll(10, 0.2)
        assert polled.keys() <= reader.has
        found.extend(record for records in polled.values() for record in records)
        return not polled and bool(found)

    await eventually(at_the_end)
    return found
