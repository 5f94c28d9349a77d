"""The base class of stores: mapping, scope, queries, pages and buffered writes.

Not here: the queries of a service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import TypeAdapter

from chassis.caller import EVERYTHING
from chassis.errors import NotFound, VersionDiffers
from chassis.persistence.cursors import CursorValue
from chassis.persistence.mongo import Document, Filter, Index, Sort
from chassis.persistence.protocols import Aggregate, Event, StoreTransaction

__all__ = ["Aggregate", "Event", "Index", "Page", "Store", "StoreTransaction"]

# Fields that the chassis adds to every document.
OWN_FIELDS = frozenset({"held", "schema"})
_PLAIN_TYPES = (str, int, datetime, type(None))
_MAX_AUDIT_TEXT = 200
MAX_COUNT = 10_000


A = TypeVar("A", bound=Aggregate)


@dataclass(frozen=True, slots=True)
class Page(Generic[A]):
    """One page of a list; `next_cursor` is None on the last."""

    items: list[A]
    next_cursor: str | None


class Store(Generic[A]):
    """The store of one kind of aggregate; subclasses add their queries, named by intent.

    `scope` maps each claim to the path of the field that it filters; `{"public": ""}` = no filter.
    `schema` is the version of the documents' shape: raise it together with a migration. `secret`
    fields are named in audit rows without their values. `awaited` lets early events wait for an
    aggregate of this kind. `person` is the path of the person whom the data is about. The indexes
    named in `former_indexes` are those of an earlier version; a start drops them.
    """

    kind: ClassVar[type[Any]]
    collection: ClassVar[str]
    unknown: ClassVar[type[NotFound]] = NotFound
    scope: ClassVar[Mapping[str, str]]
    indexes: ClassVar[tuple[Index, ...]] = ()
    former_indexes: ClassVar[tuple[str, ...]] = ()
    schema: ClassVar[int] = 1
    secret: ClassVar[frozenset[str]] = frozenset()
    awaited: ClassVar[bool] = False
    audited: ClassVar[bool] = True
    person: ClassVar[str] = ""
    _adapter: ClassVar[TypeAdapter[Any]]
    _names: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" not in cls.__dict__:
            return
        fields = cls.kind.__dataclass_fields__.keys()
        reserved = OWN_FIELDS & fields
        if reserved:
            names = ", ".join(sorted(reserved))
            message = f"{cls.kind.__name__}: the chassis uses these names in documents: {names}"
            raise TypeError(message)
        cls._adapter = TypeAdapter(cls.kind)
        cls._names = tuple(sorted(fields - {"version"}))

    def __init__(self, tx: StoreTransaction) -> None:
        self.tx = tx

    # Reading

    async def get(self, id_: str, *, if_match: int | None = None, scoped: bool = True) -> A:
        """Return the aggregate of this id in the caller's scope.

        Raises `unknown`, and VersionDiffers if its version is not `if_match`.
        """
        aggregate = await self.seek(id_, scoped=scoped)
        if aggregate is None:
            raise self.unknown
        if if_match is not None and aggregate.version != if_match:
            raise VersionDiffers(current_version=aggregate.version)
        return aggregate

    async def seek(self, id_: str, *, scoped: bool = True) -> A | None:
        """Return the aggregate of this id; None if it is not in the caller's scope."""
        return (await self.many([id_], scoped=scoped)).get(id_)

    async def many(self, ids: Iterable[str], *, scoped: bool = True) -> dict[str, A]:
        """Return the aggregates of these ids in the caller's scope by id, with one read."""
        identity_map = self.tx.identity_map
        wanted = dict.fromkeys(ids)
        unread = [id_ for id_ in wanted if not identity_map.contains(self.collection, id_)]
        if unread:
            where = {"_id": unread[0] if len(unread) == 1 else {"$in": unread}}
            documents = await self.tx.db.find(self.collection, where, session=self.tx.session)
            self.remember(unread, documents)
        aggregates: dict[str, A] = {}
        for id_ in wanted:
            aggregate = identity_map.get(self.collection, id_)
            if aggregate is not None and (not scoped or self._sees(aggregate)):
                aggregates[id_] = aggregate
        return aggregates

    def remember(self, ids: Iterable[str], documents: Iterable[Document]) -> None:
        """Add the documents that were read for these ids to the identity map, None if missing."""
        by_id = {document["_id"]: document for document in documents}
        for id_ in ids:
            aggregate = self.aggregate(by_id[id_]) if id_ in by_id else None
            self.tx.identity_map.add(self.collection, id_, aggregate)

    async def first(self, where: Filter, *, sort: Sort = (), scoped: bool = True) -> A | None:
        """Return the first aggregate that matches."""
        aggregates = await self.find(where, sort=sort, limit=1, scoped=scoped)
        return aggregates[0] if aggregates else None

    async def find(
        self, where: Filter, *, sort: Sort = (), limit: int | None = None, scoped: bool = True
    ) -> list[A]:
        """Return all aggregates that match, in the caller's scope."""
        narrowed = self._narrowed(where, scoped=scoped)
        if narrowed is None:
            return []
        if self.tx.is_dirty(self.collection):
            await self.tx.flush_collection(self.collection)
        documents = await self.tx.db.find(
            self.collection, narrowed, sort=sort, limit=limit or 0, session=self.tx.session
        )
        aggregates = [self._mapped(document) for document in documents]
        return [aggregate for aggregate in aggregates if aggregate is not None]

    def _mapped(self, document: Document) -> A | None:
        """Return the identity map's aggregate for a document, which is mapped only if it is new."""
        identity_map = self.tx.identity_map
        if identity_map.contains(self.collection, document["_id"]):
            return identity_map.get(self.collection, document["_id"])
        return identity_map.add(self.collection, document["_id"], self.aggregate(document))

    async def count(self, where: Filter, *, scoped: bool = True, most: int = 0) -> int:
        """Return how many match, in the caller's scope; `most` is where counting ends, if any."""
        narrowed = self._narrowed(where, scoped=scoped)
        if narrowed is None:
            return 0
        if self.tx.is_dirty(self.collection):
            await self.tx.flush_collection(self.collection)
        return await self.tx.db.count(self.collection, narrowed, most, session=self.tx.session)

    async def count_each(
        self, field: str, values: Iterable[str], *, scoped: bool = True
    ) -> dict[str, int]:
        """Return how many have each of these values of an indexed field, in the caller's scope.

        Each is counted up to MAX_COUNT, which then means that many or more.
        """
        counts: dict[str, int] = {}
        for value in values:
            counts[value] = await self.count({field: value}, scoped=scoped, most=MAX_COUNT)
        return counts

    async def count_by(self, field: str, where: Filter, *, scoped: bool = True) -> dict[str, int]:
        """Return how many of the first MAX_COUNT that match have each value of the field."""
        narrowed = self._narrowed(where, scoped=scoped)
        if narrowed is None:
            return {}
        if self.tx.is_dirty(self.collection):
            await self.tx.flush_collection(self.collection)
        counting = [
            {"$match": narrowed},
            {"$limit": MAX_COUNT},
            {"$group": {"_id": f"${field}", "count": {"$sum": 1}}},
        ]
        rows = await self.tx.db.aggregate(self.collection, counting, session=self.tx.session)
        return {row["_id"]: row["count"] for row in rows}

    async def page(
        self,
        where: Filter,
        *,
        sort: tuple[str, int] = ("_id", 1),
        cursor: str | None = None,
        limit: int = 50,
        scoped: bool = True,
    ) -> Page[A]:
        """Return one page of what matches, sorted by one field and then by id.

        `cursor` is the `next_cursor` of the page before. Raises CursorInvalid.
        """
        name, direction = sort
        list_name = f"{self.collection}/{name}/{direction}"
        filters = dict(where)
        if cursor is not None:
            value, last_id = self.tx.cursors.verify(cursor, list_name, filters=filters)
            where = {"$and": [filters, _after(name, direction, value, cast("str", last_id))]}
        order = [sort] if name == "_id" else [sort, ("_id", direction)]
        aggregates = await self.find(where, sort=order, limit=limit + 1, scoped=scoped)
        if len(aggregates) <= limit:
            return Page(aggregates, None)
        last = self.document(aggregates[limit - 1])
        position = _plain_sort_value(last.get(name)), last["_id"]
        return Page(aggregates[:limit], self.tx.cursors.sign(list_name, position, filters=filters))

    # Writing

    def add(self, aggregate: A, events: Sequence[Event] = (), *, scoped: bool = True) -> A:
        """Insert an aggregate as version 1 and return it.

        Raises `unknown` if it lies outside the caller's scope; `scoped=False` allows that.
        """
        if scoped and not self._in_scope(aggregate):
            raise self.unknown
        added = _versioned(aggregate, 1)
        self.tx.write(self, added, None, events)
        if self.awaited:
            self.tx.added_ids.append(added.id)
        return added

    def save(self, before: A, after: A, events: Sequence[Event] = ()) -> A:
        """Replace `before` by `after` as the next version and return it as saved."""
        saved = _versioned(after, before.version + 1)
        self.tx.write(self, saved, before, events)
        return saved

    def remove(self, aggregate: A, events: Sequence[Event] = ()) -> None:
        """Delete an aggregate."""
        removed = _versioned(aggregate, aggregate.version + 1)
        self.tx.write(self, removed, aggregate, events, gone=True)

    def hold(self, aggregate: A) -> None:
        """Make this transaction conflict with any concurrent change of this aggregate.

        Needed when a rule depends on the aggregate and the transaction does not change it. Without
        it, snapshot isolation lets both commit (write skew).
        """
        self.tx.hold(self.collection, aggregate.id)

    # Mapping

    def document(self, aggregate: A) -> Document:
        """Return the document of an aggregate."""
        document = cast("Document", self._adapter.dump_python(aggregate))
        document["_id"] = document.pop("id")
        document["schema"] = self.schema
        return document

    def aggregate(self, document: Document) -> A:
        """Return the aggregate of a document."""
        fields = document.copy()
        fields["id"] = fields.pop("_id")
        for name in OWN_FIELDS & fields.keys():
            del fields[name]
        return self._adapter.validate_python(fields)

    def changes(self, before: A | None, after: A) -> Document:
        """Return the changed fields for the audit row, with old and new values.

        Secret fields are named without values.
        """
        if before is None:
            return {"version": after.version}
        changed: list[str] = []
        values: Document = {}
        for name in self._names:
            old = getattr(before, name)
            new = getattr(after, name)
            if old == new:
                continue
            changed.append(name)
            if name not in self.secret:
                values[name] = [_audited(old), _audited(new)]
        return {"version": after.version, "changed": changed, "values": values}

    def about(self, aggregate: A) -> Document:
        """Return the person and the facility of the data, for the audit row."""
        paths = {"person": self.person, "facility": self.scope.get("facility", "")}
        facts: Document = {}
        for name, path in paths.items():
            values = sorted(_values_at(aggregate, path) - {""}) if path else []
            if values:
                facts[name] = values[0] if len(values) == 1 else values
        return facts

    # Scope

    def narrowing(self) -> Filter | None:
        """Return a filter that every query has besides `scope`; None = nothing is visible.

        Override it together with `admits`. It does not apply to a `system` caller.
        """
        return {}

    def admits(self, aggregate: A) -> bool:
        """Return whether the filter of `narrowing` matches one aggregate."""
        del aggregate
        return True

    def _narrowed(self, where: Filter, *, scoped: bool) -> Filter | None:
        """Return the filter in the caller's scope; None if the caller sees nothing."""
        if not scoped or self.tx.caller.system:
            return where
        scope = self._scope()
        narrowing = self.narrowing()
        if scope is None or narrowing is None:
            return None
        filters = [dict(condition) for condition in (where, scope, narrowing) if condition]
        if len(filters) > 1:
            return {"$and": filters}
        return filters[0] if filters else {}

    def _scope(self) -> Document | None:
        """Return the filter made of the caller's claims; None without any claim of `scope`."""
        caller = self.tx.caller
        if caller.system or "public" in self.scope:
            return {}
        held = [(caller.claim(claim), path) for claim, path in self.scope.items()]
        held = [(values, path) for values, path in held if values]
        if not held:
            return None
        return {path: {"$in": sorted(values)} for values, path in held if EVERYTHING not in values}

    def _sees(self, aggregate: A) -> bool:
        if self.tx.caller.system:
            return True
        return self._in_scope(aggregate) and self.admits(aggregate)

    def _in_scope(self, aggregate: A) -> bool:
        scope = self._scope()
        if scope is None:
            return False
        for path, allowed in scope.items():
            if _values_at(aggregate, path).isdisjoint(allowed["$in"]):
                return False
        return True


