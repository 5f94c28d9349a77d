"""How aggregates of one kind are kept: mapping, scope, queries, pages, buffered writes. Not here: which queries a service has."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from pydantic import TypeAdapter

from chassis.caller import EVERYTHING, Caller
from chassis.errors import Malformed, NotFound, VersionDiffers
from chassis.persistence.mongo import Document, Filter, Index, Mongo, Session, Sort

OWN_FIELDS = frozenset({"held", "schema"})


_PLAIN = (str, int, datetime, type(None))


class Aggregate(Protocol):
    """A frozen dataclass with an id and a version (0 = never stored)."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


A = TypeVar("A", bound=Aggregate)


class Event(Protocol):
    """What the unit of work needs of an event; `messaging.events.Event` is one."""

    type: ClassVar[str]

    @property
    def key(self) -> str: ...
    @property
    def facility(self) -> str: ...
    def model_dump_json(self, *, exclude_none: bool = False) -> str: ...


class StoreTransaction(Protocol):
    """The members of a transaction that a store uses."""

    db: Mongo
    session: Session
    now: datetime
    added_ids: list[str]

    @property
    def caller(self) -> Caller: ...
    def knows(self, collection: str, id_: str) -> bool: ...
    def known(self, collection: str, id_: str) -> Any: ...
    def learn(self, collection: str, id_: str, aggregate: Any) -> Any: ...
    def is_dirty(self, collection: str) -> bool: ...
    async def flush_collection(self, collection: str) -> None: ...
    def write(
        self,
        store: Any,
        aggregate: Any,
        before: Any,
        events: Sequence[Event],
        *,
        gone: bool = False,
    ) -> None: ...
    def hold(self, collection: str, id_: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Page(Generic[A]):
    """One page of a list; `next_cursor` is None on the last."""

    items: list[A]
    next_cursor: str | None


class CursorInvalid(Malformed):
    """A cursor that we did not make for this list."""

    title = "Penanda halaman (cursor) tidak dikenali"
    field = "cursor"


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
    person: ClassVar[str] = ""
    _adapter: ClassVar[TypeAdapter[Any]]
    _names: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            fields = cls.kind.__dataclass_fields__.keys()
            if taken := OWN_FIELDS & fields:
                message = f"{cls.kind.__name__}: {', '.join(sorted(taken))} is a name of the chassis' own in every document"
                raise TypeError(message)
            cls._adapter, cls._names = TypeAdapter(cls.kind), tuple(sorted(fields - {"version"}))

    def __init__(self, tx: StoreTransaction) -> None:
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
        if not self.tx.knows(self.collection, id_):
            await self.many([id_], scoped=False)
        found = self.tx.known(self.collection, id_)
        return found if found is not None and (not scoped or self._sees(found)) else None

    async def many(self, ids: Iterable[str], *, scoped: bool = True) -> dict[str, A]:
        """The aggregates of these ids that exist in the caller's scope, by id, in one read."""
        tx, collection, wanted = self.tx, self.collection, dict.fromkeys(ids)
        if missing := [id_ for id_ in wanted if not tx.knows(collection, id_)]:
            where = {"_id": missing[0] if len(missing) == 1 else {"$in": missing}}
            self.remember(missing, await tx.db.find(collection, where, session=tx.session))
        found = {
            id_: aggregate for id_ in wanted if (aggregate := tx.known(collection, id_)) is not None
        }
        return (
            {id_: aggregate for id_, aggregate in found.items() if self._sees(aggregate)}
            if scoped
            else found
        )

    def remember(self, ids: Iterable[str], documents: Iterable[Document]) -> None:
        """Remember what was read about these ids; those without a document are not there."""
        by_id = {document["_id"]: document for document in documents}
        for id_ in ids:
            self.tx.learn(
                self.collection, id_, self.aggregate(by_id[id_]) if id_ in by_id else None
            )

    async def first(self, where: Filter, *, sort: Sort = (), scoped: bool = True) -> A | None:
        """The first aggregate that matches."""
        found = await self.find(where, sort=sort, limit=1, scoped=scoped)
        return found[0] if found else None

    async def find(
        self, where: Filter, *, sort: Sort = (), limit: int | None = None, scoped: bool = True
    ) -> list[A]:
        """All aggregates that match, in the caller's scope."""
        narrowed, tx, collection = self._narrowed(where, scoped=scoped), self.tx, self.collection
        if narrowed is None:
            return []
        if tx.is_dirty(collection):
            await tx.flush_collection(collection)
        documents = await tx.db.find(
            collection, narrowed, sort=sort, limit=limit or 0, session=tx.session
        )
        known = (
            tx.known(collection, one["_id"])
            if tx.knows(collection, one["_id"])
            else tx.learn(collection, one["_id"], self.aggregate(one))
            for one in documents
        )
        return [aggregate for aggregate in known if aggregate is not None]

    async def count(self, where: Filter, *, scoped: bool = True) -> int:
        """How many match, in the caller's scope."""
        narrowed = self._narrowed(where, scoped=scoped)
        if narrowed is None:
            return 0
        if self.tx.is_dirty(self.collection):
            await self.tx.flush_collection(self.collection)
        return await self.tx.db.count(self.collection, narrowed, session=self.tx.session)

    async def page(
        self,
        where: Filter,
        *,
        sort: tuple[str, int] = ("_id", 1),
        cursor: str | None = None,
        limit: int = 50,
        scoped: bool = True,
    ) -> Page[A]:
        """One page of what matches, ordered by one field and then by id; `cursor` is the last page's `next_cursor`."""
        name, direction = sort
        list_name = f"{self.collection}/{name}/{direction}"
        past = {} if cursor is None else _past(name, direction, *_open_cursor(cursor, list_name))
        order = list(dict([sort, ("_id", direction)]).items())
        found = await self.find(
            {"$and": [dict(where), past]} if past else where,
            sort=order,
            limit=limit + 1,
            scoped=scoped,
        )
        if len(found) <= limit:
            return Page(found, None)
        last = self.document(found[limit - 1])
        return Page(found[:limit], _seal_cursor(last.get(name), last["_id"], list_name))

    # Writing

    def add(self, aggregate: A, events: Sequence[Event] = (), *, scoped: bool = True) -> A:
        """Insert it as version 1. What the caller's claims would not show cannot be made; `scoped=False` is for what a command makes outside them."""
        if scoped and not self._in_scope(aggregate):
            raise self.unknown
        added = _versioned(aggregate, 1)
        self.tx.write(self, added, None, events)
        if self.awaited:
            self.tx.added_ids.append(added.id)
        return added

    def save(self, before: A, after: A, events: Sequence[Event] = ()) -> A:
        """Replace `before` by `after` as the next version; returns it as saved."""
        saved = _versioned(after, before.version + 1)
        self.tx.write(self, saved, before, events)
        return saved

    def remove(self, aggregate: A, events: Sequence[Event] = ()) -> None:
        """Delete it."""
        self.tx.write(
            self, _versioned(aggregate, aggregate.version + 1), aggregate, events, gone=True
        )

    def hold(self, aggregate: A) -> None:
        """Make this transaction conflict with every change of a document that its rule depends on and does not change itself (write skew)."""
        self.tx.hold(self.collection, aggregate.id)

    # Mapping

    def document(self, aggregate: A) -> Document:
        """The document of an aggregate."""
        document = cast("Document", self._adapter.dump_python(aggregate))
        document["_id"], document["schema"] = document.pop("id"), self.schema
        return document

    def aggregate(self, document: Document) -> A:
        """The aggregate of a document."""
        fields = document.copy()
        fields["id"] = fields.pop("_id")
        for name in OWN_FIELDS & fields.keys():
            del fields[name]
        return self._adapter.validate_python(fields)

    def changes(self, before: A | None, after: A) -> Document:
        """The changed fields for the audit row: old and new value, but only the names of secret ones."""
        if before is None:
            return {"version": after.version}
        changed: list[str] = []
        values: Document = {}
        for name in self._names:
            if (old := getattr(before, name)) != (new := getattr(after, name)):
                changed.append(name)
                if name not in self.secret:
                    values[name] = [_plain(old), _plain(new)]
        return {"version": after.version, "changed": changed, "values": values}

    def about(self, aggregate: A) -> Document:
        """Whose data it is, for the audit row: who stands at the path `person`, where that is another's id; and the facility that scopes it."""
        paths = {"person": self.person, "facility": self.scope.get("facility", "")}
        found = {name: sorted(_at(aggregate, path) - {""}) for name, path in paths.items() if path}
        return {
            name: values[0] if len(values) == 1 else values
            for name, values in found.items()
            if values
        }

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
        held = [
            (caller.claims[claim], path)
            for claim, path in self.scope.items()
            if caller.claims.get(claim)
        ]
        if not held:
            return None
        return {path: {"$in": sorted(values)} for values, path in held if EVERYTHING not in values}

    def _sees(self, aggregate: A) -> bool:
        return self.tx.caller.system or (self._in_scope(aggregate) and self.admits(aggregate))

    def _in_scope(self, aggregate: A) -> bool:
        scope = self._scope()
        return scope is not None and all(
            _at(aggregate, path) & set(allowed["$in"]) for path, allowed in scope.items()
        )


def _versioned(aggregate: A, version: int) -> A:
    return cast("A", replace(cast("Any", aggregate), version=version))


def _at(aggregate: Any, path: str) -> set[str]:
    values = [aggregate]
    for name in path.split("."):
        values = [
            inner
            for value in values
            for inner in _listed(
                cast("Document", value).get(name)
                if isinstance(value, dict)
                else getattr(value, "id" if name == "_id" else name)
            )
        ]
    return {str(value) for value in values}


def _listed(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list, frozenset)):
        return list(cast("Iterable[Any]", value))
    return [] if value is None else [value]


