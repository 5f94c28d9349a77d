"""Waiting events: the counts of parked and early ones, and the job that applies early ones.

Not here: why an event waits (inbox), operators' actions on parked events (parked_events).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis import telemetry
from chassis.ids import utc_now
from chassis.messaging.batch_processor import BatchProcessor
from chassis.messaging.inbox import HEAD, InboxTransaction
from chassis.messaging.received_events import BatchOutcome, Inbox, ReceivedEvent, Tx
from chassis.persistence import mongo
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import Transaction


class EarlyEventSweeper(BatchProcessor[Tx]):
    """The leased job that applies early events whose subject is known by now.

    It is needed in two cases. The transactions that kept the event and added its subject ran at the
    same time, so neither saw the other. Or the event failed in the transaction that added its
    subject.
    """

    page = 500

    def __init__(self, engine: TransactionManager[Tx], inbox: Inbox[Tx]) -> None:
        super().__init__(engine, inbox)
        self._after = ""
        self._has_progress = False

    async def __call__(self, run: Runner[Any]) -> bool:
        """Process one page of early events; return True if some took effect or were parked."""
        db = run.engine.db
        rows = await db.find(
            "early", {"order": {"$gt": self._after}}, sort=[("order", 1)], limit=self.page
        )
        self._after = rows[-1]["order"] if len(rows) == self.page else ""
        subjects = {row["waits_for"] for row in rows}
        known_subjects = await known_by_now(db, run.engine.transaction, subjects)
        first_rows: dict[str, mongo.Document] = {}
        for row in rows:
            if row["waits_for"] in known_subjects:
                first_rows.setdefault(row["marker"], row)
        self._has_progress = False
        if first_rows:
            await self.process([self.inbox.restore(row) for row in first_rows.values()])
        return self._has_progress

    async def apply(self, tx: Tx, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        """Apply these events, each the first early one of its key."""
        inbox_transaction = InboxTransaction(self.inbox, tx)
        await inbox_transaction.load_early([received.head_id for received in part])
        for received in part:
            await inbox_transaction.apply_first_early(received.head_id, received.row_id)
        return inbox_transaction.outcome

    def done(self, part: Sequence[ReceivedEvent], outcome: BatchOutcome) -> None:
        """Report what was committed."""
        super().done(part, outcome)
        if outcome.applied or outcome.parked:
            self._has_progress = True


async def known_by_now(
    db: Mongo,
    transaction: type[Transaction],
    subjects: set[str],
    session: mongo.Session = None,
) -> set[str]:
    """Return the subjects that are known now: stored aggregates, and merged references."""
    if not subjects:
        return set()
    awaited = [store.collection for store in transaction.stores() if store.awaited]
    known: set[str] = set()
    for collection in ("aliases", *awaited):
        rows = await db.find(
            collection, {"_id": {"$in": list(subjects)}}, fields={"_id": 1}, session=session
        )
        known |= {row["_id"] for row in rows}
    return known


async def pending_counts(db: Mongo) -> dict[str, float]:
    """Count parked and early events, set the gauges and return the counts.

    `parked_keys` counts the keys with parked events. `early_seconds` is the age of the oldest early
    event.
    """
    oldest = await db.find("early", {}, sort=[("since", 1)], limit=1, fields={"since": 1})
    counts: dict[str, float] = {"parked": 0, "parked_keys": 0, "early": 0, "early_seconds": 0}
    # Heads count their events: a count of the inbox rows would read the whole inbox.
    totals = {"_id": None, "keys": {"$sum": 1}, "events": {"$sum": "$count"}}
    heads = await db.aggregate("parked", [{"$match": {"kind": HEAD}}, {"$group": totals}])
    if heads:
        counts["parked_keys"] = heads[0]["keys"]
        counts["parked"] = heads[0]["events"]
    if oldest:
        counts["early"] = await db.count("early", {"since": {"$gte": oldest[0]["since"]}})
        counts["early_seconds"] = (utc_now() - oldest[0]["since"]).total_seconds()
    telemetry.PARKED.set(counts["parked"])
    telemetry.PARKED_KEYS.set(counts["parked_keys"])
    telemetry.EARLY.set(counts["early"])
    telemetry.EARLY_AGE.set(counts["early_seconds"])
    return counts
