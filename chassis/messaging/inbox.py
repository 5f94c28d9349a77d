"""The inbox: each event takes effect once and in order, waits as early, or is parked.

Not here: decoding of records (received_events), where events come from (consumer, waiting_events),
operators' actions on parked events (parked_events).

Collections: `inbox` {_id: event id, source, state: done | parked | early | discarded, ...};
`parked` {_id: topic/key, first, count, version}, the head behind which later events of that key
join a parked sequence; `early` {_id: event id, waits_for, marker, ...}. The stored field `marker`
is the id of the head. CloudEvents are unique by source and id: if an event of another source has
the same id, the `_id` of its row is `source/id`. A row without `source` is of an earlier version of
Bina, and means an event of any source.
Nothing of these collections is cached longer than a transaction lasts.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

from opentelemetry import trace

from chassis import telemetry
from chassis.errors import DomainError
from chassis.messaging.events import Envelope, Inbound, SubjectNotKnownYet
from chassis.messaging.received_events import (
    BEHIND,
    BatchOutcome,
    Inbox,
    ReceivedEvent,
    Tx,
    failure_reason,
    other_row_id,
)
from chassis.persistence import mongo
from chassis.persistence.mongo import Index, Query
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import OperationContext, RetryWithoutEvent, Savepoint

Problem = TypeVar("Problem", str, SubjectNotKnownYet)

INBOX_DAYS = 45
ATTEMPTS = 2
# `load_state` looks up at most this many values in a collection. For more, it only asks whether the
# collection has any document.
FEW = 20
HEAD = "inbox"  # the kind of a head in `parked`
EARLY_JOB = "early-facts"
INDEXES = {
    "inbox": (
        Index("done_at", expire_seconds=INBOX_DAYS * 86_400),
        Index("marker", "order", where={"state": "parked"}),
    ),
    "parked": (Index("kind"),),
    "early": (Index("waits_for"), Index("marker"), Index("order"), Index("since")),
    "aliases": (Index("into"),),
}
log = telemetry.log(__name__)


class InboxTransaction(Generic[Tx]):
    """The events of one transaction: what is stored of them, and what becomes of them.

    It remembers the events that it has parked or kept early, because their rows are only buffered.
    """

    def __init__(self, inbox: Inbox[Tx], tx: Tx) -> None:
        self.inbox = inbox
        self.tx = tx
        self.outcome = BatchOutcome()
        self._heads: dict[str, mongo.Document | None] = {}
        self._early: dict[str, list[mongo.Document]] = {}  # by head id, in order
        # The sources of known events, by the ids of their rows; None = any source.
        self._sources: dict[str, str | None] = {}
        self._searched_subjects: set[str] = set()
        self._early_ids: set[str] = set()

    async def load_state(
        self, received: Sequence[ReceivedEvent], also: Mapping[str, Query] | None = None
    ) -> dict[str, list[mongo.Document]]:
        """Read the stored state of these events, and run the queries in `also`, in one statement.

        Few events wait behind a head or an early event, or name a merged subject. The statement
        only asks whether there is such a row; if so, the rows are read afterwards. Returns the
        documents by collection.
        """
        head_ids = {one.head_id for one in received}
        keys = {one.key for one in received}
        events = [one.event for one in received if one.event]
        references = {reference for event in events for reference in event.references}
        prefetched = {store: ids for store, ids in _reads(events).items() if len(ids) <= FEW}
        # A handler mostly publishes under the key of its event, so the counters of these keys are
        # read at once.
        publishing_keys = keys if len(keys) <= FEW else set[str]()
        queries: dict[str, Query] = {
            "inbox": Query({"_id": {"$in": [one.id for one in received]}}, {"source": 1}),
            "parked": _exists_query({"_id": head_ids}),
            "early": _exists_query({"marker": head_ids, "waits_for": keys}),
            "aliases": _exists_query({"_id": references}),
            "keys": Query({"_id": {"$in": list(publishing_keys)}}),
        }
        for store, ids in prefetched.items():
            queries[store.collection] = Query({"_id": {"$in": list(ids)}})
        queries.update(also or {})
        documents = await self.tx.db.find_in_each(queries, session=self.tx.session)
        self._sources = {row["_id"]: row.get("source") for row in documents["inbox"]}
        others = [one.row_id for one in map(self._with_row_id, received) if one.row_id != one.id]
        for row in await self.tx.find_by_any("inbox", {"_id": others}):
            self._sources[row["_id"]] = row["source"]
        self.tx.seqs = dict.fromkeys(publishing_keys, 0)
        self.tx.seqs |= {row["_id"]: row["seq"] for row in documents["keys"]}
        for store, ids in prefetched.items():
            self.tx.store(store).remember(ids, documents[store.collection])
        if documents["parked"]:
            await self._read_heads(head_ids)
        if documents["early"]:
            await self.load_early(head_ids, keys)
        if documents["aliases"]:
            await self.tx.resolve_many(references)
        self._heads = dict.fromkeys(head_ids) | self._heads
        self._searched_subjects |= keys
        self.tx.aliases = dict.fromkeys(references) | self.tx.aliases
        return documents

    async def apply(self, received: Sequence[ReceivedEvent]) -> None:
        """Apply events in order, after `load_state`; drop duplicates.

        If an event fails, only its own changes are undone. It is parked, and so are the later
        events of its key.
        """
        await self._prefetch([one.event for one in received if one.event])
        for one in map(self._with_row_id, received):
            if one.row_id in self._sources:
                self.outcome.duplicates.append(one)
                continue
            self._sources[one.row_id] = one.source
            await self._apply_new(one)
            await self.apply_early_events()

    def _with_row_id(self, received: ReceivedEvent) -> ReceivedEvent:
        """Return the event with the id of its row, which it shares with no other source."""
        if self._sources.get(received.id, received.source) in {None, received.source}:
            return received
        return received._replace(row_id=other_row_id(received.source, received.id))

    async def _apply_new(self, received: ReceivedEvent) -> None:
        """Apply an event that is no duplicate; park or keep it if its key already waits."""
        waiting = self._early.get(received.head_id)
        if self._heads[received.head_id]:
            self.park(received, received.reason or BEHIND)
            return
        if waiting and received.event:
            self._keep_early(received, waiting[-1]["waits_for"])
            return
        problem = await self.attempt(received)
        if isinstance(problem, SubjectNotKnownYet):
            self._keep_early(received, problem.subject)
        elif problem:
            self.park(received, problem)
        else:
            self._finish(received, self.done_row(received))

    async def attempt(self, received: ReceivedEvent) -> str | SubjectNotKnownYet:
        """Handle one event, twice if it fails; return "" or why it failed, with its changes undone.

        Raises RetryWithoutEvent if only an abort of the transaction can undo them.
        """
        tx = self.tx
        event = received.event
        envelope = received.envelope
        handler = received.handler
        if event is None or envelope is None or handler is None or received.id in tx.failed:
            return tx.failed.get(received.id, received.reason)
        outer_context = tx.context
        tx.context = OperationContext(
            caller=self.inbox.system,
            correlation_id=envelope.correlation_id or envelope.id,
            causation_id=envelope.id,
            what=envelope.type,
            traceparent=envelope.traceparent,
        )
        problem = ""
        try:
            for attempt in range(ATTEMPTS):
                before = tx.savepoint()
                try:
                    with _event_span(envelope):
                        await handler(event.resolved(tx.aliases), tx)
                except (
                    mongo.MongoError,
                    mongo.TransactionConflict,
                    mongo.TransactionTooLarge,
                    mongo.DuplicateKey,
                    mongo.DocumentRefused,
                ):
                    # MongoDB has aborted the transaction. The cause may be an earlier event whose
                    # write was flushed only now.
                    raise
                except SubjectNotKnownYet as unknown:
                    return self._undo(received, before, unknown)
                except Exception as error:  # noqa: BLE001 - whatever a handler raises is parked
                    problem = self._undo(received, before, failure_reason(error))
                    if attempt == ATTEMPTS - 1:
                        _log_failure(received, problem, error)
                else:
                    return ""
            return problem
        finally:
            tx.context = outer_context

    async def keep_behind_early(self, received: ReceivedEvent) -> bool:
        """Keep a parked event as early if an earlier event of its key is early; say whether."""
        await self.load_early([received.head_id])
        order = received.record.order
        earlier = [row for row in self._early.get(received.head_id, []) if row["order"] < order]
        if not earlier or received.event is None:
            return False
        self._keep_early(received, earlier[-1]["waits_for"])
        return True

    async def restore(self, row: mongo.Document) -> ReceivedEvent:
        """Return the event of a parked or early row, with the data that `attempt` needs."""
        received = self.inbox.restore(row)
        await self._prefetch([received.event] if received.event else [])
        return received

    async def apply_early_events(self) -> None:
        """Apply the early events that wait for ids which this transaction has added, in key order.

        With `without_early_events` the job of early events is woken instead, which applies them in
        transactions of their own.
        """
        tx = self.tx
        while tx.added_ids:
            added_ids = set(tx.added_ids)
            tx.added_ids = []
            if tx.without_early_events:
                tx.wake(EARLY_JOB)
                continue
            await self.load_early((), added_ids)
            head_ids = [
                head_id
                for head_id, rows in self._early.items()
                if not added_ids.isdisjoint(row["waits_for"] for row in rows)
            ]
            await self._read_heads(head_ids)
            for head_id in head_ids:
                while self._early.get(head_id) and await self.apply_first_early(head_id):
                    pass

    async def apply_first_early(self, head_id: str, id_: str = "") -> bool:
        """Apply the first early event of a key (only if it is `id_`); False if it still waits."""
        rows = self._early.get(head_id, [])
        if not rows or id_ not in {"", rows[0]["_id"]}:
            return False
        row = rows[0]
        await self._read_heads([head_id])
        received = await self.restore(row)
        head = self._heads[head_id]
        if head and head["first"] < row["order"]:
            problem: str | SubjectNotKnownYet = BEHIND
        else:
            problem = await self.attempt(received)
        if isinstance(problem, SubjectNotKnownYet):
            self._wait_for(rows, problem.subject)
            return False
        rows.pop(0)
        self.tx.write_raw("early", mongo.deleting(row["_id"]), row["_id"])
        if problem:
            self.park(received, problem)
        else:
            self._finish(received, mongo.replacing(self.done_row(received), upsert=True))
        return True

    def _wait_for(self, rows: Sequence[mongo.Document], subject: str) -> None:
        """Make the early events of one key wait for this subject."""
        for row in rows:
            if row["waits_for"] != subject:
                row["waits_for"] = subject
                self.tx.write_raw("early", mongo.replacing(row, upsert=True), row["_id"])

    async def load_early(self, head_ids: Collection[str], subjects: Collection[str] = ()) -> None:
        """Read the early events of these keys, and those that wait for these subjects."""
        values = {"marker": head_ids, "waits_for": set(subjects) - self._searched_subjects}
        self._searched_subjects.update(subjects)
        for row in await self.tx.find_by_any("early", values):
            self._add_early(row)

    def park(self, received: ReceivedEvent, reason: str) -> None:
        """Park an event at the end of its key's parked sequence."""
        tx = self.tx
        order = received.record.order
        head = self._heads.get(received.head_id) or {
            "_id": received.head_id,
            "kind": HEAD,
            "topic": received.record.topic,
            "key": received.key,
            "since": tx.now,
            "first": order,
            "count": 0,
            "version": 0,
        }
        head = head | {
            "first": min(order, head["first"]),
            "count": head["count"] + 1,
            "version": head["version"] + 1,
        }
        self._heads[received.head_id] = head
        tx.write_raw("parked", mongo.replacing(head, upsert=True), received.head_id)
        row = {"_id": received.row_id, "state": "parked", "reason": reason, "since": tx.now}
        row |= received.stored_fields
        tx.write_raw("inbox", mongo.replacing(row, upsert=True), received.row_id)
        self.outcome.parked.append((received, reason))

    def _keep_early(self, received: ReceivedEvent, subject: str) -> None:
        """Keep an early event until its subject is added."""
        row = {"_id": received.row_id, "waits_for": subject, "since": self.tx.now}
        row |= received.stored_fields
        self._add_early(row)
        self.tx.write_raw("early", row)
        early = {"_id": received.row_id, "source": received.source, "state": "early"}
        self.tx.write_raw("inbox", early)
        # Another transaction may be adding the subject at this moment; neither sees the other.
        self.tx.wake(EARLY_JOB)
        self.outcome.early.append(received)

    def _add_early(self, row: mongo.Document) -> None:
        if row["_id"] not in self._early_ids:
            self._early_ids.add(row["_id"])
            rows = self._early.setdefault(row["marker"], [])
            insort(rows, row, key=lambda early_row: early_row["order"])

    def _finish(self, received: ReceivedEvent, operation: Any) -> None:
        self.tx.write_raw("inbox", operation, received.row_id)
        self.outcome.applied.append(received)

    def done_row(self, received: ReceivedEvent) -> mongo.Document:
        """Return the inbox row of an event that took effect."""
        row = {"_id": received.row_id, "source": received.source}
        return row | {"state": "done", "done_at": self.tx.now}

    def _undo(self, received: ReceivedEvent, before: Savepoint, problem: Problem) -> Problem:
        """Undo the changes since the savepoint and return the problem. Raises RetryWithoutEvent."""
        if not self.tx.rollback(before):
            raise RetryWithoutEvent(received.id, problem)
        return problem

    async def _prefetch(self, events: Sequence[Inbound]) -> None:
        """Read the aliases and the declared documents (`reads`) of these events at once."""
        references = {reference for event in events for reference in event.references}
        await self.tx.resolve_many(references)
        for store, ids in _reads(events).items():
            await self.tx.store(store).many(ids, scoped=False)

    async def _read_heads(self, head_ids: Collection[str]) -> None:
        unread = [head_id for head_id in head_ids if head_id not in self._heads]
        if unread:
            self._heads.update(dict.fromkeys(unread))
            heads = await self.tx.find_by_any("parked", {"_id": unread})
            self._heads.update({head["_id"]: head for head in heads})


