"""The shutdown of a service."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from chassis.app.lifespan import ServiceRuntime
from chassis.caller import system
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.harness import Harness
from tests.chassis.sample_service import Note, Transaction


async def test_a_late_transaction_ends_before_the_database_closes(
    harness: Harness,
) -> None:
    life = ServiceRuntime(harness.life.service)
    may_end = asyncio.Event()

    async def body(tx: Transaction) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await may_end.wait()
            tx.notes.add(Note(id="a", owner_ref="a"))
            await tx.flush()
            raise

    run = Runner(life.engine, OperationContext(caller=system("shop"), correlation_id=new_id()), 0.1)
    with capture_logs() as logged:
        async with life.lifespan(None):
            with pytest.raises(Busy):
                await run(body)
            asyncio.get_running_loop().call_later(0.5, may_end.set)
    assert [(line["event"], line["error"]) for line in logged if "error" in line] == [
        ("transaction_ended_late", "TimeoutError")
    ]
