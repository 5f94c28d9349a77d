"""The unit of work: a transaction's identity map, buffered writes, outbox rows and audit rows. Not here: how aggregates are kept (store), where transactions open (runner).

Reads go through the identity map; writes are buffered and flushed as one unordered bulk per collection, filtered by `_id` alone: what was read in
this transaction and changed by another meanwhile is a WriteConflict anyway. A query on a collection with buffered writes flushes that collection first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

from chassis import mongo
from chassis.auth import Caller
from chassis.events import MAX_EVENT_BYTES, Envelope, Event, TooBigAnEvent, event_id
from chassis.ids import new_id
from chassis.mongo import Document, Index, Mongo, Session
from chassis.store import Aggregate, CursorInvalid, Page, Store, StoreOf

S = TypeVar("S", bound=Store[Any])


@dataclass(slots=True)
class _Known:
    """What the transaction knows of one document: the aggregate (None = not there) and what is still to be written."""

    aggregate: Any
    write: str = ""
    inserted: bool = False


@dataclass(slots=True)
class _Draft:
    """An outbox row that lacks its place in the key's order."""

    event: Event
    row: Document


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A place to which the buffers can be put back, while nothing has been flushed since."""

    undo: int
    drafts: int
    audit: int
    raw: int
    added: int
    flushes: int


@dataclass(slots=True, kw_only=True)
class Cause:
    """On whose word things happen now: a caller's request, or an event."""

    caller: Caller
    correlation_id: str
    causation_id: str = ""
    what: str = ""
    traceparent: str = ""
    failed: dict[str, str] = field(default_factory=dict)


class AgainWithout(Exception):
    """An event failed after something was flushed: abort, and run the transaction again with it parked from the start ({event id: reason})."""

    def __init__(self, failed: dict[str, str]) -> None:
        super().__init__()
        self.failed = failed


