"""What happens to an event that has arrived: once, in its key's order, or parked with its reason. Not here: where events come from (consumer, replay, parked).

Rows: `inbox` {_id: event id, state: done | parked | early | discarded, ...}; `parked` {_id: topic/key, count, version}, the marker behind which later
events of that key join; `early` {_id: event id, waits_for, ...}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from opentelemetry import trace

from chassis import mongo, telemetry
from chassis.auth import system
from chassis.errors import DomainError
from chassis.events import Envelope, Inbound, NotKnownYet, Unreadable, stem
from chassis.kafka import Record
from chassis.mongo import Document, Index
from chassis.unit_of_work import AgainWithout, Cause, Savepoint, Transaction

Tx = TypeVar("Tx", bound=Transaction)
Handler = Callable[[Any, Any], Awaitable[None]]
Handlers = Mapping[str, Mapping[Any, Handler]]  # {topic: {kind of Inbound: handler}}; Any because a mapping is invariant in its keys

INBOX_DAYS = 45
MARKER = "inbox"
INDEXES = {
    "inbox": (
        Index("done_at", expire_seconds=INBOX_DAYS * 86_400),
        Index("marker", "order", where={"state": "parked"}),
        Index("state", where={"state": {"$in": ["parked", "early"]}}),
    ),
    "parked": (Index("kind"),),
    "early": (Index("waits_for", "order"), Index("marker", "order"), Index("since")),
    "aliases": (Index("into"),),
}
log = telemetry.log(__name__)
tracer = trace.get_tracer("bina")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A record with what could be read of it. `reason` is set when it cannot be handled at all."""

    topic: str
    order: str
    key: str
    headers: Mapping[str, str]
    body: bytes
    envelope: Envelope | None
    reason: str = ""
    kind: type[Inbound] | None = None
    handler: Handler | None = None

    @property
    def id(self) -> str:
        """The inbox id: the event's own, or its place in the topic when it has none."""
        return self.envelope.id if self.envelope else self.order

    @property
    def marker(self) -> str:
        """The id of the marker behind which this key waits."""
        return f"{self.topic}/{self.key}"


@dataclass(slots=True)
class Counted:
    """What one transaction did, counted after its commit."""

    applied: list[Arrival] = field(default_factory=list)
    repeated: int = 0
    ignored: int = 0
    parked: list[tuple[Arrival, str]] = field(default_factory=list)
    early: int = 0


