"""The Kafka seam: typed producer and consumer ports, their real ones, topics. The only importer of aiokafka. Not here: what a record means."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.consumer import fetcher
from aiokafka.errors import (
    IllegalStateError,
    InvalidMessageError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
)
from aiokafka.partitioner import murmur2  # pyright: ignore[reportUnknownVariableType]
from aiokafka.record import default_records, memory_records

PARTITIONS, RETENTION_DAYS = 12, 30
CONNECT_SECONDS, ENDING_SECONDS = 10.0, 2.0
MORE_SECONDS = 0.010
KafkaUnavailable = KafkaError
_REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)


class SendFailed(Exception):
    """The broker did not acknowledge; the producer must be thrown away."""


class RecordRefused(SendFailed):
    """The broker refuses these very records, and will again."""


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """How a broker is reached: where, as whom (as nobody without a password), and whose word for it is taken (without a CA nothing is encrypted)."""

    bootstrap: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None
    mechanism: Literal["SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-512"

    def options(self) -> dict[str, Any]:
        """What every client of this broker is made with."""
        identity = (
            {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
            if self.password
            else {}
        )
        line = {"ssl_context": ssl.create_default_context(cafile=self.ca)} if self.ca else {}
        protocol = ("SASL_" if identity else "") + ("SSL" if line else "PLAINTEXT")
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": protocol,
            **identity,
            **line,
        }


Where = str | BrokerAccess  # only its address: a broker that asks nobody who he is


def _options(where: Where) -> dict[str, Any]:
    return (BrokerAccess(where) if isinstance(where, str) else where).options()


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int

    @property
    def order(self) -> str:
        """Its place, as text that sorts as the records of a key do."""
        return f"{self.topic}/{self.partition:05d}/{self.offset:020d}"


Outgoing = tuple[bytes, bytes, Sequence[tuple[str, bytes]]]  # key, value, headers


@dataclass(frozen=True, slots=True)
class Sent:
    """Which of the records (by their place) the broker has acknowledged, and why not the others."""

    acknowledged: list[int]
    failure: SendFailed | None = None


class Producer(Protocol):
    """Sends records, idempotently, acknowledged by all in-sync replicas, in order per key. After a failure it is of no more use."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """Send these records; nothing of a partition is handed over that follows what was not acknowledged."""
        ...


Assigned = Callable[[set[Partition]], Awaitable[Mapping[Partition, int | None]]]
Revoked = Callable[[set[Partition]], Awaitable[None]]


class Consumer(Protocol):
    """Reads topics as a member of a group, from positions that its owner keeps."""

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join. On each assignment `assigned` gives the position of each partition; None = its beginning."""
        ...

    async def stop(self) -> None: ...
    async def poll(
        self, max_records: int, timeout_seconds: float
    ) -> dict[Partition, list[Record]]: ...
    async def seek(self, partition: Partition, offset: int) -> None: ...
    async def beginning(self, partition: Partition) -> int: ...
    async def following(self, partition: Partition, offset: int) -> int: ...
    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the broker where we are; for lag tools only."""
        ...

    def ends(self) -> dict[Partition, int]:
        """Where each assigned partition ends, as far as it is known."""
        ...


class KafkaProducer:
    """The real producer."""

    def __init__(self, where: Where, client_id: str) -> None:
        options: dict[str, Any] = {
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 1,
            "max_batch_size": 131_072,
            "request_timeout_ms": 10_000,
        }
        self._producer: Any = AIOKafkaProducer(client_id=client_id, **_options(where), **options)
        self._spent = False  # the client itself would go on behind a failure, and wait without end once it is stopped

    async def start(self) -> None:
        """Connect; SendFailed when no broker answers."""
        try:
            async with asyncio.timeout(
                CONNECT_SECONDS
            ):  # a broker that refuses the password is asked again without end
                await _to_its_end(self._producer.start())
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError | TimeoutError):
                raise SendFailed(type(error).__name__) from error
            raise

    async def stop(self) -> None:
        """Close."""
        self._spent = True
        with suppress(
            KafkaError, TimeoutError
        ):  # one that cannot end in order is thrown away all the same
            async with asyncio.timeout(5):
                await _to_its_end(self._producer.stop())

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """Send these records, a partition's one batch after the other: a broker that knows nothing of us yet would take a batch behind one that it has refused."""
        partitions: dict[int, list[int]] = {}
        if self._spent:
            return Sent([], SendFailed("spent"))
        try:
            numbers = sorted(await self._producer.partitions_for(topic))
        except KafkaError as error:
            self._spent = True
            return Sent([], SendFailed(type(error).__name__))
        for place, (key, _, _) in enumerate(records):
            partitions.setdefault(numbers[_place(key, len(numbers))], []).append(place)
        sent = await asyncio.gather(
            *(
                self._in_order(topic, number, places, records)
                for number, places in partitions.items()
            )
        )
        failures = sorted(
            (one.failure for one in sent if one.failure),
            key=lambda failure: not isinstance(failure, RecordRefused),
        )
        self._spent = self._spent or bool(failures)
        return Sent(
            [place for one in sent for place in one.acknowledged], failures[0] if failures else None
        )

    async def _in_order(
        self, topic: str, partition: int, places: list[int], records: Sequence[Outgoing]
    ) -> Sent:
        done = 0
        while done < len(places):
            batch, end = self._producer.create_batch(), done
            while end < len(places):
                key, value, headers = records[places[end]]
                if (
                    batch.append(key=key, value=value, timestamp=None, headers=list(headers))
                    is None
                ):
                    break
                end += 1
            batch.close()
            try:
                await (await self._producer.send_batch(batch, topic, partition=partition))
            except KafkaError as error:
                kind = RecordRefused if isinstance(error, _REFUSALS) else SendFailed
                return Sent(places[:done], kind(type(error).__name__))
            done = end
        return Sent(places)


