"""The relay: committed outbox rows to Kafka, in order per key, marked after the acknowledgement. Not here: how rows come to be (unit_of_work).

The promise: a topic may hold late duplicates; the first occurrences of a key's events are in `seq` order. It holds because every sweep starts at each
key's lowest unmarked seq, sends in order and never passes a failed send, and because after any error the producer is thrown away and a new sweep begins.
A row that was committed in this process is sent without being read again when the row before it of its key is in hand or sent, or there is none.
The lease only keeps two replicas from doing the work twice; it cannot fence Kafka and is not relied on for order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from chassis import telemetry
from chassis.ids import utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import Outgoing, Producer, RecordRefused, SendFailed
from chassis.persistence import mongo
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Document, Index, Mongo
from chassis.persistence.unit_of_work import OUTBOX

PAGE, NAMED_KEYS, KNOWN_KEYS, LOOK_SECONDS, LEASE_SECONDS = 1_000, 100, 10_000, 5.0, 8.0
MARK_ROWS, MARK_SECONDS = (
    50,
    0.2,
)  # acknowledged rows wait for each other so long: one mark costs as much as the commit of a command
BLOCKED = OUTBOX  # the kind of a marker in `parked`: the broker refused a row of this key, and those behind it wait
UNSENT = {"sent": False}
REPLICAS = (
    "replica/"  # how the leases are called that the living replicas of a service hold, each its own
)
LIVING: Document = {"_id": {"$regex": f"^{REPLICAS}"}, "$expr": {"$gt": ["$until", "$$NOW"]}}
WAITING = Index("sent", "key", "seq", where=UNSENT)
INDEXES = (Index("key", "seq", unique=True), WAITING)
log = telemetry.log(__name__)


class OutboxRelay:
    """Sends one service's outbox while it holds the lease."""

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
        self.db, self.service, self.topic = db, service, f"{namespace}{service}.events"
        self._new_producer = producer
        self._producer: Producer | None = None
        self._lease = Lease(db, "relay", f"{service}/{replica}", lease_seconds)
        self._wake = asyncio.Event()
        self._named: set[str] | None = (
            None  # keys of which something was committed since they were last looked at; None: of any key
        )
        self._handed: list[
            Document
        ] = []  # rows that were committed here and need not be read: no older row of their key waits elsewhere
        self._last: dict[
            str, int
        ] = {}  # of keys in hand: up to which seq rows are sent or will be, in this order
        self._after = ""
        self._acknowledged: list[str] = []  # and not yet marked
        self._marked_at = 0.0
        self._stopped: list[str] = []
        self._watching: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    def stop(self) -> None:
        """End after the page at hand."""
        self._ended.set()
        self._wake.set()

    def hand(self, rows: Sequence[Document]) -> None:
        """These rows were committed in this process: those that follow what is in hand of their key are sent as they are, for the others their key is looked at."""
        keys: set[str] = set()
        for row in rows:
            key, seq = row["key"], row["seq"]
            last = self._last.get(key, 0)
            if not self._lease.held or seq > last + 1:
                keys.add(key)
            elif seq > last:
                self._last[key] = seq
                self._handed.append(row)
        if len(self._handed) > PAGE:
            self._reset()
        elif keys:
            self.wake(keys)
        self._wake.set()

    def wake(self, keys: Collection[str] = ()) -> None:
        """Something was committed, about these keys or about any: sweep now."""
        named = None if self._named is None or not keys else self._named.union(keys)
        self._named = named if named and len(named) <= NAMED_KEYS else None
        self._wake.set()

    async def run(self) -> None:
        """Relay for ever; ends when cancelled. MongoDB or Kafka away: waits and goes on."""
        try:
            while not self._ended.is_set():
                try:
                    await self._lead()
                except (mongo.MongoError, SendFailed) as error:
                    telemetry.RELAY_FAILURES.inc()
                    log.warning("relay_interrupted", error=type(error).__name__)
                    await self._drop_producer()
                    await asyncio.sleep(1)
        finally:
            await self._drop_producer()
            _show(leads=False)
            if self._lease.held:
                await self._lease.release()

    def _reset(self) -> None:
        """Have nothing in hand: all that is unsent will be read."""
        self._handed, self._last, self._named, self._after = [], {}, None, ""

    async def _lead(self) -> None:
        """One term as holder: sweep at each wake and at least four times a lease, until the lease is lost."""
        self._reset()
        pause, looked, loop = self._lease.seconds / 4, -1e9, asyncio.get_running_loop()
        try:
            while not self._ended.is_set():
                renewed = loop.time()
                if not await self._lease.take():
                    _show(leads=False)
                    await _first_of(self._ended.wait(), 2 * pause)
                    return
                if renewed - looked > LOOK_SECONDS:
                    await self._refresh_gauges()
                    looked = renewed
                    self._listen(
                        wanted=await self.db.count("leases", LIVING) > 1
                    )  # a stream costs MongoDB a tenth of its time, and our own commits wake us themselves
                self._named = None
                while not self._ended.is_set() and (left := renewed + pause - loop.time()) > 0:
                    self._wake.clear()
                    if not await self.sweep(renewed + pause) and not self._ended.is_set():
                        await self._wait(left)
            await self._mark()
        finally:
            self._listen(wanted=False)

    async def _wait(self, seconds: float) -> None:
        """Wait for a wake so long; mark what is acknowledged when that is due."""
        if 0 < len(self._acknowledged) < MARK_ROWS:
            await _first_of(self._wake.wait(), MARK_SECONDS)
        if self._acknowledged and (
            self._due() or not self._wake.is_set()
        ):  # a clock of milliseconds may say that it is not quite due
            await self._mark()
        await _first_of(self._wake.wait(), seconds)

    def _listen(self, *, wanted: bool) -> None:
        if wanted and self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="outbox-watch")
        elif not wanted and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def sweep(self, until: float = 0.0) -> bool:
        """Send pages of unsent rows until that moment (loop time), one at least: a page is read while the one before it is sent and the one before that is marked.

        True when there may be more at once. Each page begins behind the last key of the page before it, the first where the last sweep ended.
        """
        loop = asyncio.get_running_loop()
        rows = await self._page()
        while rows:
            ahead = (
                self._page()
                if self._after and loop.time() < until and not self._ended.is_set()
                else _nothing()
            )
            rows, _, _ = await _all(
                ahead, self._send(rows), self._mark() if self._due() else _nothing()
            )
        return bool(self._after or self._handed or self._named is None or self._named)

    async def _page(self) -> list[Document]:
        """The next unsent rows but those that only wait for their mark: behind the page before, else what is handed, else of the named keys.

        Only four times a lease of all keys: a walk passes whatever was marked of late, too, which MongoDB clears away once a minute.
        """
        where: Document = UNSENT | {"_id": {"$nin": self._acknowledged}}
        if self._after:
            where["key"] = {"$gt": self._after, "$nin": self._stopped}
        elif self._handed:
            rows, self._handed = self._handed, []
            return rows
        else:
            named, self._named = self._named, set()
            if named is not None and not named:
                return []
            where["key"] = (
                {"$nin": self._stopped}
                if named is None
                else {"$in": sorted(named.difference(self._stopped))}
            )
        rows = await self.db.find(OUTBOX, where, sort=WAITING.keys, limit=PAGE, hint=WAITING.name)
        self._after = rows[-1]["key"] if len(rows) == PAGE else ""
        self._named = (
            None if self._after else self._named
        )  # of the key within which a page ends there may be more
        self._take(rows)
        return rows

    def _take(self, rows: Sequence[Document]) -> None:
        """Have these rows, as they were read, in hand."""
        if len(self._last) > KNOWN_KEYS:
            self._last = {}
        for row in rows:
            self._last[row["key"]] = max(row["seq"], self._last.get(row["key"], 0))
        if self._handed:
            taken = {row["_id"] for row in rows}
            self._handed = [row for row in self._handed if row["_id"] not in taken]

    async def _send(self, rows: Sequence[Document]) -> None:
        """Send rows, of which the acknowledged will be marked. A row that the broker refuses for itself is found by sending one at a time."""
        with telemetry.span("outbox.send", rows=len(rows)):
            self._producer = self._producer or await self._started()
            sent = await self._producer.send_all(
                self.topic, [record(row, self.service) for row in rows]
            )
        done = {rows[place]["_id"] for place in sent.acknowledged}
        self._acknowledged += done
        if sent.failure is None:
            return
        await self._drop_producer()
        if not isinstance(sent.failure, RecordRefused):
            raise sent.failure
        if len(rows) == 1:
            await self._block_key(rows[0], str(sent.failure))
            return
        for row in rows:
            if not self._lease.held:
                self._reset()
            elif row["_id"] not in done and row["key"] not in self._stopped:
                await self._send([row])

    def _due(self) -> bool:
        return (
            len(self._acknowledged) >= MARK_ROWS
            or asyncio.get_running_loop().time() - self._marked_at >= MARK_SECONDS
        )

    async def _mark(self) -> None:
        if (marked := self._acknowledged[:]) and self._lease.held:
            await self.db.update(
                OUTBOX, {"_id": {"$in": marked}}, {"$set": {"sent": True}}, many=True
            )
            telemetry.EVENTS_SENT.inc(len(marked))
            del self._acknowledged[: len(marked)]
        self._marked_at = asyncio.get_running_loop().time()

    async def _block_key(self, row: Document, reason: str) -> None:
        """Let nothing of this key pass a row that the broker refuses, visibly, until an operator lets it go."""
        telemetry.EVENTS_PARKED.labels(self.topic, "refused_by_broker").inc()
        log.warning("outbox_key_stopped", event_id=row["_id"], type=row["type"], error=reason)
        marker = {
            "_id": f"{BLOCKED}/{row['key']}",
            "kind": BLOCKED,
            "topic": self.topic,
            "key": row["key"],
            "first": row["_id"],
        }
        await self.db.bulk(
            "parked",
            [
                mongo.replacing(
                    {**marker, "since": utc_now(), "reason": reason, "version": 1, "count": 1},
                    upsert=True,
                )
            ],
        )
        self._stopped.append(row["key"])
        self._last.pop(row["key"], None)
        self._handed = [other for other in self._handed if other["key"] != row["key"]]

    async def _refresh_gauges(self) -> None:
        """What the gauges show, and which keys an operator has stopped or let go."""
        self._stopped = [row["key"] for row in await self.db.find("parked", {"kind": BLOCKED})]
        state = await unsent(self.db)
        _show(
            leads=True,
            rows=state["unsent"],
            seconds=state["oldest_seconds"],
            stopped=len(self._stopped),
        )

    async def _watch(self) -> None:
        """Wake the relay at every insert into the outbox, by whichever replica. A lost stream costs a sweep, nothing else."""
        while True:
            try:
                async for keys in self.db.inserts(OUTBOX, "key"):
                    self.wake(keys)
            except mongo.MongoError:
                await asyncio.sleep(1)

    async def _started(self) -> Producer:
        producer = self._new_producer()
        await producer.start()
        return producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


