"""The unit of work: a transaction's identity map, buffered writes, outbox rows and audit rows; and the stores that use them. Not here: where transactions open.

Reads go through the identity map; writes are buffered and flushed as one unordered bulk per collection, filtered by `_id` alone: what was read in
this transaction and changed by another meanwhile is a WriteConflict anyway. A query on a collection with buffered writes flushes that collection first.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, cast, overload

from pydantic import TypeAdapter

from chassis import mongo
from chassis.auth import EVERYTHING, Caller
from chassis.errors import Malformed, NotFound, VersionDiffers
from chassis.events import MAX_EVENT_BYTES, Envelope, Event, TooBigAnEvent, event_id
from chassis.ids import new_id
from chassis.mongo import Document, Filter, Index, Mongo, Session, Sort


class Aggregate(Protocol):
    """A frozen dataclass with an id and a version (0 = never stored)."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


A = TypeVar("A", bound=Aggregate)
S = TypeVar("S", bound="Store[Any]")


@dataclass(frozen=True, slots=True)
class Page(Generic[A]):
    """One page of a list; `next_cursor` is None on the last."""

    items: list[A]
    next_cursor: str | None


class CursorInvalid(Malformed):
    """A cursor that we did not make for this list."""

    title = "Penanda halaman (cursor) tidak dikenali"
    field = "cursor"


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


class StoreOf(Generic[S]):
    """Lists a store in a service's Transaction: `tx.<name>` is the store bound to that transaction."""

    def __init__(self, kind: type[S]) -> None:
        self.kind = kind

    @overload
    def __get__(self, instance: None, owner: type[Transaction]) -> Self: ...
    @overload
    def __get__(self, instance: Transaction, owner: type[Transaction]) -> S: ...
    def __get__(self, instance: Transaction | None, owner: type[Transaction]) -> Self | S:
        """The store of this transaction."""
        return self if instance is None else instance.store(self.kind)


