"""Migrations run once, by one replica, and continue after an interruption."""

from __future__ import annotations

import asyncio

import pytest

from chassis.app import migrations
from chassis.app.migrations import Migration, migrate, upgrade_documents
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Mongo
from tests import old_documents
from tests.chassis.app.test_database_setup import UPGRADES, Boxes, ListedTransaction, box


async def test_a_replica_waits_for_the_migration_that_another_runs(db: Mongo) -> None:
    assert await Lease(db, "migration/pages", "other", 60).take()

    async def step(_mongo: Mongo, _after: str) -> str | None:
        raise AssertionError("another runs it")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await migrate(db, [Migration("pages", step)], "mine")


async def test_a_migration_runs_once(db: Mongo) -> None:
    runs: list[str] = []

    async def step(_mongo: Mongo, after: str) -> str | None:
        runs.append(after)
        return None if after else "last"

    for _ in range(2):
        await migrate(db, [Migration("pages", step)], "mine")
    assert runs == ["", "last"]


async def test_an_interrupted_upgrade_goes_on(
    mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PAGE_DOCUMENTS", 2)
    boxes = [box(1) | {"_id": name} for name in "abcde"]
    upgrade = upgrade_documents(Boxes, UPGRADES)
    async with old_documents.database_with(mongo_url, "boxes", boxes) as db:
        assert await upgrade.step(db, "") == "b"
        assert await db.count("boxes", {"schema": 1}) == 3
        await old_documents.start(db, ListedTransaction, [upgrade])
        assert await db.count("boxes", {"schema": 3, "label": "none", "color": "red"}) == 5


def test_upgrades_without_a_gap_lead_to_the_schema_of_the_store() -> None:
    with pytest.raises(ValueError, match="boxes"):
        upgrade_documents(Boxes, {2: UPGRADES[2]})


async def test_a_migration_goes_on_after_a_crash_and_runs_once(
    db: Mongo,
) -> None:
    await db.insert("pages", [{"_id": f"{number:02}"} for number in range(10)])
    crash = True

    async def step(mongo: Mongo, after: str) -> str | None:
        page = await mongo.find("pages", {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=3)
        if crash and after == "02":
            raise ConnectionError
        for row in page:
            await mongo.update("pages", {"_id": row["_id"]}, {"$inc": {"times": 1}})
        return page[-1]["_id"] if page else None

    with pytest.raises(ConnectionError):
        await migrate(db, [Migration("pages", step)], "a")
    crash = False
    for _ in range(2):
        await migrate(db, [Migration("pages", step)], "a")
    assert {row["times"] for row in await db.find("pages", {})} == {1}


async def test_a_replica_that_lost_the_migration_writes_no_progress(db: Mongo) -> None:
    """Another has taken the lease during its step and is ahead."""
    lease = Lease(db, "migration/pages", "slow", 60)
    other = Lease(db, "migration/pages", "other", 60)

    async def step(mongo: Mongo, _after: str) -> str | None:
        await mongo.update("leases", {"_id": lease.name}, [{"$set": {"until": "$$NOW"}}])
        assert await other.take()
        await mongo.update("leases", {"_id": lease.name}, {"$set": {"after": "09"}})
        return "02"

    assert await lease.take()
    run_step = migrations._run_step  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    await run_step(db, Migration("pages", step), lease)
    row = await db.find_one("leases", {"_id": lease.name}) or {}
    assert row["after"] == "09"