@lru_cache(maxsize=20_000)
def _place(key: bytes, partitions: int) -> int:
    """The partition of a key, as every Kafka client reckons it."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions


class KafkaConsumer:
    """The real consumer: one group, static membership, no automatic commits."""

    def __init__(self, where: Where, group: str, member: str, topics: Iterable[str]) -> None:
        self._topics = sorted(topics)
        mode: dict[str, Any] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "session_timeout_ms": 10_000,
        }
        limits: dict[str, Any] = {
            "heartbeat_interval_ms": 3_000,
            "max_poll_interval_ms": 120_000,
            "fetch_max_wait_ms": 1_000,
            "max_partition_fetch_bytes": 1024 * 1024,
        }
        # A static member that comes back is given the partitions that it had, whatever it now listens to: with other topics it must be another.
        instance = f"{member}-{zlib.crc32(','.join(self._topics).encode()):08x}"
        self._consumer: Any = AIOKafkaConsumer(
            group_id=group,
            group_instance_id=instance,
            client_id=member,
            **_options(where),
            **mode,
            **limits,
        )

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join the group."""
        self._consumer.subscribe(
            self._topics, listener=_Listener(self._consumer, assigned, revoked)
        )
        await _to_its_end(self._consumer.start())

    async def stop(self) -> None:
        """Leave."""
        await _to_its_end(self._consumer.stop())

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        """What has come, at most `max_records`, after at most the timeout."""
        fetched = await self._taken(0, max_records)
        if not fetched:
            return await self._taken(timeout_seconds, max_records)
        # It came while we were busy, and the client has asked for nothing since: what has come after it is a question away.
        if (left := max_records - sum(map(len, fetched.values()))) > 0:
            for partition, records in (await self._taken(MORE_SECONDS, left)).items():
                fetched.setdefault(partition, []).extend(records)
        return fetched

    async def _taken(
        self, timeout_seconds: float, max_records: int
    ) -> dict[Partition, list[Record]]:
        try:
            fetched = await self._consumer.getmany(
                timeout_ms=int(timeout_seconds * 1000), max_records=max_records
            )
        except UnicodeDecodeError as error:  # at such a record the client would stop for ever; what came of other partitions is lost with it
            read_leniently()
            raise KafkaUnavailable("the name of a header is no text") from error
        return {
            Partition(tp.topic, tp.partition): _records(records)
            for tp, records in fetched.items()
            if records
        }

    async def seek(self, partition: Partition, offset: int) -> None:
        """Read from there next; a partition that is no longer ours is left alone."""
        with suppress(IllegalStateError):
            self._consumer.seek(_tp(partition), offset)

    async def beginning(self, partition: Partition) -> int:
        """The offset of the oldest record that is left."""
        return (await self._consumer.beginning_offsets([_tp(partition)]))[_tp(partition)]

    async def following(self, partition: Partition, offset: int) -> int:
        """The offset of the first record from there on, asked anew (what marks the end of a transaction is none), else the end. It is read on from there."""
        await self.seek(partition, offset)
        found = await self._consumer.getmany(tp := _tp(partition), timeout_ms=1000, max_records=1)
        at: int = found[tp][0].offset if found else await self._consumer.position(tp)
        await self.seek(partition, at)
        return at

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the broker where we are; a failure costs nothing but a tool's view."""
        ours = self._consumer.assignment()
        if offsets := {
            _tp(partition): offset
            for partition, offset in positions.items()
            if _tp(partition) in ours
        }:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(5):  # the client itself asks for a broker without end
                    await self._consumer.commit(offsets)

    def ends(self) -> dict[Partition, int]:
        """Where each assigned partition ended at the last fetch; what is in a transaction that goes on lies beyond."""
        return {
            Partition(tp.topic, tp.partition): end
            for tp in self._consumer.assignment()
            if (end := self._consumer.last_stable_offset(tp)) is not None
        }


