"""What happens to an event that has arrived: once, in its key's order, early, or parked with its reason. Not here: where events come from (consumer, replay, parked).

Rows: `inbox` {_id: event id, state: done | parked | early | discarded, ...}; `parked` {_id: topic/key, first, count, version}, the marker behind which later
events of that key join; `early` {_id: event id, waits_for, marker, ...}. What is read of them in a transaction is remembered no longer than that.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from opentelemetry import trace

from chassis import telemetry
from chassis.caller import system
from chassis.errors import DomainError
from chassis.ids import utc_now
from chassis.messaging.events import (
    MAX_NAME,
    Envelope,
    Inbound,
    SubjectNotKnownYet,
    Unreadable,
    stem,
)
from chassis.messaging.kafka import Record
from chassis.persistence import mongo
from chassis.persistence.mongo import DocumentRefused, DuplicateKey, Index, Mongo, Query
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import (
    OperationContext,
    RetryWithoutEvent,
    Savepoint,
    Transaction,
)

Tx = TypeVar("Tx", bound=Transaction)
Problem = TypeVar("Problem", str, SubjectNotKnownYet)
Handler = Callable[[Any, Any], Awaitable[None]]
Handlers = Mapping[
    str, Mapping[Any, Handler]
]  # {topic: {kind of Inbound: handler}}; Any because a mapping is invariant in its keys

INBOX_DAYS, TRIES = 45, 2
FEW = 20  # so many values are looked up at once; of more it is asked first whether the collection holds anything
HEAD, BEHIND, EARLY_JOB = "inbox", "waits behind an earlier event of its key", "early-facts"
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


class ReceivedEvent(NamedTuple):
    """A record with what could be read of it. Without an event it has a `reason` (it cannot be read), or nobody here reads its type."""

    record: Record
    id: str
    key: str
    type: str = ""
    envelope: Envelope | None = None
    event: Inbound | None = None
    handler: Handler | None = None
    reason: str = ""
    marker: str = ""  # the id of the marker behind which its key waits

    @property
    def ignored(self) -> bool:
        """Whether nobody here reads its type."""
        return self.event is None and not self.reason

    @property
    def stored(self) -> mongo.Document:
        """What a parked or early row keeps of it."""
        record = self.record
        headers = [[name, value] for name, value in record.headers]
        return {
            "marker": self.marker,
            "topic": record.topic,
            "key": self.key,
            "order": record.order,
            "headers": headers,
            "body": record.value,
            "type": self.type,
        }


@dataclass(slots=True)
class BatchOutcome:
    """What one transaction did, counted after its commit."""

    applied: list[ReceivedEvent] = field(default_factory=list[ReceivedEvent])
    parked: list[tuple[ReceivedEvent, str]] = field(default_factory=list[tuple[ReceivedEvent, str]])
    repeated: list[ReceivedEvent] = field(default_factory=list[ReceivedEvent])
    early: list[ReceivedEvent] = field(default_factory=list[ReceivedEvent])

    def tell(self) -> None:
        """Move the metrics, and say in the log what was parked for itself."""
        for arrival, reason in self.parked:
            if reason != BEHIND:
                log.warning(
                    "event_parked",
                    event_id=arrival.id,
                    type=arrival.type,
                    topic=arrival.record.topic,
                    reason=reason,
                )
        moved = [
            (telemetry.EVENTS_APPLIED, [(arrival.type,) for arrival in self.applied]),
            (
                telemetry.EVENTS_PARKED,
                [
                    (arrival.record.topic, reason.partition(":")[0][:40])
                    for arrival, reason in self.parked
                ],
            ),
            (telemetry.EVENTS_REPEATED, [(arrival.record.topic,) for arrival in self.repeated]),
            (telemetry.EVENTS_EARLY, [(arrival.record.topic,) for arrival in self.early]),
        ]
        for metric, labels in moved:
            for label, times in Counter(labels).items():
                metric.labels(*label).inc(times)


class Inbox(Generic[Tx]):
    """What one service reads, and by which handlers."""

    def __init__(self, service: str, handlers: Handlers, namespace: str = "") -> None:
        self.service, self.system, self.topics = (
            service,
            system(service),
            sorted(namespace + topic for topic in handlers),
        )
        self._kinds: dict[tuple[str, str], tuple[type[Inbound], Handler]] = {
            (namespace + topic, name): (kind, handler)
            for topic, kinds in handlers.items()
            for kind, handler in kinds.items()
            for name in (kind.type, *kind.upcasts)
        }
        self._stems = {(topic, stem(name)) for topic, name in self._kinds}

    def arrival(self, record: Record) -> ReceivedEvent:
        """What a record is to us."""
        key, type_name, envelope = "", "", None
        try:
            headers = {name: (value or b"").decode() for name, value in record.headers}
            type_name = headers.get("ce_type", "")
            kind, handler = self._kinds.get((record.topic, type_name), (None, None))
            if kind is None and type_name and (record.topic, stem(type_name)) not in self._stems:
                return ReceivedEvent(record, "", "", type_name)
            key = (record.key or b"").decode()
            envelope = Envelope.of(headers, key)
            event = self._read(kind, record, key, envelope)
            return ReceivedEvent(
                record,
                envelope.id,
                key,
                type_name,
                envelope,
                event,
                handler,
                marker=f"{record.topic}/{key}",
            )
        except UnicodeDecodeError:
            key, reason = (
                key or (record.key or b"").decode(errors="backslashreplace"),
                "key or headers are not UTF-8",
            )
        except Exception as error:  # noqa: BLE001 - an upcaster may raise anything; the record is parked with the reason
            reason = failure_reason(error)
        # of a key that is too long all are parked, each by its place
        id_, key = (
            envelope.id if envelope else record.order,
            key if len(key) <= MAX_NAME else record.order,
        )
        return ReceivedEvent(
            record, id_, key, type_name, envelope, reason=reason, marker=f"{record.topic}/{key}"
        )

    def _read(
        self, kind: type[Inbound] | None, record: Record, key: str, envelope: Envelope
    ) -> Inbound:
        if not key or record.value is None:
            raise Unreadable("the record has no body" if key else "the record has no key")
        if kind is None:
            raise Unreadable(f"version not known here: {envelope.type}")
        return kind.read(record.value, envelope)

    def again(self, row: mongo.Document) -> ReceivedEvent:
        """The arrival that a parked or early row keeps."""
        topic, partition, offset = row["order"].rsplit("/", 2)
        headers = tuple((name, value) for name, value in row["headers"])
        return self.arrival(
            Record(topic, int(partition), int(offset), row["key"].encode(), row["body"], headers, 0)
        )


class InboxTransaction(Generic[Tx]):
    """What one transaction does with events. It remembers itself what it has parked and kept early, because that is not written yet."""

    def __init__(self, inbox: Inbox[Tx], tx: Tx) -> None:
        self.inbox, self.tx, self.counted = inbox, tx, BatchOutcome()
        self._markers: dict[str, mongo.Document | None] = {}
        self._early: dict[str, list[mongo.Document]] = {}  # by marker, in order
        self._known: set[str] = set()
        self._looked: set[str] = set()
        self._seen: set[str] = set()

    async def load_state(
        self, arrivals: Sequence[ReceivedEvent], also: Mapping[str, Query] | None = None
    ) -> dict[str, list[mongo.Document]]:
        """Read in one statement what is known of these arrivals, what a few of them will read, and what is asked `also`; what was found.

        Hardly any stands behind a marker or an early fact, or names somebody merged: whether one does is asked here, the rest only then.
        """
        markers, keys = (
            {arrival.marker for arrival in arrivals},
            {arrival.key for arrival in arrivals},
        )
        events = [arrival.event for arrival in arrivals if arrival.event]
        references = {reference for event in events for reference in event.references}
        reads = {store: ids for store, ids in _reads(events).items() if len(ids) <= FEW}
        foreseen = (
            keys if len(keys) <= FEW else set[str]()
        )  # what an event leads to mostly has its key
        found = await self.tx.db.find_in_each(
            {
                "inbox": Query({"_id": {"$in": [arrival.id for arrival in arrivals]}}, {"_id": 1}),
                "parked": _whether_any({"_id": markers}),
                "early": _whether_any({"marker": markers, "waits_for": keys}),
                "aliases": _whether_any({"_id": references}),
                "keys": Query({"_id": {"$in": list(foreseen)}}),
                **{
                    store.collection: Query({"_id": {"$in": list(ids)}})
                    for store, ids in reads.items()
                },
                **(also or {}),
            },
            session=self.tx.session,
        )
        self._known = {row["_id"] for row in found["inbox"]}
        self.tx.seqs = dict.fromkeys(foreseen, 0) | {
            row["_id"]: row["seq"] for row in found["keys"]
        }
        for store, ids in reads.items():
            self.tx.store(store).remember(ids, found[store.collection])
        if found["parked"]:
            await self._read_markers(markers)
        if found["early"]:
            await self.load_early(markers, keys)
        if found["aliases"]:
            await self.tx.resolve_many(references)
        self._markers = dict.fromkeys(markers) | self._markers
        self._looked |= keys
        self.tx.aliases = dict.fromkeys(references) | self.tx.aliases
        return found

    async def apply(self, arrivals: Sequence[ReceivedEvent]) -> None:
        """Apply arrivals that were met, in order. Known ones are dropped; one that fails loses only its own changes and is parked with all that follow of its key."""
        await self._prefetch([arrival.event for arrival in arrivals if arrival.event])
        for arrival in arrivals:
            if arrival.id in self._known:
                self.counted.repeated.append(arrival)
                continue
            self._known.add(arrival.id)
            marker, waiting = arrival.marker, self._early.get(arrival.marker)
            if self._markers[marker]:
                self.park(arrival, arrival.reason or BEHIND)
            elif waiting and arrival.event:
                self._keep(arrival, waiting[-1]["waits_for"])
            else:
                problem = await self.attempt(arrival)
                if isinstance(problem, SubjectNotKnownYet):
                    self._keep(arrival, problem.subject)
                elif problem:
                    self.park(arrival, problem)
                else:
                    self._done(
                        arrival, {"_id": arrival.id, "state": "done", "done_at": self.tx.now}
                    )
            await self.apply_early_events()

    async def attempt(self, arrival: ReceivedEvent) -> str | SubjectNotKnownYet:
        """Handle one arrival, once more when it fails; "" when it took effect, else why not, with its changes undone. RetryWithoutEvent when only an abort undoes them."""
        tx, event, envelope, problem = self.tx, arrival.event, arrival.envelope, ""
        if event is None or envelope is None or arrival.handler is None or arrival.id in tx.failed:
            return tx.failed.get(arrival.id, arrival.reason)
        outer, correlation = tx.context, envelope.correlation_id or envelope.id
        tx.context = OperationContext(
            caller=self.inbox.system,
            correlation_id=correlation,
            causation_id=envelope.id,
            what=envelope.type,
            traceparent=envelope.traceparent,
        )
        try:
            for attempt in range(TRIES):
                before = tx.savepoint()
                try:
                    with _watched(envelope):
                        await arrival.handler(event.resolved(tx.aliases), tx)
                except (mongo.MongoError, DuplicateKey, DocumentRefused):
                    raise  # the server has ended the transaction, and the fault may be that of an earlier event whose write was flushed now
                except SubjectNotKnownYet as unknown:
                    return self._undone(arrival, before, unknown)
                except (
                    Exception
                ) as error:  # whatever a handler raises is parked with its reason, never swallowed
                    problem = self._undone(arrival, before, failure_reason(error))
                    if attempt == TRIES - 1:
                        log.warning(
                            "event_failed",
                            event_id=arrival.id,
                            type=arrival.type,
                            reason=problem,
                            exc_info=not isinstance(error, DomainError),
                        )
                else:
                    return ""
            return problem
        finally:
            tx.context = outer

    async def again(self, row: mongo.Document) -> ReceivedEvent:
        """The arrival that a parked or early row keeps, ready to be attempted."""
        arrival = self.inbox.again(row)
        await self._prefetch([arrival.event] if arrival.event else [])
        return arrival

    async def apply_early_events(self) -> None:
        """Early facts that wait for what this transaction has added take effect in it, each key's in their order; where that failed before, in a transaction of their own."""
        tx = self.tx
        while tx.added_ids:
            added, tx.added_ids = set(tx.added_ids), []
            if tx.without_early_events:
                tx.wake(EARLY_JOB)
                continue
            await self.load_early((), added)
            markers = [
                marker
                for marker, rows in self._early.items()
                if any(row["waits_for"] in added for row in rows)
            ]
            await self._read_markers(markers)
            for marker in markers:
                while self._early.get(marker) and await self.apply_first_early(marker):
                    pass

    async def apply_first_early(self, marker: str, id_: str = "") -> bool:
        """Handle the first early fact of a key (when it is still `id_`); False when it goes on waiting, with all behind it."""
        row = next(iter(self._early.get(marker, [])), None)
        if row is None or id_ not in {"", row["_id"]}:
            return False
        await self._read_markers([marker])
        arrival, parked = await self.again(row), self._markers[marker]
        problem = (
            BEHIND if parked and parked["first"] < row["order"] else await self.attempt(arrival)
        )
        if isinstance(problem, SubjectNotKnownYet):
            for waiting in self._early[marker]:
                if waiting["waits_for"] != problem.subject:
                    waiting["waits_for"] = problem.subject
                    self.tx.write_raw(
                        "early", mongo.replacing(waiting, upsert=True), waiting["_id"]
                    )
            return False
        self._early[marker].pop(0)
        self.tx.write_raw("early", mongo.deleting(row["_id"]), row["_id"])
        if problem:
            self.park(arrival, problem)
        else:
            self._done(
                arrival,
                mongo.replacing(
                    {"_id": arrival.id, "state": "done", "done_at": self.tx.now}, upsert=True
                ),
            )
        return True

    async def load_early(self, markers: Collection[str], subjects: Collection[str] = ()) -> None:
        """Read the early facts of these keys and those that wait for these subjects."""
        wanted = {"marker": markers, "waits_for": set(subjects) - self._looked}
        self._looked.update(subjects)
        for row in await self.tx.find_by_any("early", wanted):
            self._wait(row)

    def park(self, arrival: ReceivedEvent, reason: str) -> None:
        """Park it behind its key's marker."""
        tx, order = self.tx, arrival.record.order
        new: mongo.Document = {
            "_id": arrival.marker,
            "kind": HEAD,
            "topic": arrival.record.topic,
            "key": arrival.key,
            "since": tx.now,
            "first": order,
            "count": 0,
            "version": 0,
        }
        marker = self._markers.get(arrival.marker) or new
        marker = self._markers[arrival.marker] = marker | {
            "first": min(order, marker["first"]),
            "count": marker["count"] + 1,
            "version": marker["version"] + 1,
        }
        tx.write_raw("parked", mongo.replacing(marker, upsert=True), arrival.marker)
        tx.write_raw(
            "inbox",
            mongo.replacing(
                {
                    "_id": arrival.id,
                    "state": "parked",
                    "reason": reason,
                    "since": tx.now,
                    **arrival.stored,
                },
                upsert=True,
            ),
            arrival.id,
        )
        self.counted.parked.append((arrival, reason))

    def _keep(self, arrival: ReceivedEvent, subject: str) -> None:
        """Keep an early fact until its subject is added."""
        row = {"_id": arrival.id, "waits_for": subject, "since": self.tx.now, **arrival.stored}
        self._wait(row)
        self.tx.write_raw("early", row)
        self.tx.write_raw("inbox", {"_id": arrival.id, "state": "early"})
        self.tx.wake(
            EARLY_JOB
        )  # another transaction may be adding the subject right now, and neither sees the other
        self.counted.early.append(arrival)

    def _wait(self, row: mongo.Document) -> None:
        if row["_id"] not in self._seen:
            self._seen.add(row["_id"])
            insort(self._early.setdefault(row["marker"], []), row, key=lambda one: one["order"])

    def _done(self, arrival: ReceivedEvent, operation: Any) -> None:
        self.tx.write_raw("inbox", operation, arrival.id)
        self.counted.applied.append(arrival)

    def _undone(self, arrival: ReceivedEvent, before: Savepoint, problem: Problem) -> Problem:
        if not self.tx.rollback(before):
            raise RetryWithoutEvent(arrival.id, problem)
        return problem

    async def _prefetch(self, events: Sequence[Inbound]) -> None:
        """Read at once the aliases of what these events name, and what they say that they will read."""
        await self.tx.resolve_many(
            {reference for event in events for reference in event.references}
        )
        for store, ids in _reads(events).items():
            await self.tx.store(store).many(ids, scoped=False)

    async def _read_markers(self, markers: Collection[str]) -> None:
        if unread := [marker for marker in markers if marker not in self._markers]:
            self._markers.update(dict.fromkeys(unread))
            self._markers.update(
                {row["_id"]: row for row in await self.tx.find_by_any("parked", {"_id": unread})}
            )


