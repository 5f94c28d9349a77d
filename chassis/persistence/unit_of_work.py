"""The unit of work: a transaction's identity map, buffered writes, outbox rows and audit rows. Not here: how aggregates are kept (store), where transactions open (runner).

Reads go through the identity map; writes are buffered and flushed as one unordered bulk per collection, filtered by `_id` alone: what was read in
this transaction and changed by another meanwhile is a WriteConflict anyway. A query on a collection with buffered writes flushes that collection first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, cast, overload

from chassis.caller import Caller
from chassis.ids import event_id, new_id
from chassis.persistence import mongo
from chassis.persistence.mongo import Document, Mongo, Session
from chassis.persistence.store import Aggregate, Event, Store

S = TypeVar("S", bound=Store[Any])

OUTBOX = "outbox"
MAX_EVENT_BYTES = 256 * 1024
_ABSENT: Any = object()
_INSERT, _REPLACE, _DELETE, _HOLD = "insert", "replace", "delete", "hold"


class Savepoint(NamedTuple):
    """A place to which the buffers can be put back, while nothing has been flushed since."""

    undo: int
    drafts: int
    added: int
    flushes: int


@dataclass(slots=True, kw_only=True)
class OperationContext:
    """On whose word things happen now: a caller's request, or an event. `failed` are events not to be tried again; `alone` leaves early facts for later."""

    caller: Caller
    correlation_id: str
    causation_id: str = ""
    what: str = ""
    traceparent: str = ""
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    without_early_events: bool = False


class EventTooLarge(Exception):
    """An event over 256 KiB is refused at commit."""


class RetryWithoutEvent(Exception):
    """An event failed after something was flushed, which only an abort undoes: run the transaction again without it. `problem` is why."""

    def __init__(self, id_: str, problem: str | Exception) -> None:
        super().__init__(id_)
        self.id, self.problem = id_, problem


