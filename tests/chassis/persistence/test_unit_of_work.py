"""The unit of work on real MongoDB: savepoints, write skew, retries, locks, leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from chassis.app import database_setup
from chassis.caller import system
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.messaging.events import Event
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import DocumentRefused, Driver, Mongo
from chassis.persistence.transactions import KeyedLocks, Runner, TransactionManager
from chassis.persistence.unit_of_work import EventTooLarge, OperationContext
from tests.chassis.sample_service import Jar, JarFilled, JarFull, Transaction, fill_jar, make_jar
from tests.fakes import Keys, eventually


@pytest.fixture(params=["motor", "pymongo"])
async def db(
    request: pytest.FixtureRequest, mongo_url: str, database: str, tmp_path: Path
) -> AsyncIterator[Mongo]:
    url = Keys(tmp_path, {"shop": ""}).settings(
        "shop", mongo_url=mongo_url, database=database, kafka=""
    )["mongo_url"]
    one = Mongo(url, database, cast("Driver", request.param))
    await database_setup.prepare(one, Transaction)
    yield one
    await one.close()


@pytest.fixture
def run(db: Mongo) -> Runner[Transaction]:
    return runner(db)


def runner(db: Mongo, seconds: float = 10) -> Runner[Transaction]:
    return Runner(
        TransactionManager(db, Transaction),
        OperationContext(caller=system("shop"), correlation_id=new_id()),
        seconds,
    )


def jar(**more: object) -> Jar:
    made = Jar(id=new_id(), owner_ref=new_id(), room="north")
    return replace(made, **more)  # pyright: ignore[reportArgumentType]


async def test_a_rollback_undoes_writes_events_and_audit_rows_since(
    db: Mongo, run: Runner[Transaction]
) -> None:
    kept = jar()
    lost = jar()

    async def work(tx: Transaction) -> None:
        tx.jars.add(kept)
        before = tx.savepoint()
        tx.jars.add(lost, [JarFilled(owner_ref=lost.owner_ref, jar_id=lost.id, marbles=1)])
        tx.jars.save(await tx.jars.get(kept.id), replace(kept, marbles=9))
        assert tx.rollback(before)
        assert await tx.jars.seek(lost.id) is None
        assert (await tx.jars.get(kept.id)).marbles == 0

    await run(work)
    assert [one["_id"] for one in await db.find("jars", {})] == [kept.id]
    assert await db.find("outbox", {}) == []
    assert [row["subject"] for row in await db.find("audit", {})] == [kept.id]


async def test_a_rollback_over_a_flush_says_that_only_an_abort_helps(
    run: Runner[Transaction],
) -> None:
    async def work(tx: Transaction) -> bool:
        before = tx.savepoint()
        tx.jars.add(jar())
        await tx.jars.find({"room": "north"})
        return tx.rollback(before)

    assert await run(work) is False


async def test_a_query_sees_what_the_transaction_has_buffered(run: Runner[Transaction]) -> None:
    async def work(tx: Transaction) -> tuple[int, int, int]:
        one = tx.jars.add(jar(marbles=1))
        first = await tx.jars.count({"marbles": 1})
        two = tx.jars.save(one, replace(one, marbles=2))
        second = len(await tx.jars.find({"marbles": 2}))
        tx.jars.remove(two)
        return first, second, await tx.jars.count({})

    assert await run(work) == (1, 1, 0)


async def test_an_insert_and_its_changes_in_one_transaction_are_one_insert(
    db: Mongo, run: Runner[Transaction]
) -> None:
    async def work(tx: Transaction) -> Jar:
        one = tx.jars.add(jar())
        one = tx.jars.save(one, replace(one, marbles=1))
        return tx.jars.save(one, replace(one, marbles=2))

    saved = await run(work)
    assert (saved.version, (await db.find("jars", {}))[0]["version"]) == (3, 3)


async def test_held_documents_stop_write_skew_and_without_hold_it_would_happen(db: Mongo) -> None:
    held = WriteSkew(db, has_hold=True)
    assert await held.marbles_added() == 0
    unheld = WriteSkew(db, has_hold=False)
    assert await unheld.marbles_added() == 1


class WriteSkew:
    """A filling of one jar that depends on another jar, which is emptied at the same time."""

    def __init__(self, db: Mongo, *, has_hold: bool) -> None:
        self.db = db
        self.has_hold = has_hold
        self.condition = jar(marbles=1)
        self.target = jar()
        self.is_read = asyncio.Event()
        self.is_emptied = asyncio.Event()

    async def marbles_added(self) -> int:
        """Run both transactions and return the marbles that the filling added."""
        await runner(self.db)(lambda tx: _add(tx, self.condition, self.target))
        results = await asyncio.gather(
            runner(self.db)(self.fill_target), self.empty_condition(), return_exceptions=True
        )
        assert isinstance(results[0], JarFull) or not self.has_hold
        return (await self.db.find("jars", {"_id": self.target.id}))[0]["marbles"]

    async def fill_target(self, tx: Transaction) -> None:
        """Add a marble to the target after the condition, still with a marble, was read."""
        seen = await tx.jars.get(self.condition.id)
        self.is_read.set()
        await self.is_emptied.wait()
        if seen.marbles != 1:
            raise JarFull
        if self.has_hold:
            tx.jars.hold(seen)
        before = await tx.jars.get(self.target.id)
        tx.jars.save(before, replace(before, marbles=before.marbles + 1))

    async def empty_condition(self) -> None:
        """Empty the condition between the read and the write of the filling."""
        await self.is_read.wait()
        await runner(self.db)(lambda tx: _set(tx, self.condition.id, 0))
        self.is_emptied.set()


async def _add(tx: Transaction, *jars: Jar) -> None:
    for one in jars:
        tx.jars.add(one)


async def _set(tx: Transaction, jar_id: str, marbles: int) -> None:
    before = await tx.jars.get(jar_id)
    tx.jars.save(before, replace(before, marbles=marbles))


async def test_fifty_fillings_at_once_add_up(
    db: Mongo,
) -> None:
    for contended in ([], ["jar"]):
        one = await runner(db)(lambda tx: make_jar(jar(capacity=1_000), tx))
        engine: TransactionManager[Transaction] = TransactionManager(db, Transaction)
        await asyncio.gather(
            *(
                Runner(
                    engine, OperationContext(caller=system("shop"), correlation_id=new_id()), 30
                )(lambda tx, one=one: fill_jar(one.id, 1, tx), contended=contended)
                for _ in range(50)
            )
        )
        [found] = await db.find("jars", {"_id": one.id})
        assert (found["marbles"], found["version"]) == (50, 51)
        rows = await db.find("outbox", {"key": one.owner_ref}, sort=[("seq", 1)])
        assert [row["seq"] for row in rows] == list(range(1, 51))


async def test_at_the_deadline_a_conflict_without_end_is_busy(db: Mongo) -> None:
    one = await runner(db)(lambda tx: make_jar(jar(), tx))

    async def never(tx: Transaction) -> None:
        before = await tx.jars.get(one.id)
        await runner(db)(lambda other: _set(other, one.id, 1))
        tx.jars.save(before, replace(before, marbles=2))

    with pytest.raises(Busy):
        await runner(db, seconds=0.5)(never)


async def test_a_lock_is_fair_and_busy_at_the_deadline() -> None:
    locks = KeyedLocks()
    order = list[int]()
    loop = asyncio.get_running_loop()

    async def one(number: int) -> None:
        async with locks.hold(["a", "b"], loop.time() + 5):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert order == list(range(20))
    async with locks.hold(["a"], loop.time() + 5):
        with pytest.raises(Busy):
            async with locks.hold(["b", "a"], loop.time() + 0.01):
                raise AssertionError("never held")
    async with locks.hold(["a", "b"], loop.time() + 1):
        pass


async def test_an_event_over_256_kib_is_refused_and_nothing_of_its_command_stays(
    db: Mongo, run: Runner[Transaction]
) -> None:
    class Heavy(Event, type="shop.heavy.v1", key="jar_id"):
        jar_id: str
        text: str

    async def work(tx: Transaction) -> None:
        one = jar()
        tx.jars.add(one, [Heavy(jar_id=one.id, text="x" * 262_144)])

    with pytest.raises(EventTooLarge):
        await run(work)
    assert await db.find("jars", {}) == []


async def test_the_same_fact_always_has_the_same_event_id(
    db: Mongo, run: Runner[Transaction]
) -> None:
    one = jar(id="01a20d00-0000-7000-8000-000000000001")
    await run(lambda tx: make_jar(one, tx))
    await run(lambda tx: fill_jar(one.id, 1, tx))
    [row] = await db.find("outbox", {})
    assert row["_id"] == "743f7af8-6499-5596-bd85-ed4d36c7faaf"
    assert (row["aggregate_id"], row["aggregate_version"]) == (one.id, 2)


async def test_a_document_of_the_wrong_shape_is_refused_by_the_collection(db: Mongo) -> None:
    with pytest.raises(DocumentRefused):
        await db.insert("jars", [{"_id": "x", "schema": 1, "version": 1, "marbles": "many"}])


async def test_a_lease_has_one_holder_and_its_token_grows_with_each_change(db: Mongo) -> None:
    first = Lease(db, "work", "a", 0.3)
    second = Lease(db, "work", "b", 30)
    assert await first.take()
    assert not await second.take()
    assert (await first.take(), first.token) == (True, 1)
    await eventually(second.take)
    assert (first.held, second.token) == (False, 2)
    assert not await first.take()
    await second.release()
    assert (await first.take(), first.token) == (True, 3)


async def test_a_rollback_over_a_flush_of_nothing_needs_an_abort(
    run: Runner[Transaction],
) -> None:
    """An aggregate that is added and removed leaves nothing to flush, but its buffer is gone."""

    async def work(tx: Transaction) -> bool:
        added = tx.jars.add(jar())
        before = tx.savepoint()
        tx.jars.remove(added)
        await tx.jars.find({"room": "north"})
        return tx.rollback(before)

    assert await run(work) is False
