"""Transactions while MongoDB fails: commits, conflicts, cancellation, deadlines."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.errors import Busy
from chassis.persistence import mongo, transactions
from chassis.persistence.drivers.driver_calls import uncancelled
from chassis.persistence.mongo import Mongo, MongoError, Session
from tests.chassis.faults.conftest import Faults
from tests.chassis.harness import runner
from tests.chassis.sample_service import Jar, Note, Transaction
from tests.fakes import eventually

UNCONFIRMED = {"code": 64, "errmsg": "waiting for replication timed out"}


@pytest.fixture(params=["motor", "pymongo"])
async def shop_db(
    request: pytest.FixtureRequest, db: Mongo, mongo_url: str
) -> AsyncIterator[Mongo]:
    one = Mongo(mongo_url, db.name, request.param)
    yield one
    await one.close()


class Command:
    """A command that counts how often its body ran."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self, tx: Transaction) -> None:
        self.runs += 1
        tx.notes.add(Note(id="a", owner_ref="a"))


@pytest.mark.parametrize(
    "how",
    [{"closeConnection": True}, {"writeConcernError": UNCONFIRMED}, {"errorCode": 262}],
    ids=["connection", "unconfirmed", "too late"],
)
async def test_a_commit_of_unknown_result_is_asked_for_until_it_is_known(
    shop_db: Mongo, faults: Faults, how: dict[str, Any]
) -> None:
    """The driver itself asks a second time; the third time is ours."""
    command = Command()
    with faults.failing("commitTransaction", times=3, **how):
        await runner(shop_db)(command)
    assert await shop_db.count("notes", {}) == 1
    assert command.runs == 1


async def test_a_server_that_is_away_is_no_conflict(shop_db: Mongo, faults: Faults) -> None:
    engine = runner(shop_db).engine
    with (
        faults.failing("insert", closeConnection=True),
        pytest.raises(MongoError) as raised,
    ):
        await engine.attempt(Command(), runner(shop_db).cause)
    assert mongo.is_away(raised.value)


@pytest.mark.parametrize("code", [91, 11600, 10107, 89])
async def test_a_command_is_busy_when_the_server_stays_away(
    shop_db: Mongo, faults: Faults, code: int
) -> None:
    with faults.failing("insert", errorCode=code), pytest.raises(Busy):
        await runner(shop_db, 1)(Command())


async def test_a_defect_is_not_repeated(shop_db: Mongo, faults: Faults) -> None:
    command = Command()
    with faults.failing("insert", errorCode=14), pytest.raises(MongoError):
        await runner(shop_db)(command)
    assert command.runs == 1


async def test_a_body_that_fails_leaves_no_lock_behind(shop_db: Mongo) -> None:
    await shop_db.insert("boxes", [{"_id": "a", "n": 0}])

    async def body(session: Session) -> None:
        await shop_db.update("boxes", {"_id": "a"}, {"$inc": {"n": 1}}, session=session)
        raise LookupError

    with pytest.raises(LookupError):
        await shop_db.transact(body)

    async def other(session: Session) -> None:
        await shop_db.update("boxes", {"_id": "a"}, {"$inc": {"n": 10}}, session=session)

    await shop_db.transact(other)
    assert (await shop_db.find("boxes", {}))[0]["n"] == 10


async def test_a_body_is_cancelled_at_its_deadline(shop_db: Mongo) -> None:
    cancelled = asyncio.Event()

    async def body(tx: Transaction) -> None:
        tx.notes.add(Note(id="a", owner_ref="a"))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(Busy):
        await runner(shop_db, 0.3)(body)
    async with asyncio.timeout(30):
        await cancelled.wait()
    assert await shop_db.count("notes", {}) == 0


@dataclass(frozen=True, slots=True)
class LateEnd:
    """An attempt whose server fell silent: when Busy came, and how the attempt ended later."""

    seconds: float
    log_lines: list[tuple[str, str]]


async def run_until_busy(db: Mongo, faults: Faults, transaction: type[Transaction]) -> LateEnd:
    """Run a body in 3 s with a transaction that stops the server; then let the server continue.

    Returns when the attempt has ended: one that is left behind holds its locks for 15 s.
    """

    async def body(tx: Transaction) -> None:
        tx.notes.add(Note(id="a", owner_ref="a"))
        await tx.flush()

    await db.ping()
    with capture_logs() as logged:
        began = time.monotonic()
        try:
            with pytest.raises(Busy):
                await runner(db, 3, transaction=transaction)(body)
            seconds = time.monotonic() - began
        finally:
            faults.go_on()
        await eventually(lambda: logged, seconds=60)
    return LateEnd(seconds, [(line["event"], line["error"]) for line in logged])


