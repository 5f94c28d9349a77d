"""The unit of work: identity map and buffered writes, outbox and audit rows.

Reads go through the identity map. Writes are buffered and flushed as one unordered bulk for each
collection. They filter by `_id` alone, because MongoDB reports a WriteConflict anyway if another
transaction has changed the document since this one's snapshot. A query on a collection with
buffered writes flushes that collection first.
Not here: how aggregates are kept (store), where transactions open (transactions).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, cast, overload

from chassis.caller import Caller
from chassis.persistence import mongo
from chassis.persistence.cursors import CursorSigner
from chassis.persistence.identity_map import IdentityMap, UndoLog
from chassis.persistence.mongo import Document, Mongo, Session
from chassis.persistence.protocols import Aggregate, Event
from chassis.persistence.rows import EventTooLarge, OperationContext, audit_row, outbox_row
from chassis.persistence.store import Store

__all__ = [
    "OUTBOX",
    "EventTooLarge",
    "OperationContext",
    "RetryWithoutEvent",
    "Savepoint",
    "StoreOf",
    "Transaction",
]

S = TypeVar("S", bound=Store[Any])

OUTBOX = "outbox"


class _Write(Enum):
    """The pending write of a buffered document."""

    INSERT = "insert"
    REPLACE = "replace"
    DELETE = "delete"
    HOLD = "hold"
    NOTHING = "nothing"  # inserted and removed in the same transaction


_AUDIT_ACTIONS = {
    _Write.INSERT: "added",
    _Write.REPLACE: "changed",
    _Write.DELETE: "removed",
}


class Savepoint(NamedTuple):
    """A state to which the buffers can be rolled back until something is flushed."""

    undo_position: int
    outbox_rows: int
    added_ids: int
    flushes: int


class RetryWithoutEvent(Exception):
    """An event failed after a flush, which only an abort undoes; run again without the event.

    `problem` is the reason.
    """

    def __init__(self, id_: str, problem: str | Exception) -> None:
        super().__init__(id_)
        self.id = id_
        self.problem = problem


class Transaction:
    """One unit of work. Services subclass it and list their stores with StoreOf."""

    service: ClassVar[str] = ""
    cursors: CursorSigner = CursorSigner(
        secrets.token_bytes(32)
    )  # the runtime gives the shared one

    def __init__(
        self,
        db: Mongo,
        session: Session,
        now: datetime,
        context: OperationContext,
        ports: Mapping[str, Any],
    ) -> None:
        self.db = db
        self.session = session
        self.now = now
        self.context = context
        self.failed = context.failed
        self.without_early_events = context.without_early_events
        for name in self.port_names() & ports.keys():
            setattr(self, name, ports[name])
        self.aliases: dict[str, str | None] = {}
        # The key counters that were read; 0 = the key has no counter yet.
        self.seqs: dict[str, int] = {}
        self.jobs_to_wake: set[str] = set()
        # Ids of added aggregates and merged references, for which early events may wait.
        self.added_ids: list[str] = []
        self.outbox_bytes = 0
        self._undo_log = UndoLog()
        self.identity_map = IdentityMap(self._undo_log)
        self._stores: dict[str, Store[Any]] = {}
        self._buffered: dict[str, dict[str, _Write]] = {}
        self._raw_writes: dict[tuple[str, str], Any] = {}
        self._keyed_rows: list[tuple[str, Document]] = []
        self._flushes = 0
        self._flushed_writes = 0

    @property
    def caller(self) -> Caller:
        """Return the caller on whose behalf the transaction runs."""
        return self.context.caller

    @property
    def correlation_id(self) -> str:
        """Return the id that all consequences of one request share."""
        return self.context.correlation_id

    def note(self, action: str, subject_ref: str, **facts: Any) -> None:
        """Write an audit row, e.g. that personal data was read and for what purpose."""
        row = audit_row(self.context, self.now, action, subject_ref, facts)
        self.write_raw("audit", row)

    def wake(self, job: str) -> None:
        """Run this job at once after the commit."""
        self.jobs_to_wake.add(job)

    async def resolve(self, reference: str) -> str:
        """Return the reference that this one was merged into, else itself."""
        await self.resolve_many([reference])
        return self.aliases[reference] or reference

    async def resolve_many(self, references: Iterable[str]) -> None:
        """Read the aliases of all these references at once, for `resolve`."""
        unread = {reference for reference in references if reference not in self.aliases}
        if unread:
            self.aliases.update(dict.fromkeys(unread))
            rows = await self.find_by_any("aliases", {"_id": list(unread)})
            self.aliases.update({row["_id"]: row["into"] for row in rows})

    async def alias(self, from_ref: str, into_ref: str) -> str:
        """Make `from_ref`, and all references merged into it before, aliases of `into_ref`.

        Returns the surviving reference: `into_ref` may have been merged before.
        """
        survivor = await self.resolve(into_ref)
        if survivor == from_ref:
            return survivor
        stored = await self.db.find("aliases", {"into": from_ref}, session=self.session)
        merged_before = {row["_id"] for row in stored}
        merged_here = {name for name, into in self.aliases.items() if into == from_ref}
        for reference in {from_ref} | merged_before | merged_here:
            row = {"_id": reference, "into": survivor, "at": self.now}
            self.write_raw("aliases", mongo.replacing(row, upsert=True), reference)
            self._undo_log.record(self.aliases, reference)
            self.aliases[reference] = survivor
        self.added_ids.append(from_ref)
        return survivor

    async def flush(self) -> None:
        """Write all buffered documents now, inside the transaction."""
        for collection in list(self._buffered):
            await self.flush_collection(collection)

    # For the chassis

    async def find_by_any(
        self, collection: str, wanted: Mapping[str, Collection[str]]
    ) -> list[Document]:
        """Return the documents of a chassis collection in which a field has one of its values."""
        conditions = [{name: {"$in": list(values)}} for name, values in wanted.items() if values]
        if not conditions:
            return []
        return await self.db.find(collection, {"$or": conditions}, session=self.session)

    @classmethod
    @cache
    def port_names(cls) -> frozenset[str]:
        """Return the annotated names of this class and its bases, among them the ports."""
        declared = [vars(base).get("__annotations__", {}) for base in cls.__mro__]
        return frozenset(name for names in declared for name in names)

    @classmethod
    def stores(cls) -> list[type[Store[Any]]]:
        """Return all stores that this class and its bases list."""
        stores: list[type[Store[Any]]] = []
        for base in reversed(cls.__mro__):
            listed: list[Any] = [one for one in vars(base).values() if isinstance(one, StoreOf)]
            stores += [store_of.kind for store_of in listed]
        return stores

    def store(self, kind: type[S]) -> S:
        """Return the store of that kind, bound to this transaction."""
        if kind.collection not in self._stores:
            self._stores[kind.collection] = kind(self)
        return cast("S", self._stores[kind.collection])

    def collection_of(self, result: object) -> str | None:
        """Return the collection of an aggregate; None if no store keeps it."""
        collection = self.identity_map.collection_of(result)
        if collection is not None:
            return collection
        kinds = (store.collection for store in self.stores() if type(result) is store.kind)
        return next(kinds, None)

    @property
    def reads_only(self) -> bool:
        """Return whether nothing but audit notes is to be written."""
        has_documents = self._flushes > 0 or any(self._buffered.values()) or self._keyed_rows
        return not has_documents and all(name == "audit" for name, _ in self._raw_writes)

    @property
    def outbox_rows(self) -> list[Document]:
        """Return the outbox rows; they have key and seq when the transaction is finished."""
        return [row for _, row in self._keyed_rows]

    @property
    def writes(self) -> int:
        """Return how many documents the transaction writes, flushed or not."""
        documents = sum(len(buffered) for buffered in self._buffered.values())
        return self._flushed_writes + documents + len(self._keyed_rows) + len(self._raw_writes)

    def write_raw(self, collection: str, operation: Any, id_: str = "") -> None:
        """Buffer a write on a chassis collection: a document to insert, or a bulk operation.

        Of several operations on one `id_` the last one wins.
        """
        target = collection, id_ or operation["_id"]
        self._undo_log.record(self._raw_writes, target)
        self._raw_writes[target] = operation

    def savepoint(self) -> Savepoint:
        """Return the state of the buffers, for `rollback`."""
        return Savepoint(
            self._undo_log.position, len(self._keyed_rows), len(self.added_ids), self._flushes
        )

    def rollback(self, to: Savepoint) -> bool:
        """Restore the buffers; False if something was flushed since, which only an abort undoes."""
        if self._flushes != to.flushes:
            return False
        self._undo_log.roll_back(to.undo_position)
        del self._keyed_rows[to.outbox_rows :]
        del self.added_ids[to.added_ids :]
        return True

    async def finish(self) -> None:
        """Write everything that is still buffered; the commit follows."""
        writes = {name: self._take_buffered(name) for name in list(self._buffered)}
        if self._keyed_rows:
            seqs = await self._advance_keys(Counter(key for key, _ in self._keyed_rows))
            for key, row in self._keyed_rows:
                seqs[key] += 1
                row["key"] = key
                row["seq"] = seqs[key]
            writes[OUTBOX] = self.outbox_rows
        for (collection, _), operation in self._raw_writes.items():
            writes.setdefault(collection, []).append(operation)
        await self.db.write(writes, session=self.session)

    async def flush_collection(self, collection: str) -> None:
        """Write the buffered documents of one collection."""
        if not self.is_dirty(collection):
            return
        # Counted even if nothing is left to write, because a rollback cannot restore the buffer.
        self._flushes += 1
        writes = self._take_buffered(collection)
        self._flushed_writes += len(writes)
        await self.db.bulk(collection, writes, session=self.session)

    def _take_buffered(self, collection: str) -> list[Any]:
        """Remove the buffered documents of one collection and return their writes."""
        store = self._stores.get(collection)
        writes: list[Any] = []
        for id_, write in self._buffered.pop(collection, {}).items():
            if write is _Write.HOLD:
                writes.append(mongo.updating(id_, {"$inc": {"held": 1}}))
            elif write is _Write.DELETE:
                writes.append(mongo.deleting(id_))
            elif write is not _Write.NOTHING and store is not None:
                document = store.document(self.identity_map.get(collection, id_))
                is_new = write is _Write.INSERT
                writes.append(document if is_new else mongo.replacing(document))
        return writes

    def is_dirty(self, collection: str) -> bool:
        """Return whether documents of this collection wait to be written."""
        return bool(self._buffered.get(collection))

    def write(
        self,
        store: Store[Any],
        aggregate: Any,
        before: Any,
        events: Sequence[Event],
        *,
        gone: bool = False,
    ) -> None:
        """Buffer an insert (no `before`), a replacement or a removal (`gone`).

        Its audit row and its events are buffered with it; a rollback undoes all.
        """
        collection = store.collection
        id_ = aggregate.id
        write = _Write.INSERT if before is None else _Write.REPLACE
        if gone:
            write = _Write.DELETE
        self._buffer(collection, id_, write)
        self.identity_map.replace(collection, id_, None if gone else aggregate)
        if store.audited:
            facts = store.about(aggregate) | store.changes(before, aggregate)
            self.note(f"{collection}.{_AUDIT_ACTIONS[write]}", id_, **facts)
        for index, event in enumerate(events):
            facility = event.facility or getattr(aggregate, "facility_id", "")
            self.emit(event, collection, aggregate, index, facility)

    def _buffer(self, collection: str, id_: str, write: _Write) -> None:
        """Buffer a write, combined with the one that is buffered for this document."""
        buffered = self._buffered.setdefault(collection, {})
        earlier = buffered.get(id_)
        if earlier is _Write.INSERT:
            write = _Write.NOTHING if write is _Write.DELETE else _Write.INSERT
        elif earlier is _Write.DELETE and write is _Write.INSERT:
            write = _Write.REPLACE
        self._undo_log.record(buffered, id_)
        buffered[id_] = write

    def hold(self, collection: str, id_: str) -> None:
        """Buffer a write whose only effect is that concurrent changes of the document conflict."""
        buffered = self._buffered.setdefault(collection, {})
        if id_ not in buffered:
            self._undo_log.record(buffered, id_)
            buffered[id_] = _Write.HOLD

    def emit(
        self,
        event: Event,
        collection: str,
        aggregate: Aggregate,
        index: int = 0,
        facility: str = "",
    ) -> None:
        """Buffer an outbox row; `finish` gives it its seq. Raises EventTooLarge."""
        row = outbox_row(self.context, self.now, event, collection, aggregate, index, facility)
        self.outbox_bytes += len(row["body"])
        self._keyed_rows.append((event.key, row))

    async def _advance_keys(self, counts: Counter[str]) -> dict[str, int]:
        """Advance the key counters; return the last seq of each key before the advance."""
        unread = [key for key in counts if key not in self.seqs]
        if unread and len(counts) == 1:
            return await self._advance_one_key(unread[0], counts[unread[0]])
        if unread:
            rows = await self.db.find("keys", {"_id": {"$in": unread}}, session=self.session)
            self.seqs |= dict.fromkeys(unread, 0)
            self.seqs |= {row["_id"]: row["seq"] for row in rows}
        keys_by_step: dict[int, list[str]] = {}
        for key, count in counts.items():
            if self.seqs[key]:
                keys_by_step.setdefault(count, []).append(key)
            else:
                self.write_raw("keys", {"_id": key, "seq": count})
        for step, keys in keys_by_step.items():
            increment = mongo.updating({"$in": keys}, {"$inc": {"seq": step}}, many=True)
            self.write_raw("keys", increment, f"\0{step}")  # no event key begins with NUL
        return {key: self.seqs[key] for key in counts}

    async def _advance_one_key(self, key: str, count: int) -> dict[str, int]:
        row = await self.db.find_and_update(
            "keys", {"_id": key}, {"$inc": {"seq": count}}, upsert=True, session=self.session
        )
        return {key: (row or {})["seq"] - count}


class StoreOf(Generic[S]):
    """Lists a store in a service's Transaction; `tx.<name>` is the store of that transaction."""

    def __init__(self, kind: type[S]) -> None:
        self.kind = kind

    @overload
    def __get__(self, instance: None, owner: type[Transaction]) -> Self: ...
    @overload
    def __get__(self, instance: Transaction, owner: type[Transaction]) -> S: ...
    def __get__(self, instance: Transaction | None, owner: type[Transaction]) -> Self | S:
        """Return the store of this transaction."""
        return self if instance is None else instance.store(self.kind)
