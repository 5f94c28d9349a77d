"""The batch processor: applies received events, one transaction per batch.

It retries while MongoDB is away. A batch that conflicts is split in halves. An event that fails is
separated from the others.
Not here: what happens to one event (inbox), where events come from (consumer, waiting_events).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Generic

from chassis import telemetry
from chassis.ids import new_id, utc_now
from chassis.messaging.events import SubjectNotKnownYet
from chassis.messaging.inbox import InboxTransaction
from chassis.messaging.received_events import (
    BatchOutcome,
    Inbox,
    ReceivedEvent,
    Tx,
    failure_reason,
)
from chassis.persistence import mongo
from chassis.persistence.mongo import TransactionConflict, TransactionTooLarge
from chassis.persistence.transactions import TransactionManager
from chassis.persistence.unit_of_work import OperationContext, RetryWithoutEvent

MAX_EVENTS = 500
MAX_WRITES = 5_000
MAX_BYTES = 4 * 1024 * 1024
MAX_SECONDS = 1.0  # a slower batch halves the size
GROW_AFTER = 10  # clean commits
MAX_JITTER_SECONDS = 0.02
MONGO_AWAY_SECONDS = 1.0
UNKNOWN_SUBJECT = "not known yet"
log = telemetry.log(__name__)


class PartitionLost(Exception):
    """Another member has advanced the position; these events are no longer ours to apply."""


class TooManyWrites(Exception):
    """The batch writes more than one transaction should."""


class BatchProcessor(Generic[Tx]):
    """Processes received events until each has taken effect, waits as early, or is parked."""

    def __init__(
        self, engine: TransactionManager[Tx], inbox: Inbox[Tx], *, max_events: int = MAX_EVENTS
    ) -> None:
        self.engine = engine
        self.inbox = inbox
        self.size = max_events
        self.ending = False
        self.last_progress_at = 0.0
        self._max_size = max_events
        self._clean_commits = 0
        # Ids of events that failed once in a batch of their own. At the second failure the reason
        # goes into `_failed`, and the inbox parks the event.
        self._suspects: set[str] = set()
        self._failed: dict[str, str] = {}

    @property
    def is_full_size(self) -> bool:
        """True unless a recent conflict reduced the batch size."""
        return self.size == self._max_size

    async def apply(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        """Apply these events in one transaction."""
        inbox_transaction = InboxTransaction(self.inbox, tx)
        read = [received for received in part if not received.is_ignored]
        await inbox_transaction.load_state(read)
        await inbox_transaction.apply(read)
        return inbox_transaction.outcome

    def done(self, part: Sequence[ReceivedEvent], outcome: BatchOutcome) -> None:
        """Report what was committed."""
        del part
        outcome.report()

    async def process(self, events: Sequence[ReceivedEvent]) -> None:
        """Apply these events in order; wait while MongoDB is away. Raises PartitionLost."""
        pending = [list(events)]  # a stack: the next part is the last element
        while pending and not self.ending:
            part = pending.pop()
            pending += await self._process_part(part)

    async def _process_part(self, part: list[ReceivedEvent]) -> list[list[ReceivedEvent]]:
        """Try to commit these events; return the parts to try next, in reverse order."""
        began = asyncio.get_running_loop().time()
        self.last_progress_at = began
        context = OperationContext(
            caller=self.inbox.system,
            correlation_id=new_id(),
            what=f"batch:{type(self).__name__}",
            failed=self._failed,
            without_early_events=len(part) == 1 and part[0].id in self._suspects,
        )
        try:
            with telemetry.span("events.apply", events=len(part)):
                outcome = await self.engine.attempt(
                    partial(self._apply_bounded, part=part), context
                )
        except TransactionTooLarge as error:
            self._shrink()
            return self._separate(part, "", failure_reason(error))
        except (TransactionConflict, TooManyWrites):
            telemetry.BATCHES_AGAIN.inc()
            self._shrink()
            await asyncio.sleep(random.uniform(0, MAX_JITTER_SECONDS))  # noqa: S311 - jitter
            return _halves(part)
        except PartitionLost:
            raise
        except RetryWithoutEvent as error:
            is_unknown = isinstance(error.problem, SubjectNotKnownYet)
            reason = UNKNOWN_SUBJECT if is_unknown else str(error.problem)
            return self._separate(part, error.id, reason)
        except Exception as error:
            if isinstance(error, mongo.MongoError) and mongo.is_away(error):
                log.warning("mongodb_away", error=type(error).__name__)
                await asyncio.sleep(MONGO_AWAY_SECONDS)
                return [part]
            # A write failed at a flush, or the server refused a query. Separate transactions show
            # which event caused it.
            reason = failure_reason(error)
            log.warning("batch_failed", events=len(part), error=reason, exc_info=len(part) == 1)
            return self._separate(part, "", reason)
        self._committed(part, outcome, asyncio.get_running_loop().time() - began)
        return []

    async def _apply_bounded(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        """Apply these events. Raises TooManyWrites if that exceeds the bounds of a transaction."""
        outcome = await self.apply(tx, part)
        exceeds_bounds = tx.writes > MAX_WRITES or tx.outbox_bytes > MAX_BYTES
        if exceeds_bounds and len(part) > 1:
            raise TooManyWrites
        return outcome

    def _committed(self, part: list[ReceivedEvent], outcome: BatchOutcome, seconds: float) -> None:
        """Measure a committed batch and adapt the batch size."""
        if len(part) == 1:
            self._failed.pop(part[0].id, None)
            self._suspects.discard(part[0].id)
        telemetry.BATCH.observe(len(part))
        _observe_delays(part)
        self.done(part, outcome)
        if seconds > MAX_SECONDS:
            self._shrink()
            return
        self._clean_commits += 1
        if self._clean_commits >= GROW_AFTER and self.size < self._max_size:
            self.size = min(self._max_size, self.size * 2)
            self._clean_commits = 0

    def _shrink(self) -> None:
        self.size = max(1, self.size // 2)
        self._clean_commits = 0

    def _separate(
        self, part: list[ReceivedEvent], id_: str, reason: str
    ) -> list[list[ReceivedEvent]]:
        """Split around the failed event; return the parts to try next, in reverse order.

        An event that is alone is tried twice, then parked with the reason.
        """
        if len(part) == 1:
            id_ = part[0].id
            if id_ in self._suspects:
                self._failed[id_] = reason
            self._suspects.add(id_)
            return [part]
        ids = [received.id for received in part]
        if id_ not in ids:
            return _halves(part)
        index = ids.index(id_)
        return _without_empty(part[index + 1 :], [part[index]], part[:index])


def _halves(part: list[ReceivedEvent]) -> list[list[ReceivedEvent]]:
    middle = len(part) // 2
    return _without_empty(part[middle:], part[:middle])


def _without_empty(*parts: list[ReceivedEvent]) -> list[list[ReceivedEvent]]:
    return [part for part in parts if part]


def _observe_delays(part: Sequence[ReceivedEvent]) -> None:
    """Measure, for each topic, how long the oldest event took from its time to its effect."""
    now = utc_now()
    oldest: dict[str, datetime] = {}
    for received in part:
        topic = received.record.topic
        if received.envelope and received.envelope.time < oldest.get(topic, now):
            oldest[topic] = received.envelope.time
    for topic, time in oldest.items():
        telemetry.EVENT_DELAY.labels(topic).observe((now - time).total_seconds())
