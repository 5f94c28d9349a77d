"""The relay: committed outbox rows to Kafka, in order per key, marked after the acknowledgement. Not here: how rows come to be (unit_of_work).

The promise: a topic may hold late duplicates; the first occurrences of a key's events are in `seq` order. It holds because every sweep starts at each
key's lowest unmarked seq, sends in order and never passes a failed send, and because after any error the producer is thrown away and a new sweep begins.
The lease only keeps two replicas from doing the work twice; it cannot fence Kafka and is not relied on for order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from opentelemetry import trace

from chassis import mongo, telemetry
from chassis.ids import utc_now
from chassis.kafka import Producer, RecordRefused, SendFailed
from chassis.mongo import Document, Index, Lease, Mongo
from chassis.unit_of_work import envelope_of

PAGE = 1_000
LOOK_SECONDS = 2.0
LEASE_SECONDS = 6.0
STOPPED = "outbox"

INDEXES = (
    Index("key", "seq", unique=True),
    Index("sent", "key", "seq", where={"sent": False}),
    Index("at"),
    Index("sent", "at", where={"sent": False}),
    Index("aggregate_id", "aggregate_version"),
)
log = telemetry.log(__name__)
tracer = trace.get_tracer("bina")


class Relay:
    """Sends one service's outbox while it holds the lease."""

    def __init__(self, db: Mongo, service: str, replica: str, producer: Callable[[], Producer], *, namespace: str = "", lease_seconds: float = LEASE_SECONDS) -> None:
        self.db, self.service, self.topic = db, service, f"{namespace}{service}.events"
        self._new_producer = producer
        self._producer: Producer | None = None
        self._lease = Lease(db, "relay", f"{service}/{replica}", lease_seconds)
        self._lease_seconds = lease_seconds
        self._wake = asyncio.Event()
        self._after = ""
        self._stopped: list[str] = []
        self._ending = False

    def stop(self) -> None:
        """End after the page at hand."""
        self._ending = True
        self._wake.set()

    def wake(self) -> None:
        """Something was committed: sweep now."""
        self._wake.set()

    async def run(self) -> None:
        """Relay for ever; ends when cancelled. MongoDB or Kafka away: waits and goes on."""
        watching = asyncio.create_task(self._watch(), name="outbox-watch")
        try:
            while not self._ending:
                try:
                    await self._term()
                except (mongo.MongoError, SendFailed) as error:
                    telemetry.RELAY_FAILURES.inc()
                    log.warning("relay_interrupted", error=type(error).__name__)
                    await self._drop_producer()
                    await asyncio.sleep(1)
        finally:
            watching.cancel()
            telemetry.RELAY_LEADER.set(0)
            await self._drop_producer()
            if self._lease.held:
                await self._lease.release()

    async def _term(self) -> None:
        """One term as holder: sweep at each wake and at least four times a lease, until the lease is lost."""
        if not await self._lease.take():
            telemetry.RELAY_LEADER.set(0)
            await asyncio.sleep(self._lease_seconds / 2)
            return
        telemetry.RELAY_LEADER.set(1)
        looked = renewed = -1e9
        while not self._ending:
            now = asyncio.get_running_loop().time()
            if now - renewed > self._lease_seconds / 4:
                if not await self._lease.take():
                    return
                renewed = now
            if now - looked > LOOK_SECONDS:
                await self._look()
                looked = now
            self._wake.clear()
            if not await self.sweep() and not self._ending:
                await _first_of(self._wake.wait(), self._lease_seconds / 4)

    async def sweep(self) -> bool:
        """Send one page of unsent rows, beginning behind the last key of the page before; True when there may be more at once."""
        where: Document = {"sent": False, "key": {"$gt": self._after, **({"$nin": self._stopped} if self._stopped else {})}}
        rows = await self.db.find("outbox", where, sort=[("key", 1), ("seq", 1)], limit=PAGE)
        whole = self._after == "" and len(rows) < PAGE
        self._after = rows[-1]["key"] if len(rows) == PAGE else ""
        if rows:
            await self._send(rows)
        return not whole

    async def _send(self, rows: list[Document]) -> None:
        if self._producer is None:
            self._producer = self._new_producer()
            await self._producer.start()
        with tracer.start_as_current_span("outbox.send", attributes={"rows": len(rows)}):
            handed: list[tuple[Document, Awaitable[object]]] = []
            failure: SendFailed | None = None
            for row in rows:
                try:
                    handed.append((row, await self._producer.send(self.topic, *record(row, self.service))))
                except SendFailed as error:
                    failure = error
                    break  # nothing may pass a failed send
            done, failed = await _acknowledgements(handed)
            failure = failure or failed
            if done and self._lease.held:
                await self.db.update("outbox", {"_id": {"$in": done}}, {"$set": {"sent": True}}, many=True)
                telemetry.EVENTS_SENT.inc(len(done))
        if failure is not None:
            await self._drop_producer()
            self._after = ""
            if isinstance(failure, RecordRefused):
                await self._one_by_one(rows, set(done))
            else:
                raise failure

    async def _one_by_one(self, rows: list[Document], done: set[str]) -> None:
        """Find the row that the broker refuses for itself: stop its key, visibly, and go on with the others."""
        stopped: set[str] = set()
        for row in rows:
            if row["_id"] in done or row["key"] in stopped:
                continue
            producer = self._new_producer()
            await producer.start()
            try:
                await (await producer.send(self.topic, *record(row, self.service)))
                await self.db.update("outbox", {"_id": row["_id"]}, {"$set": {"sent": True}})
            except RecordRefused as error:
                stopped.add(row["key"])
                self._stopped.append(row["key"])
                telemetry.EVENTS_PARKED.labels(self.topic, "refused_by_broker").inc()
                log.warning("outbox_key_stopped", event_id=row["_id"], type=row["type"], error=str(error))
                await self.db.bulk(
                    "parked",
                    [
                        mongo.upserting(
                            {
                                "_id": f"{STOPPED}/{row['key']}",
                                "kind": STOPPED,
                                "topic": self.topic,
                                "key": row["key"],
                                "first": row["_id"],
                                "since": utc_now(),
                                "reason": str(error),
                                "version": 1,
                                "count": 1,
                            }
                        )
                    ],
                )
            finally:
                await producer.stop()

    async def _look(self) -> None:
        """What the gauges show, and which keys an operator has stopped or let go."""
        self._stopped = [row["key"] for row in await self.db.find("parked", {"kind": STOPPED})]
        oldest = await self.db.find("outbox", {"sent": False}, sort=[("at", 1)], limit=1, fields={"at": 1})
        telemetry.OUTBOX_UNSENT.set(await self.db.count("outbox", {"sent": False}) if oldest else 0)
        telemetry.OUTBOX_AGE.set((utc_now() - oldest[0]["at"]).total_seconds() if oldest else 0)

    async def _watch(self) -> None:
        """Wake the relay at every insert into the outbox, by whichever replica. A lost stream costs a sweep, nothing else."""
        while True:
            try:
                async for change in self.db.inserts("outbox"):
                    if change is not None:
                        self._wake.set()
            except mongo.MongoError:
                await asyncio.sleep(1)

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


def record(row: Document, service: str) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Key, body and headers of an outbox row."""
    return row["key"].encode(), row["body"].encode(), envelope_of(row, service).headers()


async def _acknowledgements(handed: list[tuple[Document, Awaitable[object]]]) -> tuple[list[str], SendFailed | None]:
    """The ids that were acknowledged with every earlier one of their key, and the first failure."""
    answers = await asyncio.gather(*(awaitable for _, awaitable in handed), return_exceptions=True)
    failed_keys: set[str] = set()
    done: list[str] = []
    failure: SendFailed | None = None
    for (row, _), answer in zip(handed, answers, strict=True):
        if isinstance(answer, SendFailed):
            failure = answer if failure is None or isinstance(answer, RecordRefused) else failure
            failed_keys.add(row["key"])
        elif isinstance(answer, BaseException):
            raise answer
        elif row["key"] not in failed_keys:
            done.append(row["_id"])
    return done, failure


async def _first_of(waiting: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return
