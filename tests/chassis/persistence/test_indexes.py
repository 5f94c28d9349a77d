"""Declared indexes: a changed life of documents is applied, other changes stop the start."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.app.lifespan import ServiceRuntime
from chassis.persistence.mongo import Index, IndexDiffers, Mongo
from tests.chassis.harness import Harness
from tests.fakes import eventually

AT = Index("at", expire_seconds=604_800)


async def ensure(db: Mongo, index: Index) -> dict[str, Any]:
    """Declare an index and return how MongoDB has it."""
    await db.ensure_collection("boxes", None, [index], await db.collections())
    stored = await db.aggregate("boxes", [{"$indexStats": {}}])
    return next(one["spec"] for one in stored if one["name"] == index.name)


@pytest.mark.parametrize("before", [AT, Index("at")])
async def test_a_changed_life_of_documents_is_applied(db: Mongo, before: Index) -> None:
    await ensure(db, before)
    stored = await ensure(db, Index("at", expire_seconds=60))
    assert stored["expireAfterSeconds"] == 60


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (AT, Index("at")),
        (Index("at", where={"at": {"$gt": 1}}), Index("at")),
        (Index("at"), Index("at", where={"at": {"$gt": 1}})),
        (Index("at", where={"at": {"$gt": 1}}), Index("at", where={"at": {"$gt": 2}})),
    ],
)
async def test_another_change_of_an_index_is_refused_with_what_to_do(
    db: Mongo, before: Index, after: Index
) -> None:
    await ensure(db, before)
    with pytest.raises(IndexDiffers, match=r"boxes: the index at .* db\.boxes\.dropIndex\('at'\)"):
        await ensure(db, after)


async def test_an_unchanged_index_is_taken_again(db: Mongo) -> None:
    index = Index("kind", ("at", -1), where={"kind": {"$in": ["a", "b"]}, "n": {"$gt": 2**40}})
    await ensure(db, index)
    await ensure(db, index)


async def test_a_service_does_not_start_beside_a_different_index(harness: Harness) -> None:
    life = ServiceRuntime(harness.life.service)
    await life.db.db["jars"].drop_index("owner_ref")
    await life.db.db["jars"].create_index(
        [("owner_ref", 1)], name="owner_ref", partialFilterExpression={"marbles": {"$gt": 1}}
    )
    async with life.lifespan(None):
        await eventually(lambda: life.fatal, seconds=60)
    assert "jars: the index owner_ref" in life.fatal
    await harness.db.db["jars"].drop_index("owner_ref")


async def test_an_index_of_an_earlier_version_is_dropped_once(db: Mongo) -> None:
    await ensure(db, Index("kind", unique=True))
    for _ in range(2):
        await db.drop_indexes("boxes", ["kind_unique", "never_there"])
    stored = await db.aggregate("boxes", [{"$indexStats": {}}])
    assert [one["name"] for one in stored] == ["_id_"]