class Transaction:
    """One unit of work. Services subclass it and list their stores with StoreOf."""

    service: ClassVar[str] = ""

    def __init__(self, db: Mongo, session: Session, now: datetime, cause: Cause, parts: Mapping[str, Any]) -> None:
        self.db, self.session, self.now, self.cause, self.parts = db, session, now, cause, parts
        self.failed: Mapping[str, str] = cause.failed
        self.woken: set[str] = set()
        self.added: list[str] = []
        self.result_of: str = ""
        self._stores: dict[type[Store[Any]], Store[Any]] = {}
        self._homes: dict[str, Store[Any]] = {}
        self._known: dict[tuple[str, str], _Known] = {}
        self._dirty: dict[str, set[str]] = {}
        self._held: dict[str, set[str]] = {}
        self._undo: list[Callable[[], object]] = []
        self._drafts: list[_Draft] = []
        self._audit: list[Document] = []
        self._raw: list[tuple[str, Any]] = []
        self._aliases: dict[str, str | None] = {}
        self._flushes = 0

    # What use cases use

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.cause.caller

    @property
    def correlation_id(self) -> str:
        """The id that all consequences of one request share."""
        return self.cause.correlation_id

    def note(self, action: str, subject_ref: str, **facts: Any) -> None:
        """Write an audit row of its own, e.g. that personal data was read and for what purpose."""
        self._audit.append(self._audit_row(action, subject_ref) | facts)

    def wake(self, job: str) -> None:
        """Run this job at once after the commit."""
        self.woken.add(job)

    async def resolve(self, reference: str) -> str:
        """The surviving reference of one that may have been merged."""
        if reference not in self._aliases:
            row = await self.db.find_one("aliases", {"_id": reference}, session=self.session)
            self._aliases[reference] = row["into"] if row else None
        return self._aliases[reference] or reference

    async def resolve_many(self, references: Iterable[str]) -> None:
        """Read the aliases of all these at once, for `resolve` to find."""
        unknown = [reference for reference in references if reference not in self._aliases]
        if unknown:
            found = {row["_id"]: row["into"] for row in await self.db.find("aliases", {"_id": {"$in": unknown}}, session=self.session)}
            self._aliases.update({reference: found.get(reference) for reference in unknown})

    async def alias(self, from_ref: str, into_ref: str) -> None:
        """From now on `from_ref` means `into_ref`, and so does everything that meant `from_ref`; early facts wait for `into_ref` instead."""
        waiting = await self.db.update("early", {"waits_for": from_ref}, {"$set": {"waits_for": into_ref}}, many=True, session=self.session)
        if waiting:
            self._flushes += 1
            self.added.append(into_ref)
        for row in await self.db.find("aliases", {"into": from_ref}, session=self.session):
            self.raw("aliases", mongo.upserting(row | {"into": into_ref}))
            self._aliases[row["_id"]] = into_ref
        self.raw("aliases", mongo.upserting({"_id": from_ref, "into": into_ref, "at": self.now}))
        self._aliases[from_ref] = into_ref

    async def flush(self) -> None:
        """Write all buffered documents now, inside the transaction."""
        for collection in [*self._dirty, *self._held]:
            await self.flush_collection(collection)

    # What the chassis uses

    @classmethod
    def stores(cls) -> list[type[Store[Any]]]:
        """All stores that this class and its bases list."""
        listed: list[Any] = [found for base in reversed(cls.__mro__) for found in vars(base).values() if isinstance(found, StoreOf)]
        return [one.kind for one in listed]

    def store(self, kind: type[S]) -> S:
        """The store of that kind, bound to this transaction."""
        if kind not in self._stores:
            self._stores[kind] = self._homes[kind.collection] = kind(self)
        return cast("S", self._stores[kind])

    def raw(self, collection: str, operation: Any) -> None:
        """Buffer a bulk operation on one of the chassis' own collections."""
        self._raw.append((collection, operation))

    def savepoint(self) -> Savepoint:
        """Where the buffers stand now."""
        return Savepoint(len(self._undo), len(self._drafts), len(self._audit), len(self._raw), len(self.added), self._flushes)

    def rollback(self, to: Savepoint) -> bool:
        """Put the buffers back; False when something was flushed since, so that only an abort undoes it."""
        if self._flushes != to.flushes:
            return False
        while len(self._undo) > to.undo:
            self._undo.pop()()
        del self._drafts[to.drafts :], self._audit[to.audit :], self._raw[to.raw :], self.added[to.added :]
        return True

    @property
    def writes(self) -> int:
        """How many documents wait to be written."""
        return sum(map(len, self._dirty.values())) + len(self._drafts) + len(self._audit) + len(self._raw)

    @asynccontextmanager
    async def caused_by(self, cause: Cause) -> AsyncGenerator[None]:
        """Let what happens inside be on this cause's word."""
        before, self.cause = self.cause, cause
        try:
            yield
        finally:
            self.cause = before

    async def finish(self) -> None:
        """Write everything that is still buffered; the commit follows."""
        await self.flush()
        await self._write_outbox()
        if self._audit:
            await self.db.insert("audit", self._audit, session=self.session)
        by_collection: dict[str, list[Any]] = {}
        for collection, operation in self._raw:
            by_collection.setdefault(collection, []).append(operation)
        for collection, operations in by_collection.items():
            await self.db.bulk(collection, operations, session=self.session)

    async def flush_collection(self, collection: str) -> None:
        """Write the buffered documents of one collection."""
        dirty, held = self._dirty.pop(collection, set()), self._held.pop(collection, set())
        operations: list[Any] = []
        inserts: list[Document] = []
        for id_ in dirty:
            known = self._known[collection, id_]
            write, known.write = known.write, ""
            if write == "insert":
                inserts.append(self._document(collection, known.aggregate))
            elif write == "replace":
                operations.append(mongo.replacing(self._document(collection, known.aggregate)))
            elif write == "delete":
                operations.append(mongo.deleting(id_))
            known.inserted = True
        operations.extend(mongo.updating(id_, {"$inc": {"held": 1}}) for id_ in held - dirty)
        if not inserts and not operations:
            return
        self._flushes += 1
        if inserts and not operations:
            await self.db.insert(collection, inserts, session=self.session)
        else:
            await self.db.bulk(collection, [mongo.inserting(document) for document in inserts] + operations, session=self.session)

    def is_dirty(self, collection: str) -> bool:
        """Whether documents of this collection wait to be written."""
        return bool(self._dirty.get(collection))

    def known(self, collection: str, id_: str) -> _Known | None:
        """What this transaction knows of that document."""
        return self._known.get((collection, id_))

    def learn(self, collection: str, id_: str, aggregate: Any) -> None:
        """Remember a document as it was read (None = it is not there)."""
        self._known.setdefault((collection, id_), _Known(aggregate))

    def write(self, store: Store[Any], aggregate: Any, write: str, before: Any, events: Sequence[Event]) -> None:
        """Buffer a write with its audit row and its events; undone by a rollback."""
        collection, id_ = store.collection, aggregate.id
        known = self._known.get((collection, id_))
        kept = None if known is None else replace(known)
        entry = known or _Known(None)
        if write == "insert" and entry.inserted is False and entry.write == "delete":
            write = "replace"
        elif write == "replace" and entry.write == "insert":
            write = "insert"
        elif write == "delete" and entry.write == "insert":
            write = ""
        dirty = self._dirty.setdefault(collection, set())
        fresh = id_ not in dirty
        entry.aggregate, entry.write = (None if before is not None and write in {"delete", ""} else aggregate), write
        self._known[collection, id_] = entry
        dirty.add(id_)

        def undo() -> None:
            if kept is None:
                del self._known[collection, id_]
            else:
                self._known[collection, id_] = kept
            if fresh:
                dirty.discard(id_)

        self._undo.append(undo)
        self.result_of = collection
        if store.audited:
            self._audit.append(self._audit_row(store.verb(write, before), id_) | store.changes(before, aggregate))
        for index, event in enumerate(events):
            self._draft(aggregate, index, event)

    def hold(self, collection: str, id_: str) -> None:
        """Buffer a write that changes nothing but conflicts with every change of that document."""
        self._held.setdefault(collection, set()).add(id_)

    def emit(self, event: Event, aggregate_id: str, aggregate_version: int) -> None:
        """An event of the chassis itself."""
        self._drafts.append(_Draft(event, self._row(event, aggregate_id, aggregate_version, 0, "")))

    def _document(self, collection: str, aggregate: Any) -> Document:
        return self._homes[collection].document(aggregate)

    def _draft(self, aggregate: Any, index: int, event: Event) -> None:
        facility = getattr(event, "facility_id", "") or getattr(aggregate, "facility_id", "")
        self._drafts.append(_Draft(event, self._row(event, aggregate.id, aggregate.version, index, facility)))

    def _row(self, event: Event, aggregate_id: str, version: int, index: int, facility: str) -> Document:
        body = event.model_dump_json(exclude_none=True)
        if len(body) > MAX_EVENT_BYTES // 4 and len(body.encode()) > MAX_EVENT_BYTES:
            raise TooBigAnEvent(event.type)
        return {
            "_id": event_id(aggregate_id, version, index),
            "sent": False,
            "type": event.type,
            "at": self.now,
            "aggregate_id": aggregate_id,
            "aggregate_version": version,
            "facility_id": facility,
            "actor_role": self.caller.role,
            "actor_ref": self.caller.subject,
            "correlation_id": self.correlation_id,
            "causation_id": self.cause.causation_id,
            "traceparent": self.cause.traceparent,
            "body": body,
        }

    def _audit_row(self, action: str, subject: str) -> Document:
        return {
            "_id": new_id(),
            "at": self.now,
            "action": action,
            "subject": subject,
            "actor": self.caller.subject,
            "role": self.caller.role,
            "on_behalf_of": self.caller.on_behalf_of,
            "what": self.cause.what,
            "correlation_id": self.correlation_id,
            "causation_id": self.cause.causation_id,
            "block": None,
        }

    async def _write_outbox(self) -> None:
        if not self._drafts:
            return
        counts: dict[str, int] = {}
        for draft in self._drafts:
            counts[draft.event.key] = counts.get(draft.event.key, 0) + 1
        seqs = await self._advance(counts)
        rows: list[Document] = []
        for draft in self._drafts:
            key = draft.event.key
            seqs[key] += 1
            rows.append(draft.row | {"key": key, "seq": seqs[key]})
        await self.db.insert("outbox", rows, session=self.session)

    async def _advance(self, counts: dict[str, int]) -> dict[str, int]:
        """Advance the key counters; each key's last seq before."""
        if len(counts) == 1:
            key, count = next(iter(counts.items()))
            row = await self.db.find_and_update("keys", {"_id": key}, {"$inc": {"seq": count}}, upsert=True, session=self.session)
            return {key: (row or {})["seq"] - count}
        seqs: dict[str, int] = {row["_id"]: row["seq"] for row in await self.db.find("keys", {"_id": {"$in": list(counts)}}, session=self.session)}
        if new := [{"_id": key, "seq": count} for key, count in counts.items() if key not in seqs]:
            await self.db.insert("keys", new, session=self.session)
        for step in {counts[key] for key in seqs}:
            await self.db.update("keys", {"_id": {"$in": [key for key in seqs if counts[key] == step]}}, {"$inc": {"seq": step}}, many=True, session=self.session)
        return {key: seqs.get(key, 0) for key in counts}


def envelope_of(row: Document, service: str) -> Envelope:
    """The envelope of an archived outbox row."""
    return Envelope(
        id=row["_id"],
        type=row["type"],
        source=f"bina/{service}",
        key=row["key"],
        time=row["at"],
        sequence=row["seq"],
        aggregate_id=row["aggregate_id"],
        aggregate_version=row["aggregate_version"],
        facility_id=row["facility_id"],
        actor_role=row["actor_role"],
        actor_ref=row["actor_ref"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        traceparent=row["traceparent"],
    )


__all__ = ["AgainWithout", "Aggregate", "Cause", "CursorInvalid", "Index", "Page", "Savepoint", "Store", "StoreOf", "Transaction", "envelope_of"]
