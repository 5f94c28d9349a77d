"""The loop that reads topics: batches, positions in MongoDB, backpressure, rebalances. Not here: what an event does (inbox, the service's handlers).

A batch is one transaction of effects, inbox rows, outbox rows and positions. The position of each partition is guarded on the batch's first offset, so a
member that lost a partition cannot commit, and a crash between effect and position does not exist.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic

from opentelemetry import trace

from chassis import mongo, telemetry
from chassis.auth import system
from chassis.ids import new_id, utc_now
from chassis.inbox import Arrival, Counted, Inbox, Tx
from chassis.kafka import Consumer, KafkaUnavailable, Partition, Record
from chassis.mongo import DuplicateKey, TransactionConflict
from chassis.runner import Engine
from chassis.unit_of_work import AgainWithout, Cause

MAX_EVENTS, MAX_WRITES, MAX_BYTES, MAX_SECONDS = 500, 5_000, 4 * 1024 * 1024, 1.0
LOOK_SECONDS, STALL_SECONDS, BACKWARD, GROW_AFTER = 5.0, 60.0, 5_000, 10
log = telemetry.log(__name__)
tracer = trace.get_tracer("bina")


class PositionMoved(Exception):
    """Another member has gone on from here; what we hold of these partitions is not ours to apply."""


class TooManyWrites(Exception):
    """The batch writes more than one transaction should."""


@dataclass(slots=True)
class _Position:
    """Where a partition stands: `stored` in MongoDB, `next` to be read (ahead of it only by events that nobody here reads)."""

    stored: int | None
    next: int


class EventConsumer(Generic[Tx]):
    """Reads the topics of one service's handlers, for ever."""

    def __init__(self, engine: Engine[Tx], inbox: Inbox[Tx], service: str, consumer: Callable[[], Consumer], *, max_events: int = MAX_EVENTS) -> None:
        self.engine, self.inbox, self.service = engine, inbox, service
        self._new_consumer = consumer
        self._positions: dict[Partition, _Position] = {}
        self._max = self._size = max_events
        self._clean = 0
        self._looked = self._committed = 0.0
        self._moved_at: dict[Partition, float] = {}
        self._failed: dict[str, str] = {}
        self._suspects: set[str] = set()
        self._ending = False
        self.joined = asyncio.Event()
        self.came_round = 0.0

    def stop(self) -> None:
        """End after the batch at hand."""
        self._ending = True

    async def run(self) -> None:
        """Consume for ever; ends when cancelled. MongoDB, Kafka or the network away: waits and goes on, parks nothing."""
        while not self._ending:
            consumer = self._new_consumer()
            try:
                await consumer.start(self._assigned, self._revoked)
                await self._loop(consumer)
            except (KafkaUnavailable, mongo.MongoError, _Stalled) as error:
                log.warning("consumer_interrupted", error=type(error).__name__)
            finally:
                self.joined.clear()
                self._positions.clear()
                await _stopped(consumer)
            await asyncio.sleep(0 if self._ending else 1)

    async def _loop(self, consumer: Consumer) -> None:
        while not self._ending:
            fetched = await consumer.poll(self._size, MAX_SECONDS)
            self.came_round = asyncio.get_running_loop().time()
            telemetry.CONSUMER_PROGRESS.set_to_current_time()
            for records in _batches(await self._ours(consumer, fetched)):
                await self._take(consumer, records)
            await self._look(consumer)

    # Positions

    async def _assigned(self, partitions: set[Partition]) -> Mapping[Partition, int | None]:
        while True:
            try:
                rows = {row["_id"]: row["next"] for row in await self.engine.db.find("offsets", {"_id": {"$in": [self._row(p) for p in partitions]}})}
                break
            except mongo.MongoError:
                await asyncio.sleep(1)
        for partition in partitions:
            stored = rows.get(self._row(partition))
            self._positions[partition] = _Position(stored, -1 if stored is None else stored)
        self.joined.set()
        return {partition: rows.get(self._row(partition)) for partition in partitions}

    async def _revoked(self, partitions: set[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)

    def _row(self, partition: Partition) -> str:
        return f"{self.service}/{partition.topic}/{partition.number}"

    async def _ours(self, consumer: Consumer, fetched: Mapping[Partition, list[Record]]) -> list[Record]:
        """The records that continue where each partition stands. A gap is read again, or told when the broker no longer has it."""
        ours: list[Record] = []
        for partition, records in fetched.items():
            position = self._positions.get(partition)
            if position is None:
                continue
            if position.next < 0:
                position.next = records[0].offset
            continuing = [record for record in records if record.offset >= position.next]
            if continuing and continuing[0].offset > position.next:
                beginning = await consumer.beginning(partition)
                if beginning <= position.next:
                    await consumer.seek(partition, position.next)
                    continue
                log.error("records_gone", topic=partition.topic, partition=partition.number, first=position.next, before=beginning)
                position.next = continuing[0].offset
            if continuing:
                self._moved_at[partition] = asyncio.get_running_loop().time()
            ours += continuing
        return ours

    # Batches

    async def _take(self, consumer: Consumer, records: list[Record]) -> None:
        """Apply these records, in parts if they do not fit in one transaction or conflict; seek back what is not ours any more."""
        waiting = [records]
        while waiting:
            part = waiting.pop()
            arrivals = [arrival for record in part if (arrival := self.inbox.arrival(record))]
            ignored = len(part) - len(arrivals)
            if not arrivals and not self._far_ahead(part):
                self._advance(part, stored=False)
            elif not await self._try(part, arrivals, waiting):
                await self._back(consumer, [part, *waiting])
                return
            if ignored:
                telemetry.EVENTS_IGNORED.labels(part[0].topic).inc(ignored)

    async def _try(self, part: list[Record], arrivals: list[Arrival], waiting: list[list[Record]]) -> bool:
        """One try of one part; what has to be tried again goes on `waiting`. False when the partitions are no longer ours."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        cause = Cause(caller=system(self.service), correlation_id=new_id(), failed=self._failed)
        try:
            with tracer.start_as_current_span("events.apply", attributes={"events": len(arrivals)}):
                counted = await self.engine.once(lambda tx: self._apply(tx, part, arrivals), cause)
        except PositionMoved:
            return False
        except AgainWithout as error:
            for id_, reason in error.failed.items():
                if id_ in self._suspects:
                    self._failed[id_] = reason
                self._suspects.add(id_)
            waiting.append(part)
        except (TransactionConflict, TooManyWrites):
            telemetry.BATCHES_AGAIN.inc()
            self._shrink()
            waiting.extend(reversed(_halves(part)))
            await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - jitter
        except DuplicateKey as error:
            if len(part) == 1:
                self._failed[arrivals[0].id] = f"duplicate: {error.collection}.{error.index}"
            waiting.extend(reversed(_halves(part)))
        except mongo.MongoError as error:
            log.warning("mongodb_away", error=type(error).__name__)
            waiting.append(part)
            await asyncio.sleep(1)
        else:
            self._advance(part, stored=True)
            self._after(counted, arrivals, loop.time() - began)
        return True

    async def _apply(self, tx: Tx, part: list[Record], arrivals: list[Arrival]) -> Counted:
        wanted = {Partition(record.topic, record.partition): record.offset + 1 for record in part}
        rows = {row["_id"]: row["next"] for row in await tx.db.find("offsets", {"_id": {"$in": [self._row(p) for p in wanted]}}, session=tx.session)}
        for partition, following in wanted.items():
            position = self._positions.get(partition)
            if position is None or rows.get(self._row(partition)) != position.stored:
                raise PositionMoved
            tx.raw("offsets", mongo.upserting({"_id": self._row(partition), "next": following, "at": tx.now}))
        counted = await self.inbox.apply(tx, arrivals)
        if tx.writes > MAX_WRITES and len(part) > 1:
            raise TooManyWrites
        return counted

    def _after(self, counted: Counted, arrivals: list[Arrival], seconds: float) -> None:
        self.inbox.count(counted)
        telemetry.BATCH.observe(len(arrivals))
        now = utc_now()
        for arrival in arrivals:
            self._failed.pop(arrival.id, None)
            self._suspects.discard(arrival.id)
        for topic in {arrival.topic for arrival in arrivals}:
            oldest = min((a.envelope.time for a in arrivals if a.envelope and a.topic == topic), default=now)
            telemetry.EVENT_DELAY.labels(topic).observe(max(0.0, (now - oldest).total_seconds()))
        if counted.repeated:
            telemetry.EVENTS_REPEATED.labels(arrivals[0].topic).inc(counted.repeated)
        if counted.early:
            telemetry.EVENTS_EARLY.labels(arrivals[0].topic).inc(counted.early)
        if seconds > MAX_SECONDS:
            self._shrink()
            return
        self._clean += 1
        if self._clean >= GROW_AFTER and self._size < self._max:
            self._size, self._clean = min(self._max, self._size * 2), 0

    def _shrink(self) -> None:
        self._size, self._clean = max(1, self._size // 2), 0

    def _advance(self, part: list[Record], *, stored: bool) -> None:
        for record in part:
            if position := self._positions.get(Partition(record.topic, record.partition)):
                position.next = record.offset + 1
                if stored:
                    position.stored = position.next

    def _far_ahead(self, part: list[Record]) -> bool:
        """Whether so many events nobody reads have gone by that the position should be stored."""
        last = part[-1]
        position = self._positions.get(Partition(last.topic, last.partition))
        return position is not None and last.offset - (position.stored or 0) > BACKWARD

    async def _back(self, consumer: Consumer, parts: list[list[Record]]) -> None:
        """Stand again where MongoDB says, for the partitions of these records."""
        partitions = {Partition(record.topic, record.partition) for part in parts for record in part} & self._positions.keys()
        for partition, position in (await self._assigned(partitions)).items():
            await consumer.seek(partition, await consumer.beginning(partition) if position is None else position)

    async def _look(self, consumer: Consumer) -> None:
        """Measure the lag, tell the broker our positions, and notice a partition that has stopped coming while events wait in it."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        lag = await consumer.lag()
        for partition, behind in lag.items():
            telemetry.CONSUMER_LAG.labels(partition.topic, str(partition.number)).set(behind)
            if not behind:
                self._moved_at[partition] = now
            elif now - self._moved_at.setdefault(partition, now) > STALL_SECONDS:
                raise _Stalled
        await consumer.commit({partition: position.next for partition, position in self._positions.items() if position.next >= 0})


class _Stalled(Exception):
    """Events wait in a partition of ours and none has come for a minute: leave the group and join again."""


async def _stopped(consumer: Consumer) -> None:
    try:
        await consumer.stop()
    except KafkaUnavailable:
        return


def _batches(records: list[Record]) -> Iterable[list[Record]]:
    """Parts of at most MAX_BYTES, in order."""
    part: list[Record] = []
    size = 0
    for record in records:
        length = len(record.value or b"")
        if part and size + length > MAX_BYTES:
            yield part
            part, size = [], 0
        part.append(record)
        size += length
    if part:
        yield part


def _halves(part: list[Record]) -> list[list[Record]]:
    if len(part) == 1:
        return [part]
    middle = len(part) // 2
    return [part[:middle], part[middle:]]
