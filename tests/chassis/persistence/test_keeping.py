"""Transactions, leases, migrations and settings beside the plain path: each test shows one way in which something could be lost, doubled or hidden."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from chassis.app import database_setup
from chassis.caller import system
from chassis.ids import new_id
from chassis.jobs.runner import Job, JobLoop
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Mongo
from chassis.persistence.store import Store
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext, StoreOf
from chassis.persistence.unit_of_work import Transaction as UnitOfWork
from chassis.settings import SettingsInvalid
from tests.chassis.harness import Harness, added, runner
from tests.chassis.sample_service import (
    Jar,
    JarFilled,
    Note,
    ShopSettings,
    Transaction,
)
from tests.fakes import eventually

ASKED_OFTEN = 12


# The unit of work


async def test_what_was_merged_before_leads_to_the_last_survivor_in_either_order(db: Mongo) -> None:
    for merges in ((("a", "b"), ("b", "c")), (("b", "c"), ("a", "b"))):
        await db.delete("aliases", {})

        async def merge_all(tx: Transaction, merges: Any = merges) -> None:
            for one, into in merges:
                await tx.alias(one, into)

        await runner(db)(merge_all)
        assert await runner(db)(lambda tx: tx.resolve("a")) == "c", merges


async def test_an_alias_of_an_event_that_failed_is_forgotten_with_it(db: Mongo) -> None:
    async def work(tx: Transaction) -> str:
        await tx.resolve("a")
        before = tx.savepoint()
        await tx.alias("a", "b")
        assert tx.rollback(before)
        return await tx.resolve("a")

    assert await runner(db)(work) == "a"


async def test_aggregates_of_two_kinds_with_one_id_may_both_tell_events(db: Mongo) -> None:
    id_ = new_id()

    async def make(tx: Transaction) -> None:
        tx.jars.add(
            Jar(id=id_, owner_ref=id_, room="north"),
            [JarFilled(owner_ref=id_, jar_id=id_, marbles=1)],
        )
        tx.notes.add(Note(id=id_, owner_ref=id_), [JarFilled(owner_ref=id_, jar_id=id_, marbles=2)])

    await runner(db, 2)(make)
    assert await db.count("outbox", {"key": id_}) == 2


async def test_a_document_flushed_removed_and_added_again_in_one_transaction_is_there(
    db: Mongo,
) -> None:
    async def work(tx: Transaction) -> None:
        one = tx.jars.add(Jar(id="x", owner_ref="x", room="north"))
        await tx.flush()
        tx.jars.remove(one)
        tx.jars.add(Jar(id="x", owner_ref="y", room="north"))

    await runner(db)(work)
    assert [row["owner_ref"] for row in await db.find("jars", {})] == ["y"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    id: str
    rank: int | None = None
    version: int = 0


class Boxes(Store[Box]):
    kind = Box
    collection = "boxes"
    scope: ClassVar = {"public": ""}


class Shelf(UnitOfWork):
    boxes = StoreOf(Boxes)


@pytest.mark.parametrize("direction", [1, -1])
async def test_pages_lose_nothing_where_the_sorted_field_is_empty(
    db: Mongo, direction: int
) -> None:
    async def fill(tx: Shelf) -> None:
        for number in range(6):
            tx.boxes.add(Box(id=f"b{number}", rank=None if number % 2 else number))

    await runner(db, transaction=Shelf)(fill)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await runner(db, transaction=Shelf)(
            lambda tx, cursor=cursor: tx.boxes.page(
                {}, sort=("rank", direction), cursor=cursor, limit=2
            )
        )
        seen += [box.id for box in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [f"b{number}" for number in range(6)]


async def test_transactions_cut_off_by_their_deadline_leave_all_or_nothing_and_nothing_open(
    db: Mongo,
) -> None:
    async def pair(tx: Transaction, number: int) -> None:
        tx.jars.add(Jar(id=f"j{number}", owner_ref="x", room="north"))
        await tx.flush()
        tx.notes.add(Note(id=f"j{number}", owner_ref="x"))

    engine: TransactionManager[Transaction] = TransactionManager(db, Transaction)
    runs = [
        Runner(
            engine,
            OperationContext(caller=system("shop"), correlation_id=new_id()),
            0.002 + 0.001 * (number % 12),
        )
        for number in range(120)
    ]
    await asyncio.gather(
        *(run(lambda tx, number=number: pair(tx, number)) for number, run in enumerate(runs)),
        return_exceptions=True,
    )
    await runner(db)(lambda tx: added(tx, Jar(id="after", owner_ref="x", room="north")))
    jars = {row["_id"] for row in await db.find("jars", {})} - {"after"}
    assert jars == {row["_id"] for row in await db.find("notes", {})}


# Leases, migrations, rebuilds


async def test_a_job_that_outlasts_its_lease_is_not_done_by_two(db: Mongo) -> None:
    engine: TransactionManager[Transaction] = TransactionManager(db, Transaction)
    at_work, most, asked = 0, 0, 0
    enough = asyncio.Event()

    async def work(_run: Runner[Any]) -> bool:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        try:
            await enough.wait()
        finally:
            at_work -= 1
        return False

    class Counted(Lease):
        async def take(self) -> bool:
            nonlocal asked
            asked += 1
            return await super().take()

    loops = [JobLoop(engine, Job("long", work, every=1), "shop", replica) for replica in ("a", "b")]
    for loop, replica in zip(loops, "ab", strict=True):
        loop._lease = Counted(db, "job/long", f"shop/{replica}", 0.5)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    tasks = [asyncio.create_task(loop.run()) for loop in loops]

    async def asked_often() -> bool:
        return asked >= ASKED_OFTEN

    await eventually(asked_often)  # long after the lease was first taken
    for loop in loops:
        loop.stop()
    enough.set()
    await asyncio.gather(*tasks)
    assert most == 1


async def test_a_replica_waits_for_the_migration_that_another_runs(db: Mongo) -> None:
    assert await Lease(db, "migration/pages", "other", 60).take()

    async def step(_mongo: Mongo, _after: str) -> str | None:
        raise AssertionError("another runs it")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await database_setup.migrate(db, [database_setup.Migration("pages", step)], "mine")


# HTTP, settings, logs


async def test_a_json_body_beyond_the_limit_is_413(scene: Harness) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"id": "'
        for _ in range(33):
            yield b"x" * 1024 * 1024

    answer = await scene.client.post(
        "/v1/jars", content=body(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_settings_name_a_missing_directory_of_keys_and_a_short_audit_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "MONGO_URL": "mongodb://secret-host",
        "SIGNING_KEY": "secret-pem",
        "TRUSTED_KEYS": "/nowhere-at-all",
        "AUDIT_KEY": "11",
        "PORT": "x",
    }.items():
        monkeypatch.setenv(f"SHOP_{name}", value)
    with pytest.raises(SettingsInvalid) as told:
        ShopSettings.load()
    assert all(
        name in str(told.value) for name in ("SHOP_TRUSTED_KEYS", "SHOP_AUDIT_KEY", "SHOP_PORT")
    )
    assert "secret" not in str(told.value)
