"""The loop that reads topics: positions in MongoDB, backpressure, rebalances. Not here: how a batch takes effect (batches), what an event does (inbox, the service's handlers).

A batch is one transaction of effects, inbox rows, outbox rows and positions. The position of each partition is guarded on the batch's first offset, so a
member that lost a partition cannot commit, and a crash between effect and position does not exist.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chassis import telemetry
from chassis.messaging.batch_processor import (
    MAX_BYTES,
    MAX_EVENTS,
    MAX_SECONDS,
    BatchProcessor,
    PartitionLost,
)
from chassis.messaging.inbox import (
    BatchOutcome,
    Inbox,
    InboxTransaction,
    ReceivedEvent,
    Tx,
    pending_counts,
)
from chassis.messaging.kafka import Consumer, KafkaUnavailable, Partition, Record
from chassis.persistence import mongo
from chassis.persistence.mongo import Query
from chassis.persistence.transactions import TransactionManager

PARALLEL_TRANSACTIONS = 3  # transactions at a time: one keeps this process busy, MongoDB another, the disk a third; a partition is in one of them, so a key is, by whichever topic
BATCHES_PER_POLL = 2  # of each lane between two polls: a poll gives the backlog of one partition after the other, and a lane without one would stand still; more would be memory
LOOK_SECONDS, STALL_SECONDS, IGNORED_EVENTS, IGNORED_SECONDS = 5.0, 60.0, 5_000, 3_600.0
log = telemetry.log(__name__)


@dataclass(slots=True)
class _Position:
    """Where a partition stands: `stored` in MongoDB since `stored_at`, `next` to be read (ahead of it only by events that nobody here reads)."""

    stored: int | None
    next: int
    stored_at: float
    behind_since: float = 0.0
    told: int = -1  # to the broker


class EventConsumer(BatchProcessor[Tx]):
    """Reads the topics of one service's handlers, for ever."""

    def __init__(
        self,
        engine: TransactionManager[Tx],
        inbox: Inbox[Tx],
        service: str,
        consumer: Callable[[], Consumer],
        *,
        max_events: int = MAX_EVENTS,
    ) -> None:
        super().__init__(engine, inbox, max_events=max_events)
        self.service, self._new_consumer = service, consumer
        self._positions: dict[Partition, _Position] = {}
        self._looked = self._idle_at = 0.0
        self._cut: set[Partition] = set()
        self.assigned = asyncio.Event()

    def stop(self) -> None:
        """End after the batch at hand."""
        self.ending = True

    async def run(self) -> None:
        """Consume for ever; ends when cancelled. MongoDB, Kafka or the network away: waits and goes on, parks nothing."""
        while not self.ending:
            consumer, self.last_progress_at = (
                self._new_consumer(),
                asyncio.get_running_loop().time(),
            )
            try:
                await consumer.start(self._assigned, self._revoked)
                while not self.ending:
                    await self._turn(consumer)
            except (KafkaUnavailable, mongo.MongoError, _Stalled) as error:
                log.warning("consumer_interrupted", error=type(error).__name__)
            finally:
                self.assigned.clear()
                self._positions.clear()
                await _stopped(consumer)
            await asyncio.sleep(0 if self.ending else 1)

    async def _turn(self, consumer: Consumer) -> None:
        fetched = await consumer.poll(
            self.size * (PARALLEL_TRANSACTIONS * BATCHES_PER_POLL if self.is_full_size else 1),
            MAX_SECONDS,
        )
        self.last_progress_at = asyncio.get_running_loop().time()
        self._idle_at = self._idle_at if fetched else self.last_progress_at
        telemetry.CONSUMER_PROGRESS.set_to_current_time()
        queues: dict[int, list[Record]] = {}
        for record in await self._contiguous_records(consumer, fetched):
            queues.setdefault(record.partition, []).append(record)
        for outcome in await asyncio.gather(
            *(self._lane(consumer, queues) for _ in range(PARALLEL_TRANSACTIONS)),
            return_exceptions=True,
        ):
            if outcome is not None:
                raise outcome
        await self._check_progress(consumer)

    async def _lane(self, consumer: Consumer, queues: dict[int, list[Record]]) -> None:
        """Take what waits in partitions that no other lane has in hand, in parts of the size that goes well."""
        while queues and not self.ending:
            records, rest = _next_part(queues, self.size)
            part = [self.inbox.arrival(record) for record in records]
            for topic, times in Counter(
                arrival.record.topic for arrival in part if arrival.ignored
            ).items():
                telemetry.EVENTS_IGNORED.labels(topic).inc(times)
            try:
                if self._worth_storing(part):
                    await self.process(part)
                else:
                    self._advance(part, stored=False)
            except PartitionLost:
                await self._seek_to_stored(
                    consumer, [*records, *(record for left in rest.values() for record in left)]
                )
            else:
                queues |= rest

    # A batch

    async def apply(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        """The effects, and the positions behind them if nobody else has gone on."""
        wanted = _ends(arrival.record for arrival in part)
        acting, taken = (
            InboxTransaction(self.inbox, tx),
            [arrival for arrival in part if not arrival.ignored],
        )
        found = await acting.load_state(
            taken, {"offsets": Query({"_id": {"$in": [self._row(one) for one in wanted]}})}
        )
        rows = {row["_id"]: row["next"] for row in found["offsets"]}
        for partition, following in wanted.items():
            position, row = self._positions.get(partition), self._row(partition)
            if position is None or rows.get(row) != position.stored:
                raise PartitionLost
            tx.write_raw(
                "offsets",
                mongo.replacing({"_id": row, "next": following, "at": tx.now}, upsert=True),
                row,
            )
        await acting.apply(taken)
        return acting.counted

    def done(self, part: Sequence[ReceivedEvent], counted: BatchOutcome) -> None:
        """The position has moved with the effects."""
        super().done(part, counted)
        self._advance(part, stored=True)

    def _advance(self, part: Sequence[ReceivedEvent], *, stored: bool) -> None:
        now = asyncio.get_running_loop().time()
        for partition, following in _ends(arrival.record for arrival in part).items():
            if position := self._positions.get(partition):
                position.next, position.behind_since = max(position.next, following), 0.0
                if stored:
                    position.stored, position.stored_at = position.next, now

    def _worth_storing(self, arrivals: Sequence[ReceivedEvent]) -> bool:
        """Whether there is an event to apply, or so many that nobody reads have gone by, or for so long, that the position should be stored."""
        now = asyncio.get_running_loop().time()
        stands = [
            (self._positions[partition], following)
            for partition, following in _ends(arrival.record for arrival in arrivals).items()
            if partition in self._positions
        ]
        far = any(
            following - (one.stored or 0) > IGNORED_EVENTS or now - one.stored_at > IGNORED_SECONDS
            for one, following in stands
        )
        return far or not all(arrival.ignored for arrival in arrivals)

    # Positions

    async def _assigned(self, partitions: set[Partition]) -> Mapping[Partition, int | None]:
        while True:
            try:
                rows = {
                    row["_id"]: row["next"]
                    for row in await self.engine.db.find(
                        "offsets", {"_id": {"$in": [self._row(one) for one in partitions]}}
                    )
                }
                break
            except mongo.MongoError:
                await asyncio.sleep(1)
        now = asyncio.get_running_loop().time()
        stands = {partition: rows.get(self._row(partition)) for partition in partitions}
        self._positions.update(
            {
                partition: _Position(stored, -1 if stored is None else stored, now)
                for partition, stored in stands.items()
            }
        )
        self.assigned.set()
        return stands

    async def _revoked(self, partitions: set[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            telemetry.CONSUMER_LAG.labels(partition.topic, str(partition.number)).set(0)

    def _row(self, partition: Partition) -> str:
        return f"{self.service}/{partition.topic}/{partition.number}"

    async def _contiguous_records(
        self, consumer: Consumer, fetched: Mapping[Partition, list[Record]]
    ) -> list[Record]:
        """The records that continue where each partition stands. A gap is read again, and told when the broker has nothing to fill it."""
        ours = list[Record]()
        for partition, records in fetched.items():
            if (position := self._positions.get(partition)) is None:
                continue
            if position.next < 0:
                position.next = await consumer.beginning(
                    partition
                )  # not what came first: something may have been lost before it
            continuing = [record for record in records if record.offset >= position.next]
            if continuing and continuing[0].offset > position.next:
                if await consumer.following(partition, position.next) < continuing[0].offset:
                    continue  # it was lost on its way to us
                log.error(
                    "records_gone",
                    topic=partition.topic,
                    partition=partition.number,
                    first=position.next,
                    before=continuing[0].offset,
                )
            ours += continuing
        return ours

    async def _seek_to_stored(self, consumer: Consumer, records: Iterable[Record]) -> None:
        """Stand again where MongoDB says, for the partitions of these records."""
        partitions = _ends(records).keys() & self._positions.keys()
        for partition, position in (await self._assigned(partitions)).items():
            await consumer.seek(
                partition, await consumer.beginning(partition) if position is None else position
            )

    async def _reset_truncated(self, consumer: Consumer, partition: Partition) -> None:
        """Read a topic that ends before our position from its beginning: what comes now would look as if it had been read. What has taken effect is known by its id."""
        position = self._positions[partition]
        log.error(
            "topic_was_cut",
            topic=partition.topic,
            partition=partition.number,
            position=position.next,
        )
        telemetry.TOPICS_CUT.inc()
        position.next = await consumer.beginning(partition)
        await consumer.seek(partition, position.next)

    async def _check_progress(self, consumer: Consumer) -> None:
        """Measure the lag and what waits, tell the broker our positions, and notice a partition that has stopped coming while events wait in it."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked, cut = now, set[Partition]()
        for partition, end in consumer.ends().items():
            if position := self._positions.get(partition):
                cut |= {partition} if position.next > end else set()
                behind = max(0, end - max(0, position.next))
                telemetry.CONSUMER_LAG.labels(partition.topic, str(partition.number)).set(behind)
                position.behind_since = (position.behind_since or now) if behind else 0.0
                if (
                    behind
                    and self._idle_at > position.behind_since
                    and now - position.behind_since > STALL_SECONDS
                ):
                    if await consumer.following(partition, max(0, position.next)) < end:
                        raise _Stalled
                    log.error(
                        "records_gone",
                        topic=partition.topic,
                        partition=partition.number,
                        first=position.next,
                        before=end,
                    )
                    position.next = end
        for partition in cut & self._cut:  # in two looks: a new leader may not know its end yet
            await self._reset_truncated(consumer, partition)
        self._cut = cut - self._cut
        await pending_counts(self.engine.db)
        if moved := {
            partition: position
            for partition, position in self._positions.items()
            if position.next > position.told
        }:
            await consumer.commit(
                {partition: position.next for partition, position in moved.items()}
            )
            for position in moved.values():
                position.told = position.next


class _Stalled(Exception):
    """Events wait in a partition of ours and none has come for a minute: leave the group and join again."""


async def _stopped(consumer: Consumer) -> None:
    with suppress(KafkaUnavailable):
        await consumer.stop()


def _ends(records: Iterable[Record]) -> dict[Partition, int]:
    """Where each partition stands behind these."""
    last = {(record.topic, record.partition): record.offset for record in records}
    return {Partition(*partition): offset + 1 for partition, offset in last.items()}


def _next_part(
    queues: dict[int, list[Record]], most: int
) -> tuple[list[Record], dict[int, list[Record]]]:
    """The next records to take together, at most so many and MAX_BYTES but one at least, the longest queues first; with what is left of those queues, which are taken out."""
    part: list[Record] = []
    size = 0
    for number in sorted(queues, key=lambda number: len(queues[number]), reverse=True):
        records = queues.pop(number)
        for count, record in enumerate(records):
            size += len(record.value or b"")
            if len(part) == most or (part and size > MAX_BYTES):
                return part, {number: records[count:]}
            part.append(record)
    return part, {}