class _Bytes(bytearray):
    """Bytes of which a text that is none is escaped."""

    def __getitem__(self, at: Any) -> Any:
        plain: Any = super()
        return _Bytes(plain.__getitem__(at)) if isinstance(at, slice) else plain.__getitem__(at)

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


def read_leniently() -> None:
    """Read records from now on by the client's slower reader, which can be told what to make of a header whose name is no text: a name that nobody knows."""
    client: Any = default_records
    client.bytearray = _Bytes  # of which it makes its buffers
    memory_records.DefaultRecordBatch, fetcher.MemoryRecords = (
        client._DefaultRecordBatchPy,  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        memory_records._MemoryRecordsPy,  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    )


class _Listener(ConsumerRebalanceListener):
    def __init__(self, consumer: Any, assigned: Assigned, revoked: Revoked) -> None:
        self._consumer, self._assigned, self._revoked = consumer, assigned, revoked

    # its annotations do not say that both may be coroutines
    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        await self._revoked({Partition(tp.topic, tp.partition) for tp in revoked})

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        partitions = {Partition(tp.topic, tp.partition) for tp in assigned}
        for partition, position in (await self._assigned(partitions)).items():
            tp = _tp(partition)
            self._consumer.seek(
                tp,
                (await self._consumer.beginning_offsets([tp]))[tp]
                if position is None
                else position,
            )


def _tp(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


def _records(records: Iterable[Any]) -> list[Record]:
    return [
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


async def _to_its_end(step: Awaitable[None]) -> None:
    """Await a client's start or stop, to its end even when cancelled: midway it has connections that nothing closes. A broker that is away keeps us two seconds."""
    taken = asyncio.ensure_future(step)
    try:
        await asyncio.shield(taken)
    except asyncio.CancelledError:
        await asyncio.wait([taken], timeout=ENDING_SECONDS)
        taken.cancel()
        await asyncio.gather(taken, return_exceptions=True)
        raise


@asynccontextmanager
async def administering(where: Where) -> AsyncGenerator[Any]:
    """The library's administrator of a broker, while the block lasts."""
    admin: Any = AIOKafkaAdminClient(**_options(where))
    try:
        await _to_its_end(admin.start())
        yield admin
    finally:
        await _to_its_end(admin.close())


async def ensure_topic(where: Where, topic: str, *, partitions: int = PARTITIONS) -> None:
    """Make the topic when it is not there, with the broker's own number of replicas; an existing one is never altered."""
    async with administering(where) as admin:
        if topic not in await admin.list_topics():
            wanted = NewTopic(
                topic,
                partitions,
                1,
                topic_configs={"retention.ms": str(RETENTION_DAYS * 86_400_000)},
            )
            wanted.replication_factor = (
                -1
            )  # the broker's default, which the class does not accept in its constructor
            for _, code, message in (await admin.create_topics([wanted])).topic_errors:
                if code not in {0, TopicAlreadyExistsError.errno}:
                    raise KafkaUnavailable(f"{topic}: {message}")
