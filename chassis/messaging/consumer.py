"""The consumer loop: polls topics, keeps positions in MongoDB, handles rebalances.

The effects of a batch, its inbox rows, outbox rows and positions are written in one transaction, so
a crash cannot separate effect and position. The transaction commits only if the stored position of
each partition is the one that this member knows, so a member that lost a partition cannot commit.

Not here: how a batch is retried (batch_processor), what happens to an event (inbox, the handlers),
the state of one partition (positions).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from chassis import telemetry
from chassis.messaging.batch_processor import (
    MAX_BYTES,
    MAX_EVENTS,
    MAX_SECONDS,
    BatchProcessor,
    PartitionLost,
)
from chassis.messaging.inbox import InboxTransaction
from chassis.messaging.kafka_ports import Consumer, Partition, Record
from chassis.messaging.kafka_topics import KafkaUnavailable
from chassis.messaging.positions import Position, ends_of, position_id
from chassis.messaging.received_events import BatchOutcome, Inbox, ReceivedEvent, Tx
from chassis.messaging.waiting_events import pending_counts
from chassis.persistence import mongo
from chassis.persistence.mongo import Query
from chassis.persistence.transactions import TransactionManager

# One transaction keeps this process busy, a second one MongoDB, a third one the disk. A partition,
# and therefore a key, is in one of them only.
PARALLEL_TRANSACTIONS = 3
# Batches that one poll fetches for each parallel transaction. A poll returns the backlog of one
# partition after the other, so a single batch would leave transactions idle; more cost memory.
BATCHES_PER_POLL = 2
LOOK_SECONDS = 5.0  # between two checks of progress
STALL_SECONDS = 60.0
RETRY_SECONDS = 1.0
# The position of events that no handler reads is stored after this many events or this time.
IGNORED_EVENTS = 5_000
IGNORED_SECONDS = 3_600.0
log = telemetry.log(__name__)


class EventConsumer(BatchProcessor[Tx]):
    """Reads the topics of one service's handlers until it is stopped."""

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
        self.service = service
        self.assigned = asyncio.Event()
        self._new_consumer = consumer
        self._positions: dict[Partition, Position] = {}
        self._checked_at = 0.0
        self._idle_at = 0.0
        self._suspected_truncations: set[Partition] = set()

    def stop(self) -> None:
        """End after the current batches."""
        self.ending = True

    async def run(self) -> None:
        """Consume until stopped or cancelled; while MongoDB or Kafka is away, park nothing."""
        while not self.ending:
            consumer = self._new_consumer()
            self.last_progress_at = asyncio.get_running_loop().time()
            try:
                await consumer.start(self._assigned, self._revoked)
                while not self.ending:
                    await self._turn(consumer)
            except (KafkaUnavailable, mongo.MongoError, _Stalled) as error:
                log.warning("consumer_interrupted", error=type(error).__name__)
            finally:
                self.assigned.clear()
                self._positions.clear()
                await _stop(consumer)
            await asyncio.sleep(0 if self.ending else RETRY_SECONDS)

    async def _turn(self, consumer: Consumer) -> None:
        """Poll once and process the fetched records in parallel transactions."""
        batches = PARALLEL_TRANSACTIONS * BATCHES_PER_POLL if self.is_full_size else 1
        fetched = await consumer.poll(self.size * batches, MAX_SECONDS)
        self.last_progress_at = asyncio.get_running_loop().time()
        if not fetched:
            self._idle_at = self.last_progress_at
        telemetry.CONSUMER_PROGRESS.set_to_current_time()
        queues: dict[int, list[Record]] = {}
        for record in await self._contiguous_records(consumer, fetched):
            queues.setdefault(record.partition, []).append(record)
        workers = [self._process_queues(consumer, queues) for _ in range(PARALLEL_TRANSACTIONS)]
        for outcome in await asyncio.gather(*workers, return_exceptions=True):
            if outcome is not None:
                raise outcome
        await self._check_progress(consumer)

    async def _process_queues(self, consumer: Consumer, queues: dict[int, list[Record]]) -> None:
        """Process batches of partitions that no other transaction has taken, until none is left."""
        while queues and not self.ending:
            records, rest = _take_batch(queues, self.size)
            part = [self.inbox.receive(record) for record in records]
            _count_ignored(part)
            try:
                if self._is_worth_storing(part):
                    await self.process(part)
                else:
                    self._advance(part, is_stored=False)
            except PartitionLost:
                unprocessed = [record for queue in rest.values() for record in queue]
                await self._seek_to_stored(consumer, [*records, *unprocessed])
            else:
                queues |= rest

    # A batch

    async def apply(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        """Apply events and advance their positions in one transaction. Raises PartitionLost."""
        inbox_transaction = InboxTransaction(self.inbox, tx)
        read = [received for received in part if not received.is_ignored]
        ends = ends_of(received.record for received in part)
        ids = [self._position_id(partition) for partition in ends]
        documents = await inbox_transaction.load_state(
            read, {"offsets": Query({"_id": {"$in": ids}})}
        )
        stored_offsets = {row["_id"]: row["next"] for row in documents["offsets"]}
        for partition, end in ends.items():
            position = self._positions.get(partition)
            id_ = self._position_id(partition)
            if position is None or stored_offsets.get(id_) != position.stored:
                raise PartitionLost
            row = {"_id": id_, "next": end, "at": tx.now}
            tx.write_raw("offsets", mongo.replacing(row, upsert=True), id_)
        await inbox_transaction.apply(read)
        return inbox_transaction.outcome

    def done(self, part: Sequence[ReceivedEvent], outcome: BatchOutcome) -> None:
        """Report what was committed, and advance the positions that moved with it."""
        super().done(part, outcome)
        self._advance(part, is_stored=True)

    def _advance(self, part: Sequence[ReceivedEvent], *, is_stored: bool) -> None:
        now = asyncio.get_running_loop().time()
        for partition, end in ends_of(received.record for received in part).items():
            if position := self._positions.get(partition):
                position.advance(end, now, is_stored=is_stored)

    def _is_worth_storing(self, part: Sequence[ReceivedEvent]) -> bool:
        """Return whether the position must be stored.

        It must if a handler reads one of these events, or if ignored events have moved it far.
        """
        if not all(received.is_ignored for received in part):
            return True
        now = asyncio.get_running_loop().time()
        for partition, end in ends_of(received.record for received in part).items():
            position = self._positions.get(partition)
            if position is None:
                continue
            is_far = end - (position.stored or 0) > IGNORED_EVENTS
            is_old = now - position.stored_at > IGNORED_SECONDS
            if is_far or is_old:
                return True
        return False

    # Positions

    def _position_id(self, partition: Partition) -> str:
        return position_id(self.service, partition)

    async def _assigned(self, partitions: set[Partition]) -> Mapping[Partition, int | None]:
        """Read the stored positions of these partitions (None = none stored)."""
        ids = [self._position_id(partition) for partition in partitions]
        while True:
            try:
                rows = await self.engine.db.find("offsets", {"_id": {"$in": ids}})
                break
            except mongo.MongoError:
                await asyncio.sleep(RETRY_SECONDS)
        offsets = {row["_id"]: row["next"] for row in rows}
        now = asyncio.get_running_loop().time()
        stored_offsets: dict[Partition, int | None] = {}
        for partition in partitions:
            stored = offsets.get(self._position_id(partition))
            stored_offsets[partition] = stored
            next_offset = -1 if stored is None else stored
            self._positions[partition] = Position(stored, next_offset, now)
        self.assigned.set()
        return stored_offsets

    async def _revoked(self, partitions: set[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            _set_lag(partition, 0)

    async def _contiguous_records(
        self, consumer: Consumer, fetched: Mapping[Partition, list[Record]]
    ) -> list[Record]:
        """Return the records that continue at the position of each partition.

        A gap is read again, and reported if the broker has nothing to fill it.
        """
        contiguous: list[Record] = []
        for partition, records in fetched.items():
            position = self._positions.get(partition)
            if position is None:
                continue
            if position.next < 0:
                # Not the offset of the first fetched record: records before it may have been lost.
                position.next = await consumer.beginning(partition)
            new_records = [record for record in records if record.offset >= position.next]
            if new_records and new_records[0].offset > position.next:
                first_offset = new_records[0].offset
                if await consumer.following(partition, position.next) < first_offset:
                    continue  # lost on the way from the broker; `following` has sought back to it
                _report_gap(partition, position.next, first_offset)
            contiguous += new_records
        return contiguous

    async def _seek_to_stored(self, consumer: Consumer, records: Iterable[Record]) -> None:
        """Seek the partitions of these records back to their stored positions."""
        partitions = ends_of(records).keys() & self._positions.keys()
        for partition, stored in (await self._assigned(partitions)).items():
            offset = await consumer.beginning(partition) if stored is None else stored
            await consumer.seek(partition, offset)

    async def _reset_truncated(self, consumer: Consumer, partition: Partition) -> None:
        """Seek a partition that ends before our position to its beginning.

        Otherwise its new records would be skipped as read. The inbox drops events that took effect.
        """
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
        """Every 5 s, measure lag and waiting events, detect truncations and stalls, and commit."""
        now = asyncio.get_running_loop().time()
        if now - self._checked_at < LOOK_SECONDS:
            return
        self._checked_at = now
        truncated: set[Partition] = set()
        for partition, end in consumer.ends().items():
            position = self._positions.get(partition)
            if position is None:
                continue
            if position.next > end:
                truncated.add(partition)
            lag = max(0, end - max(0, position.next))
            _set_lag(partition, lag)
            position.note_lag(lag, now)
            if self._is_stalled(position, now):
                await self._skip_gap_to_end(consumer, partition, end)
        # Only at the second check in a row: a new leader may not know its end yet.
        for partition in truncated & self._suspected_truncations:
            await self._reset_truncated(consumer, partition)
        self._suspected_truncations = truncated - self._suspected_truncations
        await pending_counts(self.engine.db)
        await self._commit(consumer)

    def _is_stalled(self, position: Position, now: float) -> bool:
        """Return whether events have waited for a minute although polls returned nothing."""
        if not position.behind_since:
            return False
        was_idle = self._idle_at > position.behind_since
        return was_idle and now - position.behind_since > STALL_SECONDS

    async def _skip_gap_to_end(self, consumer: Consumer, partition: Partition, end: int) -> None:
        """Skip to the end if the broker has no record before it; otherwise raise _Stalled."""
        position = self._positions[partition]
        if await consumer.following(partition, max(0, position.next)) < end:
            raise _Stalled
        _report_gap(partition, position.next, end)
        position.next = end

    async def _commit(self, consumer: Consumer) -> None:
        """Commit changed positions to the broker, where only lag tools read them."""
        moved = {
            partition: position
            for partition, position in self._positions.items()
            if position.next > position.committed
        }
        if not moved:
            return
        await consumer.commit({partition: position.next for partition, position in moved.items()})
        for position in moved.values():
            position.committed = position.next


class _Stalled(Exception):
    """For a minute, polls returned none of the waiting events; the consumer must rejoin."""


async def _stop(consumer: Consumer) -> None:
    with suppress(KafkaUnavailable):
        await consumer.stop()


def _report_gap(partition: Partition, first: int, before: int) -> None:
    telemetry.RECORDS_GONE.inc(before - first)
    log.error(
        "records_gone",
        topic=partition.topic,
        partition=partition.number,
        first=first,
        before=before,
    )


def _set_lag(partition: Partition, records: int) -> None:
    telemetry.CONSUMER_LAG.labels(partition.topic, str(partition.number)).set(records)


def _count_ignored(part: Sequence[ReceivedEvent]) -> None:
    ignored_topics = Counter(received.record.topic for received in part if received.is_ignored)
    for topic, count in ignored_topics.items():
        telemetry.EVENTS_IGNORED.labels(topic).inc(count)


def _take_batch(
    queues: dict[int, list[Record]], max_events: int
) -> tuple[list[Record], dict[int, list[Record]]]:
    """Take up to `max_events` records or MAX_BYTES, at least one, longest queue first.

    Returns them and the rest of the last queue used. The used queues are removed.
    """
    batch: list[Record] = []
    size_bytes = 0
    for number in sorted(queues, key=lambda number: len(queues[number]), reverse=True):
        records = queues.pop(number)
        for index, record in enumerate(records):
            size_bytes += len(record.value or b"")
            if len(batch) == max_events or (batch and size_bytes > MAX_BYTES):
                return batch, {number: records[index:]}
            batch.append(record)
    return batch, {}