def _plain(value: Any) -> Any:
    return value if isinstance(value, _PLAIN) and not isinstance(value, Enum) else str(value)[:200]


def _past(name: str, direction: int, value: Any, last: str) -> Document:
    """What comes behind this value and id. MongoDB compares within one type only, and sorts nulls first."""
    beyond = "$gt" if direction == 1 else "$lt"
    if name == "_id":
        return {"_id": {beyond: last}}
    further: list[Document] = [{name: value, "_id": {beyond: last}}]
    if value is not None:
        further.append({name: {beyond: value}})
    if (value is None) is (direction == 1):
        further.append({name: {"$ne": None}} if value is None else {name: None})
    return {"$or": further}


def _seal_cursor(value: Any, last: str, list_name: str) -> str:
    value = value.value if isinstance(value, Enum) else value
    plain = (
        {"d": value.isoformat()}
        if isinstance(value, datetime)
        else {"v": value if isinstance(value, _PLAIN) else str(value)}
    )
    return (
        base64.urlsafe_b64encode(
            json.dumps([list_name, plain, last], separators=(",", ":")).encode()
        )
        .decode()
        .rstrip("=")
    )


def _open_cursor(cursor: str, list_name: str) -> tuple[Any, str]:
    try:
        named, plain, last = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        value = datetime.fromisoformat(plain["d"]) if "d" in plain else plain["v"]
    except (ValueError, KeyError, TypeError):
        raise CursorInvalid from None
    if named != list_name or not isinstance(last, str) or not isinstance(value, _PLAIN):
        raise CursorInvalid
    return value, last


__all__ = ["Aggregate", "CursorInvalid", "Event", "Index", "Page", "Store", "StoreTransaction"]
