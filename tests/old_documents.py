"""Documents as older versions stored them, and the start of a version on them.

Not here: the documents, which lie in `old_documents/` beside the tests of each service.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from bson import json_util

from chassis.app import database_setup
from chassis.app.migrations import Migration, migrate
from chassis.persistence.mongo import Document, Mongo
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import StoreOf, Transaction

_OPTIONS = json_util.JSONOptions(tz_aware=True)


def load(path: Path) -> list[Document]:
    """Return the documents of a dump in MongoDB's Extended JSON, as `mongoexport` writes it."""
    return json_util.loads(path.read_text(), json_options=_OPTIONS)


def transaction_of(*stores: type[Store[Any]]) -> type[Transaction]:
    """Return a unit of work that lists these stores only."""
    listed: dict[str, Any] = {store.collection: StoreOf(store) for store in stores}
    return type("ListedTransaction", (Transaction,), listed)


@asynccontextmanager
async def database_with(
    mongo_url: str, collection: str, documents: Sequence[Document]
) -> AsyncGenerator[Mongo]:
    """Give a new database that holds these documents; it is dropped afterwards."""
    db = Mongo(mongo_url, f"test_{uuid.uuid4().hex[:20]}", "pymongo")
    try:
        await db.insert(collection, documents)
        yield db
    finally:
        await db.drop()
        await db.close()


async def start(db: Mongo, transaction: type[Transaction], migrations: Iterable[Migration]) -> None:
    """Do what a process does with its database before it serves."""
    listed = list(migrations)
    await database_setup.check_schemas(db, transaction, listed)
    await database_setup.prepare(db, transaction)
    await migrate(db, listed, "test")


async def check_upgrade(
    mongo_url: str,
    store: type[Store[Any]],
    migrations: Sequence[Migration],
    path: Path,
    *,
    changed: frozenset[str] = frozenset(),
) -> list[Any]:
    """Start on a dump and return the aggregates; every document must be as a new one is.

    The migration must change no field that the old document had, except those `changed`, and not
    its version.
    """
    old = load(path)
    [migration] = [item for item in migrations if item.collection == store.collection]
    async with database_with(mongo_url, store.collection, old) as db:
        await start(db, transaction_of(store), [migration])
        upgraded = await db.find(store.collection, {}, sort=[("_id", 1)])
        required = {"$jsonSchema": database_setup.validator(store)["anyOf"][0]}
        assert await db.count(store.collection, required) == len(old)
    for before, after in zip(sorted(old, key=_id), upgraded, strict=True):
        assert after["schema"] == store.schema
        exempt = {name: before[name] for name in changed | {"schema"}}
        assert {name: after[name] for name in before} | exempt == before
    reading = store(tx=cast("Any", None))
    return [reading.aggregate(document) for document in upgraded]


def _id(document: Document) -> str:
    return document["_id"]
