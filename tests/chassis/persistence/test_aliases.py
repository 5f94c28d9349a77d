"""A merged reference leads to the reference that survived."""

from __future__ import annotations

from typing import Any

from chassis.persistence.mongo import Mongo
from tests.chassis.harness import runner
from tests.chassis.sample_service import (
    Transaction,
)


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