async def test_a_write_is_undone_when_a_silent_server_misses_the_deadline(
    shop_db: Mongo, faults: Faults
) -> None:
    class StoppedBeforeTheLastWrite(Transaction):
        async def finish(self) -> None:
            faults.stop()
            await super().finish()

    late = await run_until_busy(shop_db, faults, StoppedBeforeTheLastWrite)
    assert late.seconds < 8
    [(event, error)] = late.log_lines
    assert event == "transaction_ended_late"
    assert error  # TimeoutError, or that of the connection when the machine is slow
    assert await shop_db.count("notes", {}) == 0


async def test_a_commit_goes_on_when_a_silent_server_misses_the_deadline(
    shop_db: Mongo, faults: Faults
) -> None:
    """Its result is not lost."""

    class StoppedBeforeTheCommit(Transaction):
        async def finish(self) -> None:
            await super().finish()
            faults.stop()

    late = await run_until_busy(shop_db, faults, StoppedBeforeTheCommit)
    assert late.seconds < 8
    assert late.log_lines == [("transaction_ended_late", "")]
    assert await shop_db.count("notes", {}) == 1


async def test_a_cancelled_commit_does_not_block_the_event_loop(
    shop_db: Mongo, faults: Faults
) -> None:
    at_commit = asyncio.Event()

    async def body(session: Session) -> None:
        await shop_db.insert("boxes", [{"_id": "a"}], session=session)
        faults.stop()
        at_commit.set()

    running = asyncio.create_task(shop_db.transact(body))
    async with asyncio.timeout(30):
        await at_commit.wait()
    threading.Timer(4, faults.go_on).start()
    await asyncio.sleep(0.2)
    running.cancel()
    longest = 0.0
    while not running.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - before)
    assert longest < 2
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancelled_call_of_a_driver_is_awaited_to_its_end() -> None:
    began = asyncio.Event()
    may_end = asyncio.Event()

    async def operation() -> None:
        began.set()
        await may_end.wait()

    running = asyncio.create_task(uncancelled(operation()))
    await began.wait()
    running.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not running.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await running


async def cancel_before_failure() -> None:
    """Cancel a call of a driver which then fails."""
    began = asyncio.Event()
    may_fail = asyncio.Event()

    async def operation() -> None:
        began.set()
        await may_fail.wait()
        raise LookupError

    running = asyncio.create_task(uncancelled(operation()))
    await began.wait()
    running.cancel()
    await asyncio.sleep(0)
    may_fail.set()
    await asyncio.wait({running})
    assert running.cancelled()


async def test_an_error_of_a_cancelled_call_is_not_logged_by_the_collector() -> None:
    loop = asyncio.get_running_loop()
    unseen: list[str] = []
    loop.set_exception_handler(lambda _, problem: unseen.append(problem["message"]))
    await cancel_before_failure()
    gc.collect()
    loop.set_exception_handler(None)
    assert unseen == []


async def test_motor_ends_a_write_before_a_cancelled_transaction_ends(
    db: Mongo, faults: Faults
) -> None:
    """Its thread would write after the abort, and so outside the transaction."""

    async def body(session: Session) -> None:
        await db.insert("boxes", [{"_id": "a"}], session=session)

    with faults.failing("insert", times=1, blockConnection=True, blockTimeMS=700):
        running = asyncio.create_task(db.transact(body))
        await asyncio.sleep(0.2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert await db.count("boxes", {}) == 0


async def test_a_rollback_forgets_ids_for_which_events_would_wait(db: Mongo) -> None:
    async def body(tx: Transaction) -> list[str]:
        before = tx.savepoint()
        tx.notes.add(Note(id="a", owner_ref="a"))
        assert tx.added_ids == ["a"]
        assert tx.rollback(before)
        return tx.added_ids

    assert await runner(db)(body) == []


async def test_flushed_writes_count_for_the_bounds(
    db: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "MAX_WRITES", 30)

    async def body(tx: Transaction) -> None:
        for number in range(20):
            tx.jars.add(Jar(id=f"{number}", owner_ref="a", room="north"))
        await tx.flush()

    with pytest.raises(mongo.TransactionTooLarge):
        await runner(db)(body)
    assert await db.count("jars", {}) == 0
