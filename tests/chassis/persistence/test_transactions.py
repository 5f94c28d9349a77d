"""Transactions end at their deadline and commit nothing partly."""

from __future__ import annotations

import asyncio

from chassis.caller import system
from chassis.ids import new_id
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.harness import added, runner
from tests.chassis.sample_service import (
    Jar,
    Note,
    Transaction,
)


async def test_transactions_cut_off_by_their_deadline_leave_all_or_nothing(
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
