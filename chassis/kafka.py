"""The Kafka seam: typed producer and consumer ports, their real ones, topics. The only importer of aiokafka. Not here: what a record means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import IllegalStateError, InvalidMessageError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, TopicAlreadyExistsError

PARTITIONS = 12
RETENTION_DAYS = 30


class SendFailed(Exception):
    """The broker did not acknowledge; the producer must be thrown away."""


class RecordRefused(SendFailed):
    """The broker refuses this very record, and will again."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


class Producer(Protocol):
    """Sends records, idempotently, acknowledged by all in-sync replicas, in order per key."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def send(self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
        """Hand a record over; the awaitable ends when the broker has it, with SendFailed when not."""
        ...


Assigned = Callable[[set[Partition]], Awaitable[Mapping[Partition, int | None]]]
Revoked = Callable[[set[Partition]], Awaitable[None]]


class Consumer(Protocol):
    """Reads topics as a member of a group, from positions that its owner keeps."""

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join. On each assignment `assigned` gives the position of each partition; None = its beginning."""
        ...

    async def stop(self) -> None: ...
    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]: ...
    async def seek(self, partition: Partition, offset: int) -> None: ...
    async def beginning(self, partition: Partition) -> int: ...
    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the broker where we are; for lag tools only."""
        ...

    async def lag(self) -> dict[Partition, int]: ...


class KafkaProducer:
    """The real producer."""

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._producer: Any = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            client_id=client_id,
            enable_idempotence=True,
            acks="all",
            linger_ms=1,
            max_batch_size=131_072,
            request_timeout_ms=10_000,
            compression_type=None,
        )

    async def start(self) -> None:
        """Connect."""
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise SendFailed(type(error).__name__) from error

    async def stop(self) -> None:
        """Send what is left for at most a moment, and close."""
        try:
            async with asyncio.timeout(5):
                await self._producer.stop()
        except (KafkaError, TimeoutError):
            return  # a producer that cannot end in order is thrown away all the same

    async def send(self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
        """Hand a record over."""
        try:
            handed = await self._producer.send(topic, value, key=key, headers=list(headers))
        except MessageSizeTooLargeError as error:
            raise RecordRefused(type(error).__name__) from error
        except KafkaError as error:
            raise SendFailed(type(error).__name__) from error
        return _acknowledged(handed)


async def _acknowledged(handed: Awaitable[object]) -> object:
    try:
        return await handed
    except (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError) as error:
        raise RecordRefused(type(error).__name__) from error
    except (KafkaError, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling():
            raise
        raise SendFailed(type(error).__name__) from error


class KafkaConsumer:
    """The real consumer: one group, static membership, no automatic commits."""

    def __init__(self, bootstrap: str, group: str, member: str, topics: Iterable[str]) -> None:
        self._topics = sorted(topics)
        self._consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            group_instance_id=member,
            client_id=member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
            max_poll_interval_ms=120_000,
            fetch_max_wait_ms=1_000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join the group."""
        self._consumer.subscribe(self._topics, listener=_Listener(self._consumer, assigned, revoked))
        await self._consumer.start()

    async def stop(self) -> None:
        """Leave."""
        await self._consumer.stop()

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        """What has come, at most `max_records`, after at most the timeout."""
        fetched = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
        return {
            Partition(tp.topic, tp.partition): [Record(tp.topic, tp.partition, r.offset, r.key, r.value, tuple(r.headers), r.timestamp) for r in records]
            for tp, records in fetched.items()
            if records
        }

    async def seek(self, partition: Partition, offset: int) -> None:
        """Read from there next; a partition that is no longer ours is left alone."""
        try:
            self._consumer.seek(TopicPartition(partition.topic, partition.number), offset)
        except IllegalStateError:
            return

    async def beginning(self, partition: Partition) -> int:
        """The offset of the oldest record that is left."""
        tp = TopicPartition(partition.topic, partition.number)
        return (await self._consumer.beginning_offsets([tp]))[tp]

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the broker where we are; a failure costs nothing but a tool's view."""
        ours = {(tp.topic, tp.partition) for tp in self._consumer.assignment()}
        positions = {partition: offset for partition, offset in positions.items() if (partition.topic, partition.number) in ours}
        if not positions:
            return
        try:
            await self._consumer.commit({TopicPartition(p.topic, p.number): offset for p, offset in positions.items()})
        except (KafkaError, IllegalStateError):
            return

    async def lag(self) -> dict[Partition, int]:
        """Events not read yet, per assigned partition, as of the last fetch."""
        found: dict[Partition, int] = {}
        for tp in self._consumer.assignment():
            high = self._consumer.highwater(tp)
            if high is not None:
                found[Partition(tp.topic, tp.partition)] = max(0, high - await self._consumer.position(tp))
        return found


class _Listener(ConsumerRebalanceListener):
    def __init__(self, consumer: Any, assigned: Assigned, revoked: Revoked) -> None:
        self._consumer, self._assigned, self._revoked = consumer, assigned, revoked

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # may be a coroutine, which its annotation does not say
        await self._revoked({Partition(tp.topic, tp.partition) for tp in revoked})

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        partitions = {Partition(tp.topic, tp.partition) for tp in assigned}
        for partition, position in (await self._assigned(partitions)).items():
            tp = TopicPartition(partition.topic, partition.number)
            self._consumer.seek(tp, (await self._consumer.beginning_offsets([tp]))[tp] if position is None else position)


async def ensure_topic(bootstrap: str, topic: str, *, partitions: int = PARTITIONS, replicas: int = 1) -> None:
    """Make the topic when it is not there; an existing one is never altered."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if topic in await admin.list_topics():
            return
        settings = {"retention.ms": str(RETENTION_DAYS * 86_400_000), "min.insync.replicas": str(max(1, replicas - 1))}
        await admin.create_topics([NewTopic(topic, partitions, replicas, topic_configs=settings)])
    except TopicAlreadyExistsError:
        return
    finally:
        await admin.close()


KafkaUnavailable = KafkaError
