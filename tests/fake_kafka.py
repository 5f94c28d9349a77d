"""A Kafka in memory; it passes the conformance suite tests/chassis/messaging/test_kafka.py."""

from __future__ import annotations

import asyncio
import operator
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chassis.messaging import kafka
from chassis.messaging.kafka_ports import (
    Assigned,
    Outgoing,
    Partition,
    Producer,
    Record,
    RecordRefused,
    Revoked,
    SendFailed,
    Sent,
)

# about the largest value that a broker accepts by default
MAX_VALUE_BYTES = 1024 * 1024


@dataclass(slots=True)
class FakeKafka:
    """A broker in memory: partitioned topics, idempotent appends, groups of consumers.

    Tests set faults on it. While it is `silent`, a send ends only at its deadline. `losing` says of
    each of the next fetches whether it is lost.
    """

    partitions: int = 3
    logs: dict[Partition, list[Record]] = field(default_factory=dict)
    ends: dict[Partition, int] = field(default_factory=dict)
    committed: dict[tuple[str, Partition], int] = field(default_factory=dict)
    members: list[FakeConsumer] = field(default_factory=list)
    away: bool = False
    silent: bool = False
    refuses: Callable[[bytes], bool] = lambda value: len(value) > MAX_VALUE_BYTES
    fails: Callable[[bytes], bool] = lambda _: False
    losing: list[bool] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def partition(self, topic: str, key: bytes) -> Partition:
        """Return the partition of a key."""
        return Partition(topic, zlib.crc32(key) % self.partitions)

    async def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> int:
        """Add a record and return its offset."""
        where = self.partition(topic, key or b"")
        log = self.logs.setdefault(where, [])
        offset = self.ends.get(where, 0)
        self.ends[where] = offset + 1
        log.append(Record(topic, where.number, offset, key, value, tuple(headers), 0))
        async with self.changed:
            self.changed.notify_all()
        return offset

    def forget(self, partition: Partition, before: int) -> None:
        """Delete the records before this offset, as retention does."""
        self.logs[partition] = [
            record for record in self.logs[partition] if record.offset >= before
        ]

    def beginning(self, partition: Partition) -> int:
        """Return the offset of the oldest record that is left."""
        log = self.logs.get(partition)
        return log[0].offset if log else self.ends.get(partition, 0)

    def records(self, topic: str) -> list[Record]:
        """Return all records of a topic, partition by partition."""
        partitions = sorted(
            (where for where in self.logs if where.topic == topic),
            key=operator.attrgetter("number"),
        )
        return [record for where in partitions for record in self.logs[where]]

    def producer(self) -> FakeProducer:
        """Return a new producer."""
        return FakeProducer(self)

    def consumer(self, group: str, topics: Iterable[str]) -> FakeConsumer:
        """Return a new member of a group."""
        return FakeConsumer(self, group, list(topics))

    async def rebalance(self, group: str) -> None:
        """Distribute the partitions of a group's topics among its members."""
        members = [member for member in self.members if member.group == group]
        for member in members:
            await member.take(set())
        topics = sorted({topic for member in members for topic in member.topics})
        everything = [
            Partition(topic, number) for topic in topics for number in range(self.partitions)
        ]
        for index, member in enumerate(members):
            await member.take(set(everything[index :: len(members)]))


async def send(
    producer: Producer,
    topic: str,
    key: str,
    value: bytes,
    headers: Sequence[tuple[str, bytes]] = (),
) -> None:
    """Send one record and await its acknowledgement. Raises SendFailed."""
    sent = await producer.send_all(topic, [(key.encode(), value, headers)])
    if sent.failure is not None:
        raise sent.failure


