"""Keyed jobs: rows that processes share, and failures that delay one key only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis.caller import system
from chassis.ids import new_id
from chassis.jobs.keyed_jobs import COLLECTION, KeyedJob
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.sample_service import Note, Transaction

KEYS = ["north", "south"]


def runner(db: Mongo) -> Runner[Transaction]:
    context = OperationContext(caller=system("shop"), correlation_id=new_id(), what="job:keyed")
    return Runner(TransactionManager(db, Transaction), context)


async def find_keys(tx: Transaction) -> list[str]:
    del tx
    return KEYS


def job(step: Callable[[str, Runner[Any]], Awaitable[bool]], holder: str = "shop/0") -> KeyedJob:
    return KeyedJob(name="fill", holder=holder, find_keys=find_keys, step=step)


async def add_note(key: str, tx: Transaction) -> None:
    tx.notes.add(Note(id=new_id(), owner_ref=key))


async def write(key: str, run: Runner[Transaction]) -> bool:
    await run(partial(add_note, key))
    return False


async def notes_of(db: Mongo) -> list[str]:
    return sorted(note["owner_ref"] for note in await db.find("notes", {}))


def failures() -> float:
    labels = {"work": "fill", "result": "failed"}
    return REGISTRY.get_sample_value("bina_job_runs_total", labels) or 0


async def test_each_key_that_is_due_takes_a_step_and_leaves_no_row(db: Mongo) -> None:
    assert await job(write)(runner(db)) is False
    assert await notes_of(db) == KEYS
    assert await db.count(COLLECTION, {}) == 0


async def test_a_failing_key_delays_only_itself_and_is_recorded(db: Mongo) -> None:
    async def fail_in_north(key: str, run: Runner[Transaction]) -> bool:
        if key == "north":
            raise RuntimeError
        return await write(key, run)

    before = failures()
    for _ in range(2):
        await job(fail_in_north)(runner(db))
    assert await notes_of(db) == ["south", "south"]
    assert failures() == before + 1
    [row] = await db.find(COLLECTION, {})
    assert (row["_id"], row["failures"], row["error"]) == ("fill/north", 1, "RuntimeError")


async def test_a_delayed_key_is_tried_again_and_waits_longer(db: Mongo) -> None:
    async def fail(key: str, run: Runner[Transaction]) -> bool:
        del key, run
        raise RuntimeError

    delays: list[float] = []
    for _ in range(2):
        await db.update(COLLECTION, {}, [{"$set": {"due": "$$NOW"}}], many=True)
        await asyncio.sleep(0.002)  # the server's time is in milliseconds
        await job(fail)(runner(db))
        row = await db.find_one(COLLECTION, {"_id": "fill/north"}) or {}
        delays.append((row["due"] - row["until"]).total_seconds())
    assert delays == [5, 10]
    await db.update(COLLECTION, {}, [{"$set": {"due": "$$NOW"}}], many=True)
    await job(write)(runner(db))
    assert await notes_of(db) == KEYS
    assert await db.count(COLLECTION, {}) == 0


async def test_two_processes_take_different_keys_at_one_time(db: Mongo) -> None:
    started = asyncio.Event()
    may_end = asyncio.Event()
    taken: list[str] = []

    async def hold(key: str, run: Runner[Transaction]) -> bool:
        taken.append(f"first {key}")
        started.set()
        await may_end.wait()
        return await write(key, run)

    async def note(key: str, run: Runner[Transaction]) -> bool:
        taken.append(f"second {key}")
        return await write(key, run)

    first = asyncio.create_task(job(hold, "shop/0")(runner(db)))
    await started.wait()
    await job(note, "shop/1")(runner(db))
    assert taken == ["first north", "second south"]
    may_end.set()
    await first


async def test_a_step_that_lost_its_row_commits_nothing(db: Mongo) -> None:
    """The process slept longer than its lease, and another has taken the row."""

    async def oversleep(key: str, run: Runner[Transaction]) -> bool:
        if key == "north":
            await db.update(COLLECTION, {"_id": "fill/north"}, [{"$set": {"until": "$$NOW"}}])
            await asyncio.sleep(0.002)  # the server's time is in milliseconds
            await job(write, "shop/1")(runner(db))
        return await write(key, run)

    before = failures()
    await job(oversleep, "shop/0")(runner(db))
    assert (await notes_of(db)).count("north") == 1
    assert failures() == before


async def test_a_row_taken_during_a_transaction_stops_its_commit(db: Mongo) -> None:
    async def add_slowly(key: str, tx: Transaction) -> None:
        await add_note(key, tx)
        if key == "north":
            taken = {"$set": {"holder": "another"}, "$inc": {"token": 1}}
            await db.update(COLLECTION, {"_id": "fill/north"}, taken)

    async def step(key: str, run: Runner[Transaction]) -> bool:
        await run(partial(add_slowly, key))
        return False

    await job(step)(runner(db))
    assert await notes_of(db) == ["south"]


async def test_a_killed_step_is_repeated_by_the_next_process(db: Mongo) -> None:
    """Its row is still leased; the successor of the replica is younger and takes it."""

    class Killed(BaseException):
        """The process ends before the commit."""

    async def die(key: str, run: Runner[Transaction]) -> bool:
        del key, run
        raise Killed

    with pytest.raises(Killed):
        await job(die)(runner(db))
    [row] = await db.find(COLLECTION, {})
    assert row["holder"] == "shop/0"
    await job(write, "shop/1")(runner(db))
    assert await notes_of(db) == ["south"]
    await job(write, "shop/0")(runner(db))
    assert (await notes_of(db)).count("north") == 1
