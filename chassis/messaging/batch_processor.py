"""How events take effect: a batch in one transaction, in halves when it conflicts, apart when one of them fails, without end while MongoDB is away.

Not here: what an event does (inbox), where it comes from (consumer, replay).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Generic

from chassis import telemetry
from chassis.ids import new_id, utc_now
from chassis.messaging.events import SubjectNotKnownYet
from chassis.messaging.inbox import (
    EARLY_JOB,
    BatchOutcome,
    Inbox,
    InboxTransaction,
    ReceivedEvent,
    Tx,
    failure_reason,
)
from chassis.persistence import mongo
from chassis.persistence.mongo import TransactionConflict
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext, RetryWithoutEvent, Transaction

MAX_EVENTS, MAX_WRITES, MAX_BYTES, MAX_SECONDS, GROW_AFTER = 500, 5_000, 4 * 1024 * 1024, 1.0, 10
log = telemetry.log(__name__)


class PartitionLost(Exception):
    """Another member has gone on from here; these events are not ours to apply."""


class TooManyWrites(Exception):
    """The batch writes more than one transaction should."""


class BatchProcessor(Generic[Tx]):
    """Takes arrivals until all of them have taken effect, wait as early facts, or are parked."""

    def __init__(
        self, engine: TransactionManager[Tx], inbox: Inbox[Tx], *, max_events: int = MAX_EVENTS
    ) -> None:
        self.engine, self.inbox = engine, inbox
        self.size = self._max = max_events
        self.ending, self.last_progress_at = False, 0.0
        self._clean = 0
        self._suspects: set[str] = set()
        self._failed: dict[str, str] = {}

    @property
    def is_full_size(self) -> bool:
        """Whether batches of the full size have met no conflict of late."""
        return self.size == self._max

    async def apply(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        """What one transaction does with these arrivals."""
        acting, taken = (
            InboxTransaction(self.inbox, tx),
            [arrival for arrival in part if not arrival.ignored],
        )
        await acting.load_state(taken)
        await acting.apply(taken)
        return acting.counted

    def done(self, part: Sequence[ReceivedEvent], counted: BatchOutcome) -> None:
        """These arrivals are committed."""
        del part
        counted.tell()

    async def process(self, arrivals: Sequence[ReceivedEvent]) -> None:
        """Apply these arrivals in order. PartitionLost comes through; MongoDB away is waited for."""
        waiting = [list(arrivals)]
        while waiting and not self.ending:
            part = waiting.pop()
            self.last_progress_at = began = asyncio.get_running_loop().time()
            what = f"batch:{type(self).__name__}"
            cause = OperationContext(
                caller=self.inbox.system,
                correlation_id=new_id(),
                what=what,
                failed=self._failed,
                without_early_events=len(part) == 1 and part[0].id in self._suspects,
            )
            try:
                with telemetry.span("events.apply", events=len(part)):
                    counted = await self.engine.attempt(partial(self._bounded, part=part), cause)
            except (TransactionConflict, TooManyWrites):
                telemetry.BATCHES_AGAIN.inc()
                self._shrink()
                waiting += _halves(part)
                await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - jitter
            except mongo.MongoError as error:
                log.warning("mongodb_away", error=type(error).__name__)
                waiting.append(part)
                await asyncio.sleep(1)
            except PartitionLost:
                raise
            except RetryWithoutEvent as error:
                waiting += self._apart(
                    part,
                    error.id,
                    "not known yet"
                    if isinstance(error.problem, SubjectNotKnownYet)
                    else str(error.problem),
                )
            except Exception as error:  # at the flush: which event it was shows when they are apart
                log.warning(
                    "batch_failed",
                    events=len(part),
                    error=failure_reason(error),
                    exc_info=len(part) == 1,
                )
                waiting += self._apart(part, "", failure_reason(error))
            else:
                self._committed(part, counted, asyncio.get_running_loop().time() - began)

    async def _bounded(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        counted = await self.apply(tx, part)
        if (tx.writes > MAX_WRITES or tx.outbox_bytes > MAX_BYTES) and len(part) > 1:
            raise TooManyWrites
        return counted

    def _committed(self, part: list[ReceivedEvent], counted: BatchOutcome, seconds: float) -> None:
        if len(part) == 1:
            self._failed.pop(part[0].id, None)
            self._suspects.discard(part[0].id)
        telemetry.BATCH.observe(len(part))
        now = utc_now()
        oldest: dict[str, datetime] = {}
        for arrival in part:
            if arrival.envelope and arrival.envelope.time < oldest.get(arrival.record.topic, now):
                oldest[arrival.record.topic] = arrival.envelope.time
        for topic, time in oldest.items():
            telemetry.EVENT_DELAY.labels(topic).observe((now - time).total_seconds())
        self.done(part, counted)
        if seconds > MAX_SECONDS:
            self._shrink()
            return
        self._clean += 1
        if self._clean >= GROW_AFTER and self.size < self._max:
            self.size, self._clean = min(self._max, self.size * 2), 0

    def _shrink(self) -> None:
        self.size, self._clean = max(1, self.size // 2), 0

    def _apart(self, part: list[ReceivedEvent], id_: str, reason: str) -> list[list[ReceivedEvent]]:
        """What to try next, the first last: the one that failed between those before and behind it. Alone it is tried twice, then given up with the reason."""
        if len(part) == 1:
            id_ = part[0].id
            if id_ in self._suspects:
                self._failed[id_] = reason
            self._suspects.add(id_)
            return [part]
        at = next((place for place, arrival in enumerate(part) if arrival.id == id_), -1)
        return (
            [piece for piece in (part[at + 1 :], [part[at]], part[:at]) if piece]
            if at >= 0
            else _halves(part)
        )


def _halves(part: list[ReceivedEvent]) -> list[list[ReceivedEvent]]:
    middle = len(part) // 2
    return [piece for piece in (part[middle:], part[:middle]) if piece]


class EarlyEventSweeper(BatchProcessor[Tx]):
    """The leased job that applies early facts whose subject is there by now: two transactions may have missed each other, or a fact failed beside its subject's own."""

    page = 500

    def __init__(self, engine: TransactionManager[Tx], inbox: Inbox[Tx]) -> None:
        super().__init__(engine, inbox)
        self._after = ""

    async def __call__(self, run: Runner[Any]) -> bool:
        """Look at one page of early facts; True when some took effect."""
        db = run.engine.db
        rows = await db.find(
            "early", {"order": {"$gt": self._after}}, sort=[("order", 1)], limit=self.page
        )
        self._after = rows[-1]["order"] if len(rows) == self.page else ""
        there = await known_by_now(db, run.engine.transaction, {row["waits_for"] for row in rows})
        first: dict[str, mongo.Document] = {}
        for row in rows:
            if row["waits_for"] in there:
                first.setdefault(row["marker"], row)
        self._progress = False
        if first:
            await self.process([self.inbox.again(row) for row in first.values()])
        return self._progress

    async def apply(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        """Handle these facts, each the first of its key that waits."""
        acting = InboxTransaction(self.inbox, tx)
        await acting.load_early([arrival.marker for arrival in part])
        for arrival in part:
            await acting.apply_first_early(arrival.marker, arrival.id)
        return acting.counted

    def done(self, part: Sequence[ReceivedEvent], counted: BatchOutcome) -> None:
        """These took effect, were parked, or go on waiting."""
        super().done(part, counted)
        self._progress = self._progress or bool(counted.applied or counted.parked)


async def known_by_now(
    db: mongo.Mongo,
    transaction: type[Transaction],
    subjects: set[str],
    session: mongo.Session = None,
) -> set[str]:
    """Which of the subjects that early facts wait for are here, themselves or as merged into another."""
    homes = (
        ["aliases", *(store.collection for store in transaction.stores() if store.awaited)]
        if subjects
        else []
    )
    return {
        found["_id"]
        for home in homes
        for found in await db.find(
            home, {"_id": {"$in": list(subjects)}}, fields={"_id": 1}, session=session
        )
    }


__all__ = ["EARLY_JOB", "BatchProcessor", "EarlyEventSweeper", "PartitionLost", "known_by_now"]