class Transaction:
    """One unit of work. Services subclass it and list their stores with StoreOf."""

    service: ClassVar[str] = ""

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
        self.seqs: dict[str, int] = {}  # key counters as they were read (0 = there is none)
        self.jobs_to_wake: set[str] = set()
        self.added_ids: list[
            str
        ] = []  # ids for which early facts may wait: of what was added, and of what was merged into another
        self._stores: dict[str, Store[Any]] = {}
        self._known: dict[tuple[str, str], Any] = {}
        self._pending: dict[str, dict[str, str]] = {}
        self._own: dict[tuple[str, str], Any] = {}
        self._drafts: list[tuple[str, Document]] = []
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._flushes = 0
        self.outbox_bytes = 0

    # What use cases use

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.context.caller

    @property
    def correlation_id(self) -> str:
        """The id that all consequences of one request share."""
        return self.context.correlation_id

    def note(self, action: str, subject_ref: str, **facts: Any) -> None:
        """Write an audit row of its own, e.g. that personal data was read and for what purpose."""
        id_, cause, caller = new_id(), self.context, self.context.caller
        row = {
            "_id": id_, "at": self.now, "action": action, "subject": subject_ref, "actor": caller.subject, "role": caller.role, "on_behalf_of": caller.on_behalf_of,
            "what": cause.what, "correlation_id": cause.correlation_id, "causation_id": cause.causation_id, "block": None, "facility": caller.facility, **facts,
        }  # fmt: skip
        self.write_raw("audit", row, id_)

    def wake(self, job: str) -> None:
        """Run this job at once after the commit."""
        self.jobs_to_wake.add(job)

    async def resolve(self, reference: str) -> str:
        """The surviving reference of one that may have been merged."""
        await self.resolve_many([reference])
        return self.aliases[reference] or reference

    async def resolve_many(self, references: Iterable[str]) -> None:
        """Read the aliases of all these at once, for `resolve` to find."""
        unknown = {reference for reference in references if reference not in self.aliases}
        if unknown:
            self.aliases.update(dict.fromkeys(unknown))
            self.aliases.update(
                {
                    row["_id"]: row["into"]
                    for row in await self.find_by_any("aliases", {"_id": list(unknown)})
                }
            )

    async def alias(self, from_ref: str, into_ref: str) -> str:
        """From now on `from_ref` means `into_ref`, and so does everything that meant `from_ref`. Returns the survivor: `into_ref` itself may have been merged before."""
        into = await self.resolve(into_ref)
        if into != from_ref:
            stored = await self.db.find("aliases", {"into": from_ref}, session=self.session)
            for reference in {
                from_ref,
                *(row["_id"] for row in stored),
                *(known for known, meant in self.aliases.items() if meant == from_ref),
            }:
                self.write_raw(
                    "aliases",
                    mongo.replacing({"_id": reference, "into": into, "at": self.now}, upsert=True),
                    reference,
                )
                self._remember(self.aliases, reference)
                self.aliases[reference] = into
            self.added_ids.append(from_ref)
        return into

    async def flush(self) -> None:
        """Write all buffered documents now, inside the transaction."""
        for collection in list(self._pending):
            await self.flush_collection(collection)

    # What the chassis uses

    async def find_by_any(
        self, collection: str, wanted: Mapping[str, Collection[str]]
    ) -> list[Document]:
        """The documents of a collection of the chassis' own in which one of the fields has one of its values."""
        ways = [{name: {"$in": list(values)}} for name, values in wanted.items() if values]
        if not ways:
            return []
        return await self.db.find(
            collection, ways[0] if len(ways) == 1 else {"$or": ways}, session=self.session
        )

    @classmethod
    @cache
    def port_names(cls) -> frozenset[str]:
        """Return the names that this class and its bases declare by annotation."""
        declared = [vars(base).get("__annotations__", {}) for base in cls.__mro__]
        return frozenset(name for names in declared for name in names)

    @classmethod
    def stores(cls) -> list[type[Store[Any]]]:
        """All stores that this class and its bases list."""
        listed: list[Any] = [
            found
            for base in reversed(cls.__mro__)
            for found in vars(base).values()
            if isinstance(found, StoreOf)
        ]
        return [one.kind for one in listed]

    def store(self, kind: type[S]) -> S:
        """The store of that kind, bound to this transaction."""
        if kind.collection not in self._stores:
            self._stores[kind.collection] = kind(self)
        return cast("S", self._stores[kind.collection])

    def collection_of(self, result: object) -> str | None:
        """The collection where an aggregate is kept that this transaction has in hand."""
        known = next(
            (
                collection
                for (collection, _), aggregate in self._known.items()
                if aggregate is result and result is not None
            ),
            None,
        )
        return known or next(
            (store.collection for store in self.stores() if type(result) is store.kind), None
        )

    @property
    def reads_only(self) -> bool:
        """Whether nothing but notes is to be written."""
        return not (
            self._flushes
            or self._drafts
            or any(self._pending.values())
            or any(collection != "audit" for collection, _ in self._own)
        )

    @property
    def outbox_rows(self) -> list[Document]:
        """The outbox rows of its events; they have their key and seq when it is finished."""
        return [row for _, row in self._drafts]

    @property
    def writes(self) -> int:
        """How many documents wait to be written."""
        return sum(map(len, self._pending.values())) + len(self._drafts) + len(self._own)

    def write_raw(self, collection: str, operation: Any, id_: str = "") -> None:
        """Buffer a write on one of the chassis' own collections: a document to insert, or a bulk operation on `id_`, of which the last counts."""
        where = collection, id_ or operation["_id"]
        self._remember(self._own, where)
        self._own[where] = operation

    def savepoint(self) -> Savepoint:
        """Where the buffers stand now."""
        return Savepoint(len(self._undo), len(self._drafts), len(self.added_ids), self._flushes)

    def rollback(self, to: Savepoint) -> bool:
        """Put the buffers back; False when something was flushed since, so that only an abort undoes it."""
        if self._flushes != to.flushes:
            return False
        while len(self._undo) > to.undo:
            mapping, key, before = self._undo.pop()
            if before is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = before
        del self._drafts[to.drafts :], self.added_ids[to.added :]
        return True

    async def finish(self) -> None:
        """Write everything that is still buffered; the commit follows."""
        writes = {collection: self._taken(collection) for collection in list(self._pending)}
        if self._drafts:
            seqs = await self._advance(Counter(key for key, _ in self._drafts))
            for key, row in self._drafts:
                seqs[key] += 1
                row["key"], row["seq"] = key, seqs[key]
            writes[OUTBOX] = [row for _, row in self._drafts]
        for (collection, _), operation in self._own.items():
            writes.setdefault(collection, []).append(operation)
        await self.db.write(writes, session=self.session)

    async def flush_collection(self, collection: str) -> None:
        """Write the buffered documents of one collection."""
        if writes := self._taken(collection):
            self._flushes += 1
            await self.db.bulk(collection, writes, session=self.session)

    def _taken(self, collection: str) -> list[Any]:
        """The buffered writes of one collection, which are no longer buffered."""
        store, writes = self._stores.get(collection), list[Any]()
        for id_, write in self._pending.pop(collection, {}).items():
            if write is _HOLD:
                writes.append(mongo.updating(id_, {"$inc": {"held": 1}}))
            elif write is _DELETE:
                writes.append(mongo.deleting(id_))
            elif write and store:
                document = store.document(self._known[collection, id_])
                writes.append(document if write is _INSERT else mongo.replacing(document))
        return writes

    def is_dirty(self, collection: str) -> bool:
        """Whether documents of this collection wait to be written."""
        return bool(self._pending.get(collection))

    def knows(self, collection: str, id_: str) -> bool:
        """Whether this transaction has read or written that document."""
        return (collection, id_) in self._known

    def known(self, collection: str, id_: str) -> Any:
        """The aggregate as this transaction knows it; None = it is not there."""
        return self._known.get((collection, id_))

    def learn(self, collection: str, id_: str, aggregate: Any) -> Any:
        """Remember a document as it was read (None = it is not there)."""
        return self._known.setdefault((collection, id_), aggregate)

    def write(
        self,
        store: Store[Any],
        aggregate: Any,
        before: Any,
        events: Sequence[Event],
        *,
        gone: bool = False,
    ) -> None:
        """Buffer an insert (no `before`), a replacement or a removal, with its audit row and its events; undone by a rollback."""
        collection, id_ = store.collection, aggregate.id
        pending = self._pending.setdefault(collection, {})
        was, write = (
            pending.get(id_),
            _DELETE if gone else _REPLACE if before is not None else _INSERT,
        )
        if was is _INSERT:
            write = "" if gone else _INSERT
        elif was is _DELETE and write is _INSERT:
            write = _REPLACE
        self._remember(pending, id_)
        self._remember(self._known, (collection, id_))
        pending[id_], self._known[collection, id_] = write, None if gone else aggregate
        if store.audited:
            self.note(
                f"{collection}.{'removed' if gone else 'added' if before is None else 'changed'}",
                id_,
                **store.about(aggregate),
                **store.changes(before, aggregate),
            )
        for index, event in enumerate(events):
            self.emit(
                event,
                collection,
                aggregate,
                index,
                event.facility or getattr(aggregate, "facility_id", ""),
            )

    def hold(self, collection: str, id_: str) -> None:
        """Buffer a write that changes nothing but conflicts with every change of that document."""
        pending = self._pending.setdefault(collection, {})
        if id_ not in pending:
            self._remember(pending, id_)
            pending[id_] = _HOLD

    def emit(
        self,
        event: Event,
        collection: str,
        aggregate: Aggregate,
        index: int = 0,
        facility: str = "",
    ) -> None:
        """Buffer an outbox row, which gets its place in the key's order at the end."""
        body, cause = event.model_dump_json(exclude_none=True), self.context
        if len(body) > MAX_EVENT_BYTES // 4 and len(body.encode()) > MAX_EVENT_BYTES:
            raise EventTooLarge(event.type)
        self.outbox_bytes += len(body)
        id_, version, caller = aggregate.id, aggregate.version, cause.caller
        row = {
            "_id": event_id(collection, id_, version, index), "sent": False, "type": event.type, "at": self.now, "aggregate_id": id_, "aggregate_version": version,
            "actor_role": caller.role, "actor_ref": caller.subject, "correlation_id": cause.correlation_id, "causation_id": cause.causation_id,
            "facility_id": facility, "traceparent": cause.traceparent, "body": body,
        }  # fmt: skip
        self._drafts.append((event.key, row))

    def _remember(self, mapping: dict[Any, Any], key: Any) -> None:
        self._undo.append((mapping, key, mapping.get(key, _ABSENT)))

    async def _advance(self, counts: Counter[str]) -> dict[str, int]:
        """Advance the key counters; each key's last seq before."""
        unread = [key for key in counts if key not in self.seqs]
        if unread and len(counts) == 1:
            [(key, count)] = counts.items()
            row = await self.db.find_and_update(
                "keys", {"_id": key}, {"$inc": {"seq": count}}, upsert=True, session=self.session
            )
            return {key: (row or {})["seq"] - count}
        if unread:
            self.seqs |= dict.fromkeys(unread, 0) | {
                row["_id"]: row["seq"]
                for row in await self.db.find(
                    "keys", {"_id": {"$in": unread}}, session=self.session
                )
            }
        for key, count in counts.items():
            if not self.seqs[key]:
                self.write_raw("keys", {"_id": key, "seq": count})
        for step in {counts[key] for key in counts if self.seqs[key]}:
            known: Document = {
                "$in": [key for key in counts if self.seqs[key] and counts[key] == step]
            }
            self.write_raw(
                "keys", mongo.updating(known, {"$inc": {"seq": step}}, many=True), f"\0{step}"
            )  # no key is called so
        return {key: self.seqs[key] for key in counts}


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