class Inbox(Generic[Tx]):
    """Applies arrivals to transactions of one service."""

    def __init__(self, service: str, handlers: Handlers, namespace: str = "") -> None:
        self.service, self.topics = service, sorted(namespace + topic for topic in handlers)
        self._kinds: dict[tuple[str, str], tuple[type[Inbound], Handler]] = {}
        self._stems: set[tuple[str, str]] = set()
        for topic, kinds in handlers.items():
            for kind, handler in kinds.items():
                for type_name in (kind.type, *kind.upcasts):
                    self._kinds[namespace + topic, type_name] = (kind, handler)
                    self._stems.add((namespace + topic, stem(type_name)))

    def arrival(self, record: Record) -> Arrival | None:
        """What a record is to us; None = a type that nobody here reads."""
        order = f"{record.topic}/{record.partition:05d}/{record.offset:020d}"
        key, headers, reason, envelope = "", {}, "", None
        try:
            key = (record.key or b"").decode()
            headers = {name: (value or b"").decode() for name, value in record.headers}
            if not key:
                reason = "the record has no key"
            envelope = Envelope.of(headers, key)
        except UnicodeDecodeError:
            reason = "key or headers are not UTF-8"
            key = key or (record.key or b"").hex()
        except Unreadable as error:
            reason = error.reason
        type_name = headers.get("ce_type", "")
        found = self._kinds.get((record.topic, type_name))
        if found is None and type_name:
            if (record.topic, stem(type_name)) not in self._stems:
                return None
            reason = reason or f"version not known here: {type_name}"
        kind, handler = found or (None, None)
        if record.value is None:
            reason = reason or "the record has no body"
        return Arrival(
            topic=record.topic,
            order=order,
            key=key,
            headers=headers,
            body=record.value or b"",
            envelope=envelope,
            reason=reason,
            kind=None if reason else kind,
            handler=None if reason else handler,
        )

    async def apply(self, tx: Tx, arrivals: Sequence[Arrival]) -> Counted:
        """Apply arrivals in order. Known ones are dropped; one that fails loses only its own changes and is parked with all that follow of its key."""
        counted = Counted()
        known = {row["_id"] for row in await tx.db.find("inbox", {"_id": {"$in": [arrival.id for arrival in arrivals]}}, fields={"_id": 1}, session=tx.session)}
        markers = {row["_id"]: row for row in await tx.db.find("parked", {"_id": {"$in": list({arrival.marker for arrival in arrivals})}}, session=tx.session)}
        await self._prefetch_aliases(tx, arrivals)
        early = _Early({arrival.key for arrival in arrivals})
        waiting = await early.prefetch(tx, {arrival.marker for arrival in arrivals})
        for arrival in arrivals:
            if arrival.id in known:
                counted.repeated += 1
                continue
            known.add(arrival.id)
            if arrival.marker in markers:
                self._park(tx, arrival, markers[arrival.marker], arrival.reason or "waits behind an earlier event of its key", counted)
                continue
            if not arrival.reason and arrival.marker in waiting:
                self._keep(tx, arrival, waiting[arrival.marker], counted)
                continue
            problem = await self.attempt(tx, arrival, counted)
            if isinstance(problem, NotKnownYet):
                waiting[arrival.marker] = problem.subject
                self._keep(tx, arrival, problem.subject, counted)
            elif problem:
                markers[arrival.marker] = self._marker(tx, arrival)
                self._park(tx, arrival, markers[arrival.marker], problem, counted)
            if tx.added:
                await self.apply_early(tx, counted, early)
                waiting = {marker: subject for marker, subject in waiting.items() if subject not in early.settled}
        return counted

    async def attempt(self, tx: Tx, arrival: Arrival, counted: Counted, *, again: bool = True) -> str | NotKnownYet:
        """Handle one arrival, once more if it fails; "" when it took effect, else why not, with its changes undone."""
        envelope, kind, handler = arrival.envelope, arrival.kind, arrival.handler
        if envelope is None or kind is None or handler is None or arrival.id in tx.failed:
            return tx.failed.get(arrival.id, arrival.reason)
        before = tx.savepoint()
        cause = Cause(
            caller=system(self.service), correlation_id=envelope.correlation_id or envelope.id, causation_id=envelope.id, what=envelope.type, traceparent=envelope.traceparent
        )
        try:
            event = kind.read(arrival.body, envelope, await self._aliases(tx, kind, arrival.body))
            async with tx.caused_by(cause):
                await handler(event, tx)
        except NotKnownYet as unknown:
            self._undo(tx, before, arrival, "not known yet")
            return unknown
        except mongo.MongoError:
            raise
        except Exception as error:  # whatever a handler raises is parked with its reason, never swallowed
            reason = _reason(error)
            self._undo(tx, before, arrival, reason)
            if again and not isinstance(error, Unreadable):
                return await self.attempt(tx, arrival, counted, again=False)
            log.warning("event_failed", event_id=arrival.id, type=envelope.type, topic=arrival.topic, reason=reason, exc_info=not isinstance(error, (DomainError, Unreadable)))
            return reason
        tx.raw("inbox", mongo.upserting({"_id": arrival.id, "state": "done", "done_at": tx.now}))
        counted.applied.append(arrival)
        return ""

    async def apply_early(self, tx: Tx, counted: Counted, prefetched: _Early | None = None) -> None:
        """Apply the early facts that wait for what this transaction has added, in their order; one that still lacks something goes on waiting, with all behind it."""
        early = prefetched or _Early(set())
        while tx.added:
            added, tx.added = tx.added, []
            early.settled.update(added)
            waiting: dict[str, str] = {}
            parked: dict[str, Document] = {}
            for row in await early.of(tx, added):
                arrival = self.again(row)
                if arrival.marker in waiting:
                    tx.raw("early", mongo.updating(row["_id"], {"$set": {"waits_for": waiting[arrival.marker]}}))
                    continue
                problem = "waits behind an earlier event of its key" if arrival.marker in parked else await self.attempt(tx, arrival, counted)
                if isinstance(problem, NotKnownYet):
                    waiting[arrival.marker] = problem.subject
                    tx.raw("early", mongo.updating(row["_id"], {"$set": {"waits_for": problem.subject}}))
                    continue
                tx.raw("early", mongo.deleting(row["_id"]))
                if problem:
                    if arrival.marker not in parked:
                        parked[arrival.marker] = await tx.db.find_one("parked", {"_id": arrival.marker}, session=tx.session) or self._marker(tx, arrival)
                    self._park(tx, arrival, parked[arrival.marker], problem, counted)

    def again(self, row: Document) -> Arrival:
        """The arrival that a parked or early row keeps."""
        headers: dict[str, str] = row["headers"]
        kind, handler = self._kinds.get((row["topic"], headers.get("ce_type", "")), (None, None))
        try:
            envelope, reason = Envelope.of(headers, row["key"]), "" if kind else f"version not known here: {headers.get('ce_type', '')}"
        except Unreadable as error:
            envelope, reason = None, error.reason
        return Arrival(
            topic=row["topic"], order=row["order"], key=row["key"], headers=headers, body=bytes(row["body"]), envelope=envelope, reason=reason, kind=kind, handler=handler
        )

    def count(self, counted: Counted) -> None:
        """Move the metrics; called after the commit."""
        for arrival in counted.applied:
            telemetry.EVENTS_APPLIED.labels(arrival.headers.get("ce_type", "")).inc()
        for arrival, reason in counted.parked:
            telemetry.EVENTS_PARKED.labels(arrival.topic, reason.partition(":")[0][:40]).inc()

    def _undo(self, tx: Tx, before: Savepoint, arrival: Arrival, reason: str) -> None:
        if not tx.rollback(before):
            raise AgainWithout({arrival.id: reason})

    def _marker(self, tx: Tx, arrival: Arrival) -> Document:
        return {"_id": arrival.marker, "kind": MARKER, "topic": arrival.topic, "key": arrival.key, "since": tx.now, "count": 0, "version": 0}

    def _keep(self, tx: Tx, arrival: Arrival, subject: str, counted: Counted) -> None:
        """Keep an early fact until its subject is added."""
        tx.raw("early", mongo.inserting({"_id": arrival.id, "waits_for": subject, "since": tx.now, **stored(arrival)}))
        tx.raw("inbox", mongo.inserting({"_id": arrival.id, "state": "early"}))
        counted.early += 1

    def _park(self, tx: Tx, arrival: Arrival, marker: Document, reason: str, counted: Counted) -> None:
        marker["count"] += 1
        marker["version"] += 1
        tx.raw("parked", mongo.upserting(dict(marker)))
        row = {"_id": arrival.id, "state": "parked", "reason": reason, "since": tx.now, **stored(arrival)}
        tx.raw("inbox", mongo.upserting(row))
        counted.parked.append((arrival, reason))

    async def _prefetch_aliases(self, tx: Tx, arrivals: Iterable[Arrival]) -> None:
        references = {reference for arrival in arrivals if arrival.kind for reference in arrival.kind.references(arrival.body)}
        await tx.resolve_many(references)

    async def _aliases(self, tx: Tx, kind: type[Inbound], body: bytes) -> dict[str, str]:
        return {reference: into for reference in kind.references(body) if (into := await tx.resolve(reference)) != reference}


