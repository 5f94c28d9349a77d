"""Documents, queries, indexes and writes as plain values. Not here: execution (mongo)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Document = dict[str, Any]
Filter = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]

# The server takes 100,000 writes and 16 MiB a command; the rest of the command has some KiB.
MAX_COMMAND_WRITES = 100_000
MAX_COMMAND_BYTES = 15 * 1024 * 1024
STATEMENT_FIELDS = {"insert": "documents", "update": "updates", "delete": "deletes"}

# The kind of a write (insert, update, delete), and its element in the command of that name.
Write = tuple[str, Document]


def replacing(document: Document, *, upsert: bool = False) -> Write:
    """Return the write that replaces the document of this `_id`; `upsert` inserts a missing one."""
    return "update", {"q": {"_id": document["_id"]}, "u": document, "upsert": upsert}


def updating(id_: str | Document, update: Document, *, many: bool = False) -> Write:
    """Return the write that updates the document of this `_id`.

    With `many`, `id_` is a condition on `_id` and all that match it are updated.
    """
    return "update", {"q": {"_id": id_}, "u": update, "multi": many}


def deleting(id_: str) -> Write:
    """Return the write that deletes the document of this `_id`."""
    return "delete", {"q": {"_id": id_}, "limit": 1}


def write_commands(
    collection: str,
    writes: Iterable[Write | Document],
    bytes_of: Callable[[list[Document]], int],
    *,
    in_transaction: bool,
) -> list[Document]:
    """Return the commands for these writes, of each kind as few as the server's limits allow."""
    by_kind: dict[str, list[Document]] = {}
    for write in writes:
        kind, statement = write if isinstance(write, tuple) else ("insert", write)
        by_kind.setdefault(kind, []).append(statement)
    options: Document = {"ordered": False}
    if not in_transaction:
        options["writeConcern"] = {"w": "majority"}
    return [
        {kind: collection, STATEMENT_FIELDS[kind]: statements, **options}
        for kind, all_statements in by_kind.items()
        for statements in _split(all_statements, bytes_of)
    ]


def _split(
    statements: list[Document], bytes_of: Callable[[list[Document]], int]
) -> list[list[Document]]:
    """Return the statements in parts within the limits of a command."""
    fits = len(statements) <= MAX_COMMAND_WRITES and bytes_of(statements) <= MAX_COMMAND_BYTES
    if fits or len(statements) == 1:
        return [statements]
    middle = len(statements) // 2
    return _split(statements[:middle], bytes_of) + _split(statements[middle:], bytes_of)


class Query(NamedTuple):
    """A query on one collection: filter, projection and limit (0 = all documents)."""

    where: Filter
    fields: Mapping[str, Any] | None = None
    limit: int = 0

    def joined_from(self, collection: str) -> Document:
        """Return the stage that puts the result into a field of the collection's name."""
        pipeline: list[Document] = [{"$match": self.where}]
        if self.limit:
            pipeline.append({"$limit": self.limit})
        if self.fields:
            pipeline.append({"$project": self.fields})
        return {"$lookup": {"from": collection, "pipeline": pipeline, "as": collection}}


@dataclass(frozen=True, slots=True, init=False)
class Index:
    """An index of a collection; fields are ascending unless given as (field, -1)."""

    fields: tuple[str | tuple[str, int], ...]
    unique: bool
    where: Mapping[str, Any] | None
    expire_seconds: int | None

    def __init__(
        self,
        *fields: str | tuple[str, int],
        unique: bool = False,
        where: Mapping[str, Any] | None = None,
        expire_seconds: int | None = None,
    ) -> None:
        # A frozen dataclass with an `__init__` of its own has to set its attributes this way.
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "unique", unique)
        object.__setattr__(self, "where", where)
        object.__setattr__(self, "expire_seconds", expire_seconds)

    @property
    def keys(self) -> list[tuple[str, int]]:
        """Return the fields with their directions."""
        return [(field, 1) if isinstance(field, str) else field for field in self.fields]

    @property
    def name(self) -> str:
        """Return the index's name, made of its fields, directions and uniqueness."""
        parts = [field if direction == 1 else f"{field}_desc" for field, direction in self.keys]
        if self.unique:
            parts.append("unique")
        return "_".join(parts)

    @property
    def options(self) -> Document:
        """Return the options with which the index is created."""
        options: Document = {"name": self.name, "unique": self.unique}
        if self.where:
            options["partialFilterExpression"] = dict(self.where)
        if self.expire_seconds is not None:
            options["expireAfterSeconds"] = self.expire_seconds
        return options
