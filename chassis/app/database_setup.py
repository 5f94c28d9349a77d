"""Validators for schemas n and n-1, indexes, and the check of stored schemas at the start.

Not here: what documents mean, and how older ones are rewritten (migrations).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, cast

from chassis.app.migrations import Migration, migrate
from chassis.jobs import audit_sealer, backup_age
from chassis.jobs.key_rotation import KeysMissing
from chassis.messaging import inbox, outbox_relay
from chassis.persistence import transactions
from chassis.persistence.mongo import Document, Index, IndexDiffers, Mongo
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import Transaction

__all__ = [
    "OWN",
    "START_REFUSALS",
    "DocumentsUnreadable",
    "Migration",
    "check_schemas",
    "migrate",
    "prepare",
    "validator",
]

IDEMPOTENCY_SECONDS = 7 * 86_400

_BSON_TYPES: dict[Any, list[str]] = {
    str: ["string"],
    int: ["int", "long"],
    bool: ["bool"],
    datetime: ["date"],
    date: ["string"],
    bytes: ["binData"],
    dict: ["object"],
    tuple: ["array"],
    list: ["array"],
    set: ["array"],
    frozenset: ["array"],
    type(None): ["null"],
}

# The chassis's own collections with their indexes.
OWN: dict[str, tuple[Index, ...]] = {
    **dict.fromkeys(transactions.OWN_COLLECTIONS, ()),
    "outbox": outbox_relay.INDEXES,
    "idempotency": (Index("at", expire_seconds=IDEMPOTENCY_SECONDS),),
    "audit": (*audit_sealer.INDEXES, backup_age.INDEX),
    **inbox.INDEXES,
}


class DocumentsUnreadable(Exception):
    """The database holds documents that this version cannot read; the message says what to do."""


# A start cannot repair these; the message says what to do.
START_REFUSALS = (DocumentsUnreadable, IndexDiffers, KeysMissing)


def validator(store: type[Store[Any]]) -> Document:
    """Return the `$jsonSchema` of a store.

    Every field has its type. Schema n has all fields; schema n-1 may lack the new ones.
    """
    hints = typing.get_type_hints(store.kind)
    required = ["_id"]
    properties: dict[str, Document] = {}
    for field in fields(store.kind):
        name = "_id" if field.name == "id" else field.name
        bson_types = _bson_types(hints[field.name])
        if bson_types:
            properties[name] = {"bsonType": bson_types}
        if field.name != "id":
            required.append(field.name)
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


def _bson_types(hint: Any) -> list[str]:
    """Return the BSON types of a Python type; an empty list means any type."""
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        members = [_bson_types(member) for member in typing.get_args(hint)]
        if not all(members):
            return []
        return sorted({name for names in members for name in names})
    if origin is typing.Annotated:
        return _bson_types(typing.get_args(hint)[0])
    if origin is not None:
        return _BSON_TYPES.get(origin, [])
    if isinstance(hint, typing.NewType):
        return _bson_types(hint.__supertype__)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ["string"]
    if is_dataclass(cast("object", hint)):
        return ["object"]
    return _BSON_TYPES.get(hint, [])


async def check_schemas(
    db: Mongo, transaction: type[Transaction], migrations: Iterable[Migration]
) -> None:
    """Compare the stored documents with what this version reads. Raises DocumentsUnreadable.

    This version reads schemas n and n-1, and older ones that a migration brings to n. Documents
    are not read if the validator of their collection is already the one of schema n.
    """
    existing = await db.collections()
    oldest_migrated = {migration.collection: migration.from_schema for migration in migrations}
    for store in transaction.stores():
        collection = store.collection
        if collection not in existing or _schema_of(existing[collection]) == store.schema:
            continue
        groups = await db.aggregate(collection, [{"$group": {"_id": "$schema"}}])
        schemas = {group["_id"] for group in groups} or {store.schema}
        oldest_read = min(store.schema - 1, oldest_migrated.get(collection, store.schema))
        if max(schemas) > store.schema:
            raise DocumentsUnreadable(
                f"{collection} holds documents of schema {max(schemas)}; this version reads up to "
                f"schema {store.schema}. Start the version that wrote them, or restore a backup "
                "that was made before it."
            )
        if min(schemas) < oldest_read:
            raise DocumentsUnreadable(
                f"{collection} holds documents of schema {min(schemas)}; this version reads from "
                f"schema {oldest_read} on. First start an earlier version that migrates them."
            )


def _schema_of(stored_validator: Document | None) -> int:
    """Return the schema n of a stored validator; 0 without a validator."""
    if not stored_validator or not stored_validator.get("anyOf"):
        return 0
    [schema] = stored_validator["anyOf"][0]["properties"]["schema"]["enum"]
    return schema


async def prepare(db: Mongo, transaction: type[Transaction]) -> None:
    """Create or change all collections, validators and indexes of a service and of the chassis.

    Every replica may run it at each start, also at the same time as others.
    """
    existing = await db.collections()
    for name, indexes in OWN.items():
        await db.ensure_collection(name, None, indexes, existing)
    for store in transaction.stores():
        await db.ensure_collection(store.collection, validator(store), store.indexes, existing)
        if store.former_indexes and store.collection in existing:
            await db.drop_indexes(store.collection, store.former_indexes)