def _versioned(aggregate: A, version: int) -> A:
    return cast("A", replace(cast("Any", aggregate), version=version))


def _values_at(aggregate: Any, path: str) -> set[str]:
    """Return the values at a dotted path, which goes into the items of lists as in MongoDB."""
    values: list[Any] = [aggregate]
    for name in path.split("."):
        members = [_member(value, name) for value in values]
        values = [item for member in members for item in _items(member)]
    return {str(value) for value in values}


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return cast("Document", value).get(name)
    return getattr(value, "id" if name == "_id" else name)


def _items(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list, frozenset)):
        return list(cast("Iterable[Any]", value))
    return [] if value is None else [value]


def _audited(value: Any) -> Any:
    """Return a value in the form that audit rows store: plain, or text cut at 200 characters."""
    if isinstance(value, _PLAIN_TYPES) and not isinstance(value, Enum):
        return value
    return str(value)[:_MAX_AUDIT_TEXT]


def _plain_sort_value(value: Any) -> CursorValue:
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, _PLAIN_TYPES) else str(value)


def _after(name: str, direction: int, value: CursorValue, last_id: str) -> Document:
    """Return the filter for what follows this value and id.

    MongoDB compares values of one type only, and sorts null before all others.
    """
    beyond = "$gt" if direction == 1 else "$lt"
    if name == "_id":
        return {"_id": {beyond: last_id}}
    alternatives: list[Document] = [{name: value, "_id": {beyond: last_id}}]
    if value is not None:
        alternatives.append({name: {beyond: value}})
    if value is None and direction == 1:
        alternatives.append({name: {"$ne": None}})
    if value is not None and direction == -1:
        alternatives.append({name: None})
    return {"$or": alternatives}