class FakeProducer:
    """Sends to a FakeKafka; after one failed send it only fails, as an idempotent producer does."""

    def __init__(self, broker: FakeKafka) -> None:
        self._broker = broker
        self._broken = False

    async def start(self) -> None:
        """Connect. Raises SendFailed while the broker is away."""
        if self._broker.away:
            raise SendFailed("away")

    async def stop(self) -> None:
        """Close."""
        self._broken = True

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """Append in order; behind a failed record nothing of its partition is sent."""
        acknowledged: list[int] = []
        blocked: set[Partition] = set()
        failure: SendFailed | None = None
        if self._broker.silent and not self._broken:
            await asyncio.sleep(kafka.SEND_SECONDS)
            self._broken = True
        for index, (key, value, headers) in enumerate(records):
            where = self._broker.partition(topic, key)
            if where in blocked:
                continue
            if self._broken or self._broker.away or self._broker.fails(value):
                failure = failure or SendFailed("away")
            elif self._broker.refuses(value):
                failure = RecordRefused("refused")
            else:
                await self._broker.append(topic, key, value, headers)
                acknowledged.append(index)
                continue
            blocked.add(where)
        self._broken = self._broken or failure is not None
        return Sent(acknowledged, failure)


class FakeConsumer:
    """A member of a group of a FakeKafka."""

    def __init__(self, broker: FakeKafka, group: str, topics: list[str]) -> None:
        self.group = group
        self.topics = topics
        self._broker = broker
        self._at: dict[Partition, int] = {}
        self._assigned: Assigned | None = None
        self._revoked: Revoked | None = None

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join and rebalance."""
        self._assigned = assigned
        self._revoked = revoked
        self._broker.members.append(self)
        await self._broker.rebalance(self.group)

    async def stop(self) -> None:
        """Leave and rebalance."""
        if self in self._broker.members:
            self._broker.members.remove(self)
            await self._broker.rebalance(self.group)

    async def take(self, partitions: set[Partition]) -> None:
        """Be assigned these partitions instead of the former ones."""
        if self._at and self._revoked:
            await self._revoked(set(self._at))
        self._at = {}
        if partitions and self._assigned:
            self._at = {
                where: self._broker.beginning(where) if offset is None else offset
                for where, offset in (await self._assigned(partitions)).items()
            }

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        """Return the next records, at most `max_records`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                fetched = self._fetch(max_records)
                while not fetched:
                    async with self._broker.changed:
                        await self._broker.changed.wait()
                    fetched = self._fetch(max_records)
        except TimeoutError:
            return {}
        is_lost = bool(self._broker.losing) and self._broker.losing.pop(0)
        return {} if is_lost else fetched

    def _fetch(self, max_records: int) -> dict[Partition, list[Record]]:
        fetched: dict[Partition, list[Record]] = {}
        for partition, position in self._at.items():
            first = self._valid_offset(partition, position)
            log = self._broker.logs.get(partition, [])
            records = [record for record in log if record.offset >= first][:max_records]
            if records and not self._broker.away:
                fetched[partition] = records
                self._at[partition] = records[-1].offset + 1
                max_records -= len(records)
        return fetched

    def _valid_offset(self, partition: Partition, position: int) -> int:
        """Return the position, or the beginning if the log does not reach to it."""
        beginning = self._broker.beginning(partition)
        end = self._broker.ends.get(partition, 0)
        return position if beginning <= position <= end else beginning

    async def seek(self, partition: Partition, offset: int) -> None:
        """Read from this offset next."""
        if partition in self._at:
            self._at[partition] = offset

    async def following(self, partition: Partition, offset: int) -> int:
        """Return the offset of the next record, else of the end."""
        log = [
            record.offset
            for record in self._broker.logs.get(partition, [])
            if record.offset >= offset
        ]
        self._at[partition] = log[0] if log else self._broker.ends.get(partition, 0)
        return self._at[partition]

    async def beginning(self, partition: Partition) -> int:
        """Return the oldest offset."""
        return self._broker.beginning(partition)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Store these positions at the broker."""
        self._broker.committed.update(
            {
                (self.group, where): offset
                for where, offset in positions.items()
                if where in self._at
            }
        )

    def ends(self) -> dict[Partition, int]:
        """Return the end offset of each assigned partition."""
        return {where: self._broker.ends.get(where, 0) for where in self._at}