class _Early:
    """Early facts of one batch: one read for the keys that the batch speaks of, so that an added subject costs no query of its own."""

    def __init__(self, candidates: set[str]) -> None:
        self.settled: set[str] = set()
        self._candidates, self._rows = candidates, dict[str, list[Document]]()

    async def prefetch(self, tx: Transaction, markers: set[str]) -> dict[str, str]:
        """Read them; the markers behind which an early fact waits already, with what it waits for."""
        where = {"$or": [{"waits_for": {"$in": list(self._candidates)}}, {"marker": {"$in": list(markers)}}]}
        waiting: dict[str, str] = {}
        for row in await tx.db.find("early", where, sort=[("order", 1)], session=tx.session):
            if row["waits_for"] in self._candidates:
                self._rows.setdefault(row["waits_for"], []).append(row)
            waiting[f"{row['topic']}/{row['key']}"] = row["waits_for"]
        return waiting

    async def of(self, tx: Transaction, added: list[str]) -> list[Document]:
        """The early facts that wait for these."""
        rows = [row for id_ in added for row in self._rows.pop(id_, [])]
        if others := [id_ for id_ in added if id_ not in self._candidates]:
            rows += await tx.db.find("early", {"waits_for": {"$in": others}}, sort=[("order", 1)], session=tx.session)
        return rows


def stored(arrival: Arrival) -> Document:
    """What a parked or early row keeps of an arrival."""
    return {"marker": arrival.marker, "topic": arrival.topic, "order": arrival.order, "key": arrival.key, "headers": dict(arrival.headers), "body": arrival.body}


def _reason(error: BaseException) -> str:
    if isinstance(error, Unreadable):
        return error.reason
    if isinstance(error, DomainError):
        return error.code
    return type(error).__name__
