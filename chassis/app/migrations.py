"""Migrations of stored documents: resumable, run by one replica before any of them serves.

Not here: validators and indexes (database_setup), and the migrations of a service, which lie in
its `migrations.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.persistence.lease import Lease
from chassis.persistence.mongo import (
    Document,
    Mongo,
    Session,
    TransactionConflict,
    deleting,
    replacing,
)
from chassis.persistence.store import Store

PAGE_DOCUMENTS = 200
LEASE_SECONDS = 60.0
WAIT_SECONDS = 1.0

# Converts a document to the next schema. The migration sets the field `schema` itself.
Upgrade = Callable[[Document], Document]


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of stored documents.

    `step(db, after)` changes the next page after the id `after` and returns its last id, or None
    when there is no more. A migration that raises a collection's schema names the collection, the
    `schema` that it leads to, and the oldest schema that it can read (`from_schema`).
    """

    name: str
    step: Callable[[Mongo, str], Awaitable[str | None]]
    collection: str = ""
    from_schema: int = 0
    schema: int = 0


def upgrade_documents(store: type[Store[Any]], upgrades: Mapping[int, Upgrade]) -> Migration:
    """Return the migration that rewrites older documents of a store, page by page.

    `upgrades` maps each schema to the function that converts a document of the schema before to
    it. Raises ValueError if a schema between the oldest one and the store's is missing.
    """
    oldest = min(upgrades)
    if sorted(upgrades) != list(range(oldest, store.schema + 1)):
        raise ValueError(
            f"{store.collection}: needs an upgrade for each schema from {oldest} to {store.schema}"
        )
    return Migration(
        name=f"{store.collection}-{store.schema}",
        step=_DocumentUpgrade(store, dict(upgrades)),
        collection=store.collection,
        from_schema=oldest - 1,
        schema=store.schema,
    )


def add_fields(**fields: Any) -> Upgrade:
    """Return an upgrade that adds these fields with these values."""
    return lambda document: fields | document


def move_documents(source: str, store: type[Store[Any]]) -> Migration:
    """Return the migration that moves all documents of a renamed collection into a store's."""
    if source == store.collection:
        raise ValueError(f"{source}: source and target are the same collection")
    return Migration(f"{source}-to-{store.collection}", _CollectionMove(source, store.collection))


@dataclass(frozen=True, slots=True)
class _DocumentUpgrade:
    store: type[Store[Any]]
    upgrades: Mapping[int, Upgrade]

    async def __call__(self, db: Mongo, after: str) -> str | None:
        async def upgrade_page(session: Session) -> str | None:
            where = {"_id": {"$gt": after}, "schema": {"$lt": self.store.schema}}
            documents = await _find_page(db, self.store.collection, where, session)
            writes = [replacing(self._upgraded(document)) for document in documents]
            await db.bulk(self.store.collection, writes, session=session)
            return documents[-1]["_id"] if documents else None

        return await _until_committed(db, upgrade_page)

    def _upgraded(self, document: Document) -> Document:
        upgraded = document
        for schema in range(document["schema"] + 1, self.store.schema + 1):
            upgraded = self.upgrades[schema](upgraded) | {"schema": schema}
        return upgraded


@dataclass(frozen=True, slots=True)
class _CollectionMove:
    source: str
    target: str

    async def __call__(self, db: Mongo, after: str) -> str | None:
        async def move_page(session: Session) -> str | None:
            documents = await _find_page(db, self.source, {"_id": {"$gt": after}}, session)
            copies = [replacing(document, upsert=True) for document in documents]
            deletions = [deleting(document["_id"]) for document in documents]
            await db.write({self.target: copies, self.source: deletions}, session=session)
            return documents[-1]["_id"] if documents else None

        # Results that are stored under idempotency keys also name the collection.
        renamed = {"$set": {"collection": self.target}}
        await db.update("idempotency", {"collection": self.source}, renamed, many=True)
        return await _until_committed(db, move_page)


async def _find_page(
    db: Mongo, collection: str, where: Mapping[str, Any], session: Session
) -> list[Document]:
    return await db.find(
        collection, where, sort=[("_id", 1)], limit=PAGE_DOCUMENTS, session=session
    )


async def _until_committed(
    db: Mongo, body: Callable[[Session], Awaitable[str | None]]
) -> str | None:
    while True:
        try:
            return await db.transact(body)
        except TransactionConflict:
            await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - jitter


async def migrate(db: Mongo, migrations: Iterable[Migration], holder: str) -> None:
    """Run the migrations that have not run, in order.

    One replica runs a migration while the others wait. After a crash the migration continues after
    its last page.
    """
    for migration in migrations:
        lease = Lease(db, f"migration/{migration.name}", holder, seconds=LEASE_SECONDS)
        while not await _is_done(db, lease):
            if await lease.take():
                await _run_step(db, migration, lease)
            else:
                await asyncio.sleep(WAIT_SECONDS)


async def _is_done(db: Mongo, lease: Lease) -> bool:
    row = await db.find_one("leases", {"_id": lease.name})
    return row is not None and row.get("done", False)


async def _run_step(db: Mongo, migration: Migration, lease: Lease) -> None:
    row = await db.find_one("leases", {"_id": lease.name}) or {}
    after: str = row.get("after", "")
    last_id = await migration.step(db, after)
    progress = {"after": last_id or after, "done": last_id is None}
    await db.update("leases", {"_id": lease.name, "token": lease.token}, {"$set": progress})
