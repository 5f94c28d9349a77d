"""A lease has one holder at a time."""

from __future__ import annotations

import asyncio
from typing import Any

from chassis.jobs.runner import Job, JobLoop
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from tests.chassis.sample_service import (
    Transaction,
)
from tests.fakes import eventually

ASKED_OFTEN = 12


async def test_a_job_that_outlasts_its_lease_is_not_done_by_two(db: Mongo) -> None:
    engine: TransactionManager[Transaction] = TransactionManager(db, Transaction)
    at_work = 0
    most = 0
    asked = 0
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
        lease = Counted(db, "job/long", f"shop/{replica}", 0.5)
        loop._lease = lease  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    tasks = [asyncio.create_task(loop.run()) for loop in loops]

    async def asked_often() -> bool:
        return asked >= ASKED_OFTEN

    await eventually(asked_often)  # long after the first take
    for loop in loops:
        loop.stop()
    enough.set()
    await asyncio.gather(*tasks)
    assert most == 1
