"""The Kafka producer and consumer, by aiokafka.

Not here: the typed ports (kafka_ports), topics (kafka_topics), decoding (received_events).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    InvalidMessageError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from aiokafka.partitioner import murmur2  # pyright: ignore[reportUnknownVariableType]

from chassis.messaging.kafka_ports import (
    UNDECODABLE_HEADERS,
    Assigned,
    Outgoing,
    Partition,
    Record,
    RecordRefused,
    Revoked,
    SendFailed,
    Sent,
    Where,
    client_options,
)
from chassis.messaging.kafka_topics import run_to_end

CONNECT_SECONDS = 10.0
SEND_SECONDS = 10.0
STOP_SECONDS = 5.0
COMMIT_SECONDS = 5.0
MORE_SECONDS = 0.010
# Longer than the broker holds a fetch that another partition waits for (`fetch_max_wait_ms`).
SINGLE_FETCH_MS = 2_000
_REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)


class KafkaProducer:
    """A producer that is idempotent and waits for all in-sync replicas (`acks=all`)."""

    def __init__(self, where: Where, client_id: str) -> None:
        options: dict[str, Any] = {
            **client_options(where),
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 1,
            "max_batch_size": 131_072,
            "request_timeout_ms": 10_000,
        }
        self._producer: Any = AIOKafkaProducer(**options)
        # Set by a failure or `stop`: aiokafka itself would continue, or wait without end.
        self._is_spent = False

    async def start(self) -> None:
        """Connect. Raises SendFailed when no broker answers within 10 s."""
        try:
            # Without this limit, aiokafka retries a refused password without end.
            async with asyncio.timeout(CONNECT_SECONDS):
                await run_to_end(self._producer.start())
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError | TimeoutError):
                raise SendFailed(type(error).__name__) from error
            raise

    async def stop(self) -> None:
        """Give up what is not acknowledged and close the connections, after at most 10 s."""
        self._is_spent = True
        await run_to_end(self._close())

    async def _close(self) -> None:
        # aiokafka retries the batches of an idempotent producer without end, also in `stop`, and
        # has no public way to give up. The task that sends is therefore cancelled first.
        try:
            await _limited(self._producer._sender.close())  # noqa: SLF001
        finally:
            # Also when cancelled: what is not closed here holds a connection without end.
            await _limited(self._producer.stop())

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """Send these records, with one batch in flight per partition; give up after 10 s.

        With several, a broker that has no batch of this producer yet would accept a batch that
        follows a refused one.
        """
        if self._is_spent:
            return Sent([], SendFailed("spent"))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SEND_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                numbers = sorted(await self._producer.partitions_for(topic))
        except (KafkaError, TimeoutError) as error:
            self._is_spent = True
            return Sent([], SendFailed(type(error).__name__))
        indexes_by_partition: dict[int, list[int]] = {}
        for index, (key, _, _) in enumerate(records):
            number = numbers[_partition_index(key, len(numbers))]
            indexes_by_partition.setdefault(number, []).append(index)
        results = await asyncio.gather(
            *(
                self._send_in_order(Partition(topic, number), indexes, records, deadline)
                for number, indexes in indexes_by_partition.items()
            )
        )
        failures = [result.failure for result in results if result.failure]
        if failures:
            self._is_spent = True
        refusals = [failure for failure in failures if isinstance(failure, RecordRefused)]
        acknowledged = [index for result in results for index in result.acknowledged]
        return Sent(acknowledged, next(iter(refusals + failures), None))

    async def _send_in_order(
        self,
        partition: Partition,
        indexes: list[int],
        records: Sequence[Outgoing],
        deadline: float,
    ) -> Sent:
        """Send the records with these indexes to one partition, until one batch fails.

        The deadline is in loop time.
        """
        sent = 0
        while sent < len(indexes):
            batch, end = self._create_batch(records, indexes, sent)
            try:
                async with asyncio.timeout_at(deadline):
                    acknowledgement = await self._producer.send_batch(
                        batch, partition.topic, partition=partition.number
                    )
                    await acknowledgement
            except _REFUSALS as error:
                return Sent(indexes[:sent], RecordRefused(type(error).__name__))
            except (KafkaError, TimeoutError) as error:
                return Sent(indexes[:sent], SendFailed(type(error).__name__))
            sent = end
        return Sent(indexes)

    def _create_batch(
        self, records: Sequence[Outgoing], indexes: list[int], start: int
    ) -> tuple[Any, int]:
        """Fill a batch with records from `start` on; return it and where the next begins."""
        batch = self._producer.create_batch()
        end = start
        while end < len(indexes):
            key, value, headers = records[indexes[end]]
            if batch.append(key=key, value=value, timestamp=None, headers=list(headers)) is None:
                break
            end += 1
        batch.close()
        return batch, end


async def _limited(step: Awaitable[None]) -> None:
    """Await a step of a stop for at most STOP_SECONDS; ignore its failure."""
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await step


@lru_cache(maxsize=20_000)
def _partition_index(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Kafka's default partitioner chooses it (murmur2)."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions


class KafkaConsumer:
    """A consumer with static group membership and without automatic commits."""

    def __init__(self, where: Where, group: str, member: str, topics: Iterable[str]) -> None:
        self._topics = sorted(topics)
        # The next offset that `poll` returns, of each partition that was ever assigned here.
        self._next: dict[Partition, int] = {}
        # A returning static member gets its former partitions, even if it subscribes to other
        # topics now. The member id therefore contains a checksum of the topics.
        topics_crc = zlib.crc32(",".join(self._topics).encode())
        options: dict[str, Any] = {
            **client_options(where),
            "client_id": member,
            "group_id": group,
            "group_instance_id": f"{member}-{topics_crc:08x}",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "session_timeout_ms": 10_000,
            "heartbeat_interval_ms": 3_000,
            "max_poll_interval_ms": 120_000,
            "fetch_max_wait_ms": 1_000,
            "max_partition_fetch_bytes": 1024 * 1024,
        }
        self._consumer: Any = AIOKafkaConsumer(**options)

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join the group."""
        listener = _Listener(self._consumer, self._next, assigned, revoked)
        self._consumer.subscribe(self._topics, listener=listener)
        await run_to_end(self._consumer.start())

    async def stop(self) -> None:
        """Leave the group."""
        await run_to_end(self._consumer.stop())

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        """Return up to `max_records` records that have arrived; wait for one up to the timeout."""
        fetched = await self._fetch(0, max_records)
        if not fetched:
            return await self._fetch(timeout_seconds, max_records)
        # The client fetches nothing while it holds these records: ask once for later ones.
        left = max_records - sum(map(len, fetched.values()))
        if left > 0:
            for partition, records in (await self._fetch(MORE_SECONDS, left)).items():
                fetched.setdefault(partition, []).extend(records)
        return fetched

    async def _fetch(
        self, timeout_seconds: float, max_records: int
    ) -> dict[Partition, list[Record]]:
        try:
            fetched = await self._consumer.getmany(
                timeout_ms=int(timeout_seconds * 1000), max_records=max_records
            )
        except UnicodeDecodeError:
            return await self._fetch_singly(max_records)
        records_by_partition: dict[Partition, list[Record]] = {}
        for tp, records in fetched.items():
            if records:
                partition = Partition(tp.topic, tp.partition)
                records_by_partition[partition] = [_record(record) for record in records]
                self._next[partition] = records[-1].offset + 1
        return records_by_partition

    async def _fetch_singly(self, max_records: int) -> dict[Partition, list[Record]]:
        """Fetch record by record, to find and skip those that cannot be decoded.

        The client's error does not name the partition, and the client drops what it has fetched.
        """
        assigned = [partition for partition in self._next if self._is_assigned(partition)]
        for partition in assigned:
            await self.seek(partition, self._next[partition])
        fetched: dict[Partition, list[Record]] = {}
        left = max_records
        for partition in assigned:
            if records := await self._read_singly(partition, left):
                fetched[partition] = records
                left -= len(records)
        return fetched

    async def _read_singly(self, partition: Partition, max_records: int) -> list[Record]:
        """Return the next records of one partition, also those that cannot be decoded.

        The client decodes a batch from its start. It can therefore not read the records behind
        an undecodable one in the same batch either.
        """
        tp = _tp(partition)
        records: list[Record] = []
        while len(records) < max_records and self._is_behind(partition):
            try:
                fetched = await self._consumer.getmany(
                    tp, timeout_ms=SINGLE_FETCH_MS, max_records=1
                )
            except UnicodeDecodeError:
                records.append(await self._skip_undecodable(partition))
                continue
            if not fetched:
                break
            [record] = fetched[tp]
            records.append(_record(record))
            self._next[partition] = record.offset + 1
        return records

    async def _skip_undecodable(self, partition: Partition) -> Record:
        """Seek past the record that the client could not decode; return what is known of it."""
        tp = _tp(partition)
        # In this call the client gives up the failed fetch and moves its position to the record.
        await self._consumer.getmany(tp, timeout_ms=0, max_records=1)
        offset: int = await self._consumer.position(tp)
        await self.seek(partition, offset + 1)
        return Record(*partition, offset, None, None, UNDECODABLE_HEADERS, 0)

    def _is_assigned(self, partition: Partition) -> bool:
        return _tp(partition) in self._consumer.assignment()

    def _is_behind(self, partition: Partition) -> bool:
        """Return whether records may wait in a partition that is assigned here."""
        if not self._is_assigned(partition):
            return False
        end = self._consumer.last_stable_offset(_tp(partition))
        return end is None or self._next[partition] < end

    async def seek(self, partition: Partition, offset: int) -> None:
        """Continue reading at this offset; ignore a partition that is no longer assigned."""
        with suppress(IllegalStateError):
            self._consumer.seek(_tp(partition), offset)
            self._next[partition] = offset

    async def beginning(self, partition: Partition) -> int:
        """Return the offset of the oldest record that is left."""
        return (await self._consumer.beginning_offsets([_tp(partition)]))[_tp(partition)]

    async def following(self, partition: Partition, offset: int) -> int:
        """Fetch again; return the offset of the first record from `offset` on, else the end.

        `poll` continues there. The marker that ends a Kafka transaction is not a record.
        """
        await self.seek(partition, offset)
        tp = _tp(partition)
        try:
            fetched = await self._consumer.getmany(tp, timeout_ms=1000, max_records=1)
            first: int = fetched[tp][0].offset if fetched else await self._consumer.position(tp)
        except UnicodeDecodeError:
            first = (await self._skip_undecodable(partition)).offset
        await self.seek(partition, first)
        return first

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Commit positions to the broker; a failure only affects lag tools."""
        offsets = {
            _tp(partition): offset
            for partition, offset in positions.items()
            if self._is_assigned(partition)
        }
        if not offsets:
            return
        with suppress(KafkaError, TimeoutError):
            # Without this limit, aiokafka looks for a broker without end.
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._consumer.commit(offsets)

    def ends(self) -> dict[Partition, int]:
        """Return where each assigned partition ended at the last fetch.

        Records of an open Kafka transaction lie beyond that end.
        """
        ends: dict[Partition, int] = {}
        for tp in self._consumer.assignment():
            end = self._consumer.last_stable_offset(tp)
            if end is not None:
                ends[Partition(tp.topic, tp.partition)] = end
        return ends


class _Listener(ConsumerRebalanceListener):
    """Seeks assigned partitions to the positions that the owner keeps."""

    def __init__(
        self, consumer: Any, offsets: dict[Partition, int], assigned: Assigned, revoked: Revoked
    ) -> None:
        self._consumer = consumer
        self._next = offsets
        self._assigned = assigned
        self._revoked = revoked

    # aiokafka's annotations do not say that both methods may be coroutines.
    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        revoked: Iterable[TopicPartition],
    ) -> None:
        await self._revoked({Partition(tp.topic, tp.partition) for tp in revoked})

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        assigned: Iterable[TopicPartition],
    ) -> None:
        partitions = {Partition(tp.topic, tp.partition) for tp in assigned}
        for partition, position in (await self._assigned(partitions)).items():
            tp = _tp(partition)
            if position is None:
                position = (await self._consumer.beginning_offsets([tp]))[tp]  # noqa: PLW2901
            self._consumer.seek(tp, position)
            self._next[partition] = position


def _tp(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


def _record(record: Any) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        tuple(record.headers),
        record.timestamp,
    )
