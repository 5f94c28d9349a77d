"""Replay and rebuild of projections."""

from __future__ import annotations

from chassis.admin.replay import rebuild
from chassis.app import database_setup
from chassis.persistence.mongo import Mongo
from tests.chassis.sample_service import (
    Jars,
    Notes,
)


async def test_a_rebuilt_projection_keeps_its_validator(db: Mongo) -> None:
    async def fill(mongo: Mongo, name: str) -> None:
        await mongo.insert(
            name, [{"_id": "a", "schema": 1, "version": 1, "owner_ref": "a", "texts": []}]
        )

    assert await rebuild(db, Notes, fill) == 1
    assert (await db.collections())["notes"] == database_setup.validator(Notes)
    assert Jars.collection in await db.collections()
