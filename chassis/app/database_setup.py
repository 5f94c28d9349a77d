"""How collections are kept: validators for versions n and n-1, indexes, resumable migrations. Not here: what the documents say."""

from __future__ import annotations

import asyncio
import types
import typing
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, cast

from chassis.jobs import audit_sealer
from chassis.messaging import inbox, outbox_relay
from chassis.persistence import transactions
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Document, Index, Mongo
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import Transaction

_KINDS: dict[Any, list[str]] = {
    str: ["string"],
    int: ["int", "long"],
    bool: ["bool"],
    datetime: ["date"],
    date: ["string"],
    bytes: ["binData"],
}


def validator(store: type[Store[Any]]) -> Document:
    """The `$jsonSchema` of a store: every field has its type; version n has all fields, n-1 may lack the new ones."""
    properties = {
        ("_id" if field.name == "id" else field.name): {"bsonType": kinds}
        for field in fields(store.kind)
        if (kinds := _bson(_hints(store.kind)[field.name]))
    }
    required = ["_id", *(field.name for field in fields(store.kind) if field.name != "id")]
    versions: list[Document] = [
        {"properties": {"schema": {"enum": [store.schema]}}, "required": required}
    ]
    if store.schema > 1:
        versions.append({"properties": {"schema": {"enum": [store.schema - 1]}}})
    return {
        "bsonType": "object",
        "required": ["_id", "schema", "version"],
        "properties": properties | {"schema": {"bsonType": ["int"]}},
        "anyOf": versions,
    }


def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _bson(hint: Any) -> list[str]:
    """The BSON types of a Python type; empty = not constrained."""
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        inner = [_bson(part) for part in typing.get_args(hint)]
        return sorted({name for names in inner for name in names}) if all(inner) else []
    if origin is typing.Annotated:
        return _bson(typing.get_args(hint)[0])
    if origin is not None:
        return (
            ["object"]
            if origin is dict
            else ["array"]
            if origin in {tuple, list, frozenset, set}
            else []
        )
    if isinstance(hint, typing.NewType):
        return _bson(hint.__supertype__)
    if hint is type(None):
        return ["null"]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ["string"]
    if is_dataclass(cast("object", hint)):
        return ["object"]
    return _KINDS.get(
        hint,
        ["array"] if hint in {tuple, list, frozenset, set} else ["object"] if hint is dict else [],
    )


OWN: dict[str, tuple[Index, ...]] = {
    **dict.fromkeys(transactions.OWN_COLLECTIONS, ()),
    "outbox": outbox_relay.INDEXES,
    "idempotency": (Index("at", expire_seconds=7 * 86_400),),
    "audit": audit_sealer.INDEXES,
    **inbox.INDEXES,
}


async def prepare(db: Mongo, transaction: type[Transaction]) -> None:
    """Make every collection of the service be as its code says: its own and the chassis'. Safe to run at every start, by several replicas."""
    known = await db.collections()
    for name, indexes in OWN.items():
        await db.ensure_collection(name, None, indexes, known)
    for store in transaction.stores():
        await db.ensure_collection(store.collection, validator(store), store.indexes, known)


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of stored documents. `step(db, after)` changes the next page behind the id `after` and returns its last id; None when there is no more."""

    name: str
    step: Callable[[Mongo, str], Awaitable[str | None]]


async def migrate(db: Mongo, migrations: Iterable[Migration], holder: str) -> None:
    """Run the migrations that have not run, in order, by one replica at a time while the others wait; after a crash each goes on behind its last page."""
    for migration in migrations:
        lease = Lease(db, f"migration/{migration.name}", holder, seconds=60)
        while not (await db.find_one("leases", {"_id": lease.name}) or {}).get("done"):
            if not await lease.take():
                await asyncio.sleep(1)
                continue
            row = await db.find_one("leases", {"_id": lease.name}) or {}
            last = await migration.step(db, row.get("after", ""))
            await db.update(
                "leases",
                {"_id": lease.name, "token": lease.token},
                {"$set": {"after": last or row.get("after", ""), "done": last is None}},
            )