class Store(Generic[A]):
    """How aggregates of one kind are kept. Subclasses name the kind, the collection, the claims that filter it, and their queries by intent."""

    kind: ClassVar[type[Any]]
    collection: ClassVar[str]
    unknown: ClassVar[type[NotFound]] = NotFound
    scope: ClassVar[Mapping[str, str]]
    indexes: ClassVar[tuple[Index, ...]] = ()
    schema: ClassVar[int] = 1
    secret: ClassVar[frozenset[str]] = frozenset()
    awaited: ClassVar[bool] = False
    audited: ClassVar[bool] = True
    _adapter: ClassVar[TypeAdapter[Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            cls._adapter = TypeAdapter(cls.kind)

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    # Reading

    async def get(self, id_: str, *, if_match: int | None = None, scoped: bool = True) -> A:
        """The aggregate of this id in the caller's scope; raises `unknown`, or VersionDiffers when `if_match` is another version."""
        found = await self.seek(id_, scoped=scoped)
        if found is None:
            raise self.unknown
        if if_match is not None and found.version != if_match:
            raise VersionDiffers(current_version=found.version)
        return found

    async def seek(self, id_: str, *, scoped: bool = True) -> A | None:
        """The aggregate of this id, or None when there is none in the caller's scope."""
        known = self.tx.known(self.collection, id_)
        if known is None:
            document = await self.tx.db.find_one(self.collection, {"_id": id_}, session=self.tx.session)
            self.tx.learn(self.collection, id_, None if document is None else self.aggregate(document))
            known = self.tx.known(self.collection, id_)
        found = known.aggregate if known else None
        return found if found is not None and (not scoped or self._sees(found)) else None

    async def many(self, ids: Iterable[str], *, scoped: bool = True) -> dict[str, A]:
        """The aggregates of these ids that exist in the caller's scope, by id, in one read."""
        wanted = list(dict.fromkeys(ids))
        if missing := [id_ for id_ in wanted if self.tx.known(self.collection, id_) is None]:
            documents = {document["_id"]: document for document in await self.tx.db.find(self.collection, {"_id": {"$in": missing}}, session=self.tx.session)}
            for id_ in missing:
                self.tx.learn(self.collection, id_, self.aggregate(documents[id_]) if id_ in documents else None)
        found = {id_: known.aggregate for id_ in wanted if (known := self.tx.known(self.collection, id_)) and known.aggregate is not None}
        return {id_: aggregate for id_, aggregate in found.items() if not scoped or self._sees(aggregate)}

    async def first(self, where: Filter, *, sort: Sort = (), scoped: bool = True) -> A | None:
        """The first aggregate that matches."""
        found = await self.find(where, sort=sort, limit=1, scoped=scoped)
        return found[0] if found else None

    async def find(self, where: Filter, *, sort: Sort = (), limit: int | None = None, scoped: bool = True) -> list[A]:
        """All aggregates that match, in the caller's scope."""
        narrowed = self._narrowed(where, scoped=scoped)
        if narrowed is None:
            return []
        if self.tx.is_dirty(self.collection):
            await self.tx.flush_collection(self.collection)
        found: list[A] = []
        for document in await self.tx.db.find(self.collection, narrowed, sort=sort, limit=limit or 0, session=self.tx.session):
            if self.tx.known(self.collection, document["_id"]) is None:
                self.tx.learn(self.collection, document["_id"], self.aggregate(document))
            known = self.tx.known(self.collection, document["_id"])
            if known and known.aggregate is not None:
                found.append(known.aggregate)
        return found

    async def count(self, where: Filter, *, scoped: bool = True) -> int:
        """How many match, in the caller's scope."""
        narrowed = self._narrowed(where, scoped=scoped)
        if narrowed is None:
            return 0
        if self.tx.is_dirty(self.collection):
            await self.tx.flush_collection(self.collection)
        return await self.tx.db.count(self.collection, narrowed, session=self.tx.session)

    async def page(self, where: Filter, *, sort: tuple[str, int] = ("_id", 1), cursor: str | None = None, limit: int = 50, scoped: bool = True) -> Page[A]:
        """One page of what matches, ordered by one field and then by id; `cursor` is the last page's `next_cursor`."""
        name, direction = sort
        past: Document = {}
        if cursor is not None:
            value, last = _open_cursor(cursor, f"{self.collection}/{name}/{direction}")
            beyond = "$gt" if direction == 1 else "$lt"
            past = {"_id": {beyond: last}} if name == "_id" else {"$or": [{name: {beyond: value}}, {name: value, "_id": {beyond: last}}]}
        order = [("_id", direction)] if name == "_id" else [(name, direction), ("_id", direction)]
        found = await self.find({"$and": [dict(where), past]} if past else where, sort=order, limit=limit + 1, scoped=scoped)
        if len(found) <= limit:
            return Page(found, None)
        last_one = found[limit - 1]
        value = last_one.id if name == "_id" else self.document(last_one).get(name)
        return Page(found[:limit], _seal_cursor(value, last_one.id, f"{self.collection}/{name}/{direction}"))

    # Writing

    def add(self, aggregate: A, events: Sequence[Event] = (), *, scoped: bool = True) -> A:
        """Insert it as version 1. What the caller's claims would not show cannot be made; `scoped=False` is for what a command makes outside them."""
        if scoped and not self._in_scope(aggregate):
            raise self.unknown
        added = cast("A", replace(cast("Any", aggregate), version=1))
        self.tx.write(self, added, "insert", None, events)
        if self.awaited:
            self.tx.added.append(added.id)
        return added

    def save(self, before: A, after: A, events: Sequence[Event] = ()) -> A:
        """Replace `before` by `after` as the next version; returns it as saved."""
        saved = cast("A", replace(cast("Any", after), version=before.version + 1))
        self.tx.write(self, saved, "replace", before, events)
        return saved

    def remove(self, aggregate: A, events: Sequence[Event] = ()) -> None:
        """Delete it."""
        self.tx.write(self, replace(cast("Any", aggregate), version=aggregate.version + 1), "delete", aggregate, events)

    def hold(self, aggregate: A) -> None:
        """Make this transaction conflict with every change of a document that its rule depends on and does not change itself (write skew)."""
        self.tx.hold(self.collection, aggregate.id)

    # Mapping

    def document(self, aggregate: A) -> Document:
        """The document of an aggregate."""
        document = cast("Document", self._adapter.dump_python(aggregate))
        return {"_id": document.pop("id"), "schema": self.schema} | document

    def aggregate(self, document: Document) -> A:
        """The aggregate of a document."""
        return self._adapter.validate_python({name: value for name, value in document.items() if name not in {"_id", "schema", "held"}} | {"id": document["_id"]})

    def verb(self, write: str, before: A | None) -> str:
        """What an audit row calls this write."""
        return f"{self.collection}.{'added' if before is None else 'removed' if write == 'delete' else 'changed'}"

    def changes(self, before: A | None, after: A) -> Document:
        """The changed fields for the audit row: old and new value, but only the names of secret ones."""
        if before is None:
            return {"version": after.version}
        changed = [name for name in self._names() if name != "version" and getattr(before, name) != getattr(after, name)]
        plain = {name: [_plain(getattr(before, name)), _plain(getattr(after, name))] for name in changed if name not in self.secret}
        return {"version": after.version, "changed": sorted(changed), "values": plain}

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(cls.kind.__dataclass_fields__)

    # Scope

    def narrowing(self) -> Filter | None:
        """A second gate beside `scope`, for callers that scope narrows: a filter on every query, None = nothing is seen. Override with `admits`."""
        return {}

    def admits(self, aggregate: A) -> bool:
        """The second gate for one aggregate."""
        del aggregate
        return True

    def _narrowed(self, where: Filter, *, scoped: bool) -> Filter | None:
        if not scoped or self.tx.caller.system:
            return where
        scope, narrowing = self._scope(), self.narrowing()
        if scope is None or narrowing is None:
            return None
        parts = [dict(part) for part in (where, scope, narrowing) if part]
        return {"$and": parts} if len(parts) > 1 else parts[0] if parts else {}

    def _scope(self) -> Document | None:
        """The filter that the caller's claims make; None when they show nothing."""
        caller = self.tx.caller
        if caller.system or "public" in self.scope:
            return {}
        held = [(caller.claims[claim], path) for claim, path in self.scope.items() if caller.claims.get(claim)]
        if not held:
            return None
        return {path: {"$in": sorted(values)} for values, path in held if EVERYTHING not in values}

    def _sees(self, aggregate: A) -> bool:
        return self._in_scope(aggregate) and (self.tx.caller.system or self.admits(aggregate))

    def _in_scope(self, aggregate: A) -> bool:
        scope = self._scope()
        return scope is not None and all(_at(aggregate, path) & set(allowed["$in"]) for path, allowed in scope.items())


def _at(aggregate: Any, path: str) -> set[str]:
    values = [aggregate]
    for name in path.split("."):
        values = [
            inner
            for value in values
            for inner in _listed(cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else aggregate.id if name == "_id" else getattr(value, name))
        ]
    return {str(value) for value in values}


def _listed(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list, frozenset)):
        return list(cast("Iterable[Any]", value))
    return [] if value is None else [value]


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, bool, datetime, type(None))) and not isinstance(value, Enum) else str(value)[:200]


def _seal_cursor(value: Any, last: str, list_name: str) -> str:
    plain = (
        {"d": value.isoformat()}
        if isinstance(value, datetime)
        else {"v": value.value if isinstance(value, Enum) else value if isinstance(value, (str, int, type(None))) else str(value)}
    )
    return base64.urlsafe_b64encode(json.dumps([list_name, plain, last], separators=(",", ":")).encode()).decode().rstrip("=")


def _open_cursor(cursor: str, list_name: str) -> tuple[Any, str]:
    try:
        named, plain, last = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if named != list_name or not isinstance(last, str):
            raise CursorInvalid
        value = datetime.fromisoformat(plain["d"]) if "d" in plain else plain["v"]
        if not isinstance(value, (str, int, datetime, type(None))):
            raise CursorInvalid
    except (ValueError, KeyError, TypeError):
        raise CursorInvalid from None
    return value, last


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