def _reads(events: Iterable[Inbound]) -> dict[type[Store[Any]], set[str]]:
    """Return the ids that the handlers of these events declare to read, by store."""
    ids: dict[type[Store[Any]], set[str]] = {}
    for event in events:
        for store, id_ in event.reads():
            ids.setdefault(store, set()).add(id_)
    return ids


def _exists_query(values: Mapping[str, Collection[str]]) -> Query:
    """Return a query for one document that has one of these values in one of these fields.

    With more than FEW values in a field, it finds any document of the collection.
    """
    if max(map(len, values.values())) > FEW:
        return Query({}, {"_id": 1}, 1)
    conditions = [{field: {"$in": list(wanted)}} for field, wanted in values.items()]
    return Query({"$or": conditions}, {"_id": 1}, 1)


def _event_span(envelope: Envelope) -> AbstractContextManager[object]:
    """Open a span in the trace of what caused the event, if that trace is sampled."""
    if not telemetry.is_sampled(envelope.traceparent):
        return nullcontext()
    return telemetry.span(envelope.type, of=envelope.traceparent, kind=trace.SpanKind.CONSUMER)


def _log_failure(received: ReceivedEvent, reason: str, error: Exception) -> None:
    log.warning(
        "event_failed",
        event_id=received.id,
        type=received.type,
        reason=reason,
        exc_info=not isinstance(error, DomainError),
    )
