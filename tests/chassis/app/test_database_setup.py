"""Validators, indexes, and stored documents that stop a start."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from chassis.app import database_setup
from chassis.app.database_setup import DocumentsUnreadable
from chassis.app.migrations import Migration, add_fields, upgrade_documents
from chassis.persistence.mongo import Document, DocumentRefused, Mongo, updating
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import Transaction
from tests import old_documents

TESTS = Path(__file__).parents[2]
HOLD = {"$inc": {"held": 1}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    id: str
    label: str = ""
    color: str = ""
    version: int = 0


class Boxes(Store[Box]):
    """The store of a shape that changed twice: schema 2 added `label`, schema 3 `color`."""

    kind = Box
    collection = "boxes"
    scope: ClassVar = {"public": ""}
    schema = 3


ListedTransaction = old_documents.transaction_of(Boxes)
UPGRADES = {2: add_fields(label="none"), 3: add_fields(color="red")}


def box(schema: int, **fields: Any) -> Document:
    return {"_id": f"box-{schema}", "version": 1, "schema": schema, **fields}


async def prepared(db: Mongo) -> None:
    await database_setup.prepare(db, ListedTransaction)


async def test_a_hold_on_a_document_of_schema_n_minus_1_passes(mongo_url: str) -> None:
    async with old_documents.database_with(mongo_url, "boxes", [box(2, label="a")]) as db:
        await prepared(db)
        await db.bulk("boxes", [updating("box-2", HOLD)])
        assert await db.count("boxes", {"held": 1}) == 1


async def test_a_hold_on_a_document_of_schema_n_minus_2_is_refused(mongo_url: str) -> None:
    async with old_documents.database_with(mongo_url, "boxes", [box(1)]) as db:
        await prepared(db)
        with pytest.raises(DocumentRefused):
            await db.bulk("boxes", [updating("box-1", HOLD)])


async def test_a_start_brings_documents_of_all_schemas_to_the_newest(mongo_url: str) -> None:
    old = [box(1), box(2, label="a"), box(3, label="b", color="blue")]
    async with old_documents.database_with(mongo_url, "boxes", old) as db:
        await old_documents.start(db, ListedTransaction, [upgrade_documents(Boxes, UPGRADES)])
        assert await db.find("boxes", {}, sort=[("_id", 1)]) == [
            box(3, label="none", color="red") | {"_id": "box-1"},
            box(3, label="a", color="red") | {"_id": "box-2"},
            box(3, label="b", color="blue"),
        ]


async def test_a_start_refuses_documents_of_a_newer_schema(mongo_url: str) -> None:
    async with old_documents.database_with(mongo_url, "boxes", [box(4)]) as db:
        with pytest.raises(DocumentsUnreadable, match=r"schema 4; this version .* up to schema 3"):
            await old_documents.start(db, ListedTransaction, [])


async def test_a_start_refuses_older_documents_without_a_migration(mongo_url: str) -> None:
    async with old_documents.database_with(mongo_url, "boxes", [box(1)]) as db:
        with pytest.raises(DocumentsUnreadable, match="schema 1; this version reads from schema 2"):
            await old_documents.start(db, ListedTransaction, [])


async def test_a_start_after_a_return_to_an_older_version_is_refused(mongo_url: str) -> None:
    class OlderBoxes(Boxes):
        schema = 2

    async with old_documents.database_with(mongo_url, "boxes", [box(3, label="", color="")]) as db:
        await old_documents.start(db, ListedTransaction, [])
        with pytest.raises(DocumentsUnreadable, match="restore a backup"):
            await old_documents.start(db, old_documents.transaction_of(OlderBoxes), [])


def services() -> Iterator[tuple[type[Transaction], tuple[Migration, ...], Path]]:
    """Yield unit of work, migrations and folder of dumps of every service."""
    names = [(f"services.{name}", name) for name in ("certification", "manpower")]
    names += [(f"services.{name}", name) for name in ("marketplace", "training")]
    for module, name in [*names, ("gateway.access", "gateway")]:
        transaction = importlib.import_module(f"{module}.transaction").Transaction
        try:
            migrations = importlib.import_module(f"{module}.migrations").MIGRATIONS
        except ModuleNotFoundError:
            migrations = ()
        yield transaction, migrations, TESTS / name / "old_documents"


def test_every_raised_schema_has_a_migration_with_a_dump() -> None:
    missing: list[str] = []
    for transaction, migrations, dumps in services():
        leads_to = {migration.collection: migration for migration in migrations}
        for store in transaction.stores():
            if store.schema == 1:
                continue
            migration = leads_to.get(store.collection)
            if migration is None or (migration.from_schema, migration.schema) != (1, store.schema):
                missing.append(f"{store.collection}: no migration from 1 to {store.schema}")
            missing += [
                f"{store.collection}: no dump of schema {schema}"
                for schema in range(1, store.schema)
                if not (dumps / f"{store.collection}-{schema}.json").exists()
            ]
    assert missing == []


@pytest.mark.parametrize(
    ("collection", "field", "days"), [("inbox", "done_at", 45), ("idempotency", "at", 7)]
)
async def test_rows_expire_after_their_days(
    db: Mongo, collection: str, field: str, days: int
) -> None:
    indexes = await db.db.command("listIndexes", collection)
    expiries = {
        tuple(index["key"]): index.get("expireAfterSeconds")
        for index in indexes["cursor"]["firstBatch"]
    }
    assert expiries[field,] == days * 86_400