def _reads(events: Iterable[Inbound]) -> dict[type[Store[Any]], set[str]]:
    """The ids that the handlers of these events say they will read, by store."""
    wanted: dict[type[Store[Any]], set[str]] = {}
    for event in events:
        for store, id_ in event.reads():
            wanted.setdefault(store, set()).add(id_)
    return wanted


def _whether_any(wanted: Mapping[str, Collection[str]]) -> Query:
    """Whether there is a document in which one of the fields has one of its values; of many values, whether there is any document at all."""
    if max(map(len, wanted.values())) > FEW:
        return Query({}, {"_id": 1}, 1)
    return Query(
        {"$or": [{name: {"$in": list(values)}} for name, values in wanted.items()]}, {"_id": 1}, 1
    )


def _watched(envelope: Envelope) -> AbstractContextManager[object]:
    """A span in the trace of what caused the event, when somebody wants to see it."""
    if not telemetry.is_sampled(envelope.traceparent):
        return nullcontext()
    return telemetry.span(envelope.type, of=envelope.traceparent, kind=trace.SpanKind.CONSUMER)


async def pending_counts(db: Mongo) -> dict[str, float]:
    """How many events are parked, behind how many keys, how many facts are early and for how many seconds the oldest; the gauges show it too."""
    oldest = await db.find("early", {}, sort=[("since", 1)], limit=1, fields={"since": 1})
    keys = await db.count("parked", {"kind": HEAD})
    now: dict[str, float] = {
        "parked": await db.count("inbox", {"state": "parked"}) if keys else 0,
        "parked_keys": keys,
        "early": await db.count("early", {}) if oldest else 0,
        "early_seconds": (utc_now() - oldest[0]["since"]).total_seconds() if oldest else 0,
    }
    for gauge, name in (
        (telemetry.PARKED, "parked"),
        (telemetry.PARKED_KEYS, "parked_keys"),
        (telemetry.EARLY, "early"),
        (telemetry.EARLY_AGE, "early_seconds"),
    ):
        gauge.set(now[name])
    return now


def failure_reason(error: BaseException) -> str:
    """Why an event failed, in words that hold nothing of it."""
    if isinstance(error, (DuplicateKey, DocumentRefused)):
        return f"{type(error).__name__}: {error}"
    return (
        error.reason
        if isinstance(error, Unreadable)
        else error.code
        if isinstance(error, DomainError)
        else type(error).__name__
    )