async def unsent(db: Mongo) -> dict[str, float]:
    """How many rows wait to be sent, and for how many seconds the oldest of the first thousand."""
    rows = await db.find(
        OUTBOX, UNSENT, sort=[("sent", 1), ("key", 1), ("seq", 1)], limit=PAGE, fields={"at": 1}
    )
    count = len(rows) if len(rows) < PAGE else await db.count(OUTBOX, UNSENT)
    return {
        "unsent": count,
        "oldest_seconds": (utc_now() - min(row["at"] for row in rows)).total_seconds()
        if rows
        else 0,
    }


def record(row: Document, service: str) -> Outgoing:
    """Key, body and headers of an outbox row."""
    return row["key"].encode(), row["body"].encode(), Envelope.archived(row, service).headers()


def _show(*, leads: bool, rows: float = 0, seconds: float = 0, stopped: int = 0) -> None:
    telemetry.RELAY_LEADER.set(leads)
    telemetry.OUTBOX_UNSENT.set(rows)
    telemetry.OUTBOX_AGE.set(seconds)
    telemetry.OUTBOX_STOPPED.set(stopped)


async def _nothing() -> list[Document]:
    return []


async def _all(*steps: Awaitable[Any]) -> list[Any]:
    """What they give, when all have ended; the first failure."""
    outcomes = await asyncio.gather(*steps, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes


async def _first_of(waiting: Awaitable[object], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiting
