"""Stores: ids, pages and reserved names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from chassis.ids import new_id
from chassis.persistence.mongo import Mongo
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import StoreOf
from chassis.persistence.unit_of_work import Transaction as UnitOfWork
from tests.chassis.harness import runner
from tests.chassis.sample_service import (
    Jar,
    JarFilled,
    Note,
    Transaction,
)


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


async def test_a_document_flushed_removed_and_added_again_exists(
    db: Mongo,
) -> None:
    async def work(tx: Transaction) -> None:
        one = tx.jars.add(Jar(id="x", owner_ref="x", room="north"))
        await tx.flush()
        tx.jars.remove(one)
        tx.jars.add(Jar(id="x", owner_ref="y", room="north"))

    await runner(db)(work)
    assert [row["owner_ref"] for row in await db.find("jars", {})] == ["y"]


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


def test_a_kind_with_a_field_that_the_chassis_uses_in_documents_is_refused() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Box:
        id: str
        held: int = 0
        version: int = 0

    with pytest.raises(TypeError, match="held"):

        class Boxes(Store[Box]):  # pyright: ignore[reportUnusedClass]
            kind = Box
            collection = "boxes"
            scope: ClassVar = {"public": ""}
