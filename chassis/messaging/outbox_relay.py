"""The outbox relay: sends committed outbox rows to Kafka in order per key, then marks them.

Not here: how outbox rows are written (persistence/unit_of_work), the gauges (outbox_gauges).

Guarantee: a topic may hold late duplicates, but the first occurrences of a key's events are in
`seq` order. It holds because every sweep starts at the lowest unmarked `seq` of each key, sends in
order and stops at a row that failed. After any error the producer is discarded and a new sweep
begins. The lease only keeps two replicas from doing the same work twice. It cannot fence Kafka,
so order does not rely on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from chassis import telemetry
from chassis.ids import utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka_ports import Outgoing, Producer, RecordRefused, SendFailed
from chassis.persistence import mongo
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Document, Index, Mongo
from chassis.persistence.unit_of_work import OUTBOX

PAGE = 1_000  # rows
NAMED_KEYS = 100  # if more keys have commits, all keys are swept
LOOK_SECONDS = 5.0  # between two looks at the blocked keys and the other replicas
LEASE_SECONDS = 8.0
# Acknowledged rows are marked together, up to these bounds: one update of marks costs as much as
# the commit of a command.
MARK_ROWS = 50
MARK_SECONDS = 0.2
RETRY_SECONDS = 1.0
# The kind of a row in `parked`: the broker refused a row of this key, and later rows wait.
BLOCKED = OUTBOX
UNSENT: Document = {"sent": False}
# Prefix of the leases that the living replicas of a service hold, one each.
REPLICAS = "replica/"
LIVING: Document = {"_id": {"$regex": f"^{REPLICAS}"}, "$expr": {"$gt": ["$until", "$$NOW"]}}
WAITING = Index("sent", "key", "seq", where=UNSENT)
INDEXES = (Index("key", "seq", unique=True), WAITING, Index("at"))
log = telemetry.log(__name__)


class OutboxRelay:
    """Sends the outbox of one service while it holds the lease."""

    def __init__(
        self,
        db: Mongo,
        service: str,
        replica: str,
        producer: Callable[[], Producer],
        *,
        namespace: str = "",
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.db = db
        self.service = service
        self.topic = f"{namespace}{service}.events"
        self._new_producer = producer
        self._producer: Producer | None = None
        self._lease = Lease(db, "relay", f"{service}/{replica}", lease_seconds)
        self._wake = asyncio.Event()
        # Keys with commits since their last sweep; None = any key may have commits.
        self._named_keys: set[str] | None = None
        # The last key of the previous page, while a sweep of all keys is under way.
        self._after = ""
        self._acknowledged: list[str] = []  # ids of rows that are not marked yet
        self._marked_at = 0.0
        self._blocked_keys: list[str] = []
        # Whether the last sweep under the current lease reached its end.
        self._is_sending = False
        self._watch_task: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Return whether this replica holds the lease and its last sweep did not fail."""
        return self._is_sending and self._lease.held

    def stop(self) -> None:
        """End after the current page."""
        self._stopped.set()
        self._wake.set()

    def wake(self, keys: Collection[str] = ()) -> None:
        """Sweep now: events of these keys, or of any key if none is named, were committed."""
        if not keys or self._named_keys is None:
            self._named_keys = None
        else:
            named = self._named_keys.union(keys)
            self._named_keys = named if len(named) <= NAMED_KEYS else None
        self._wake.set()

    async def run(self) -> None:
        """Relay until stopped or cancelled; wait while MongoDB or Kafka is away."""
        try:
            while not self._stopped.is_set():
                try:
                    await self._lead()
                except (mongo.MongoError, SendFailed) as error:
                    self._is_sending = False
                    telemetry.RELAY_FAILURES.inc()
                    log.warning("relay_interrupted", error=type(error).__name__)
                    await self._drop_producer()
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._drop_producer()
            if self._lease.held:
                await self._lease.release()

    def _reset(self) -> None:
        """Start the next sweep at the first key."""
        self._named_keys = None
        self._after = ""

    async def _lead(self) -> None:
        """Sweep while the lease is held: named keys at each wake, all keys four times a lease."""
        self._reset()
        pause = self._lease.seconds / 4
        looked_at = -1e9
        loop = asyncio.get_running_loop()
        try:
            while not self._stopped.is_set():
                renewed_at = loop.time()
                if not await self._lease.take():
                    await _first_of(self._stopped.wait(), 2 * pause)
                    return
                if renewed_at - looked_at > LOOK_SECONDS:
                    looked_at = renewed_at
                    await self._read_blocked_keys()
                    # Only beside other replicas: a change stream costs MongoDB a tenth of its time,
                    # and commits of this process wake the relay anyway.
                    self._listen(is_wanted=await self.db.count("leases", LIVING) > 1)
                self._named_keys = None
                await self._sweep_until(renewed_at + pause)
            await self._mark()
        finally:
            self._listen(is_wanted=False)

    async def _sweep_until(self, until: float) -> None:
        """Sweep and wait for wakes until this moment (loop time)."""
        loop = asyncio.get_running_loop()
        while not self._stopped.is_set() and (left := until - loop.time()) > 0:
            self._wake.clear()
            has_more = await self.sweep(until)
            self._is_sending = True
            if not has_more and not self._stopped.is_set():
                await self._wait(left)

    async def _wait(self, seconds: float) -> None:
        """Wait up to this long for a wake; mark acknowledged rows when that is due."""
        if 0 < len(self._acknowledged) < MARK_ROWS:
            await _first_of(self._wake.wait(), MARK_SECONDS)
        # Without a wake, MARK_SECONDS have passed, but the clock may be a little short of them.
        if self._acknowledged and (self._is_mark_due() or not self._wake.is_set()):
            await self._mark()
        await _first_of(self._wake.wait(), seconds)

    def _listen(self, *, is_wanted: bool) -> None:
        """Start or end the task that watches for commits of other replicas."""
        if is_wanted and self._watch_task is None:
            self._watch_task = asyncio.create_task(self._watch(), name="outbox-watch")
        elif not is_wanted and self._watch_task is not None:
            self._watch_task.cancel()
            self._watch_task = None

    async def sweep(self, until: float = 0.0) -> bool:
        """Send pages of unsent rows until this moment (loop time), at least one page.

        While a page is sent, the next one is read and the acknowledged rows are marked. Each page
        begins after the last key of the previous one; the first begins where the last sweep ended.
        Returns True when more rows may wait.
        """
        loop = asyncio.get_running_loop()
        rows = await self._page()
        while rows:
            reads_ahead = self._after and loop.time() < until and not self._stopped.is_set()
            rows, _, _ = await _all(
                self._page() if reads_ahead else _nothing(),
                self._send(rows),
                self._mark() if self._is_mark_due() else _nothing(),
            )
        return bool(self._after) or self._named_keys is None or bool(self._named_keys)

    async def _page(self) -> list[Document]:
        """Read the next unsent rows, without those that only wait for their mark.

        All keys are swept only four times a lease, because such a sweep also reads the index
        entries of marked rows, which MongoDB removes once a minute.
        """
        named = None
        if not self._after:
            named = self._named_keys
            self._named_keys = set()
            if named is not None and not named:
                return []
        key: Document = {"$nin": self._blocked_keys}
        if named is not None:
            key = {"$in": sorted(named.difference(self._blocked_keys))}
        elif self._after:
            key["$gt"] = self._after
        where = UNSENT | {"_id": {"$nin": self._acknowledged}, "key": key}
        rows = await self.db.find(OUTBOX, where, sort=WAITING.keys, limit=PAGE, hint=WAITING.name)
        self._after = rows[-1]["key"] if len(rows) == PAGE else ""
        if self._after:
            self._named_keys = None  # the key within which the page ends may have more rows
        return rows

    async def _send(self, rows: Sequence[Document]) -> None:
        """Send rows and remember which were acknowledged. Raises SendFailed.

        If the broker refuses one of them, they are sent one at a time, to block only its key.
        """
        with telemetry.span("outbox.send", rows=len(rows)):
            self._producer = self._producer or await self._start_producer()
            records = [record(row, self.service) for row in rows]
            sent = await self._producer.send_all(self.topic, records)
        acknowledged = {rows[index]["_id"] for index in sent.acknowledged}
        self._acknowledged += acknowledged
        if sent.failure is None:
            return
        await self._drop_producer()
        if not isinstance(sent.failure, RecordRefused):
            # Not the failure itself: this frame refers to it, and it would refer to this frame.
            raise SendFailed(str(sent.failure))
        if len(rows) == 1:
            await self._block_key(rows[0], str(sent.failure))
            return
        for row in rows:
            if not self._lease.held:
                self._reset()
                return
            if row["_id"] not in acknowledged and row["key"] not in self._blocked_keys:
                await self._send([row])

    def _is_mark_due(self) -> bool:
        waited_seconds = asyncio.get_running_loop().time() - self._marked_at
        return len(self._acknowledged) >= MARK_ROWS or waited_seconds >= MARK_SECONDS

    async def _mark(self) -> None:
        """Mark the acknowledged rows as sent, if the lease is still held."""
        ids = self._acknowledged[:]
        if ids and self._lease.held:
            await self.db.update(OUTBOX, {"_id": {"$in": ids}}, {"$set": {"sent": True}}, many=True)
            telemetry.EVENTS_SENT.inc(len(ids))
            del self._acknowledged[: len(ids)]
        self._marked_at = asyncio.get_running_loop().time()

    async def _block_key(self, row: Document, reason: str) -> None:
        """Block this key: later rows wait until an operator releases it."""
        telemetry.EVENTS_PARKED.labels(self.topic, "refused_by_broker").inc()
        log.warning("outbox_key_blocked", event_id=row["_id"], type=row["type"], error=reason)
        head = {
            "_id": f"{BLOCKED}/{row['key']}",
            "kind": BLOCKED,
            "topic": self.topic,
            "key": row["key"],
            "first": row["_id"],
            "since": utc_now(),
            "reason": reason,
            "version": 1,
            "count": 1,
        }
        await self.db.bulk("parked", [mongo.replacing(head, upsert=True)])
        self._blocked_keys.append(row["key"])

    async def _read_blocked_keys(self) -> None:
        """Read which keys are blocked; an operator may have released some."""
        heads = await self.db.find("parked", {"kind": BLOCKED})
        self._blocked_keys = [head["key"] for head in heads]

    async def _watch(self) -> None:
        """Wake the relay at every insert into the outbox, by any replica.

        A lost change stream only costs a sweep of all keys.
        """
        while True:
            try:
                async for keys in self.db.inserts(OUTBOX, "key"):
                    self.wake(keys)
            except mongo.MongoError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _start_producer(self) -> Producer:
        producer = self._new_producer()
        await producer.start()
        return producer

    async def _drop_producer(self) -> None:
        producer = self._producer
        self._producer = None
        if producer is not None:
            await producer.stop()


def record(row: Document, service: str) -> Outgoing:
    """Return key, body and headers of an outbox row."""
    return row["key"].encode(), row["body"].encode(), Envelope.archived(row, service).headers()


async def _nothing() -> list[Document]:
    return []


async def _all(*steps: Awaitable[Any]) -> list[Any]:
    """Await all steps to their end; return their results or raise the first failure."""
    outcomes = await asyncio.gather(*steps, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    try:
        if failures:
            raise failures[0]
        return outcomes
    finally:
        # A failure refers to the frames of the sweep, with whole pages of rows. If this frame
        # referred to the failure, too, only the garbage collector, which runs seldom, would free
        # them: without a broker, the process grew by 68 MiB in 90 s.
        del outcomes, failures


async def _first_of(waiting: Awaitable[object], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiting
