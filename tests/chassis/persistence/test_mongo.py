"""The wrapper of both MongoDB drivers: queries, pages and refusals, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chassis.persistence import mongo
from chassis.persistence.mongo import DuplicateKey, Index, Mongo, Query, Session, deleting, updating


@pytest.fixture(params=["motor", "pymongo"])
async def seam(request: pytest.FixtureRequest, db: Mongo, mongo_url: str) -> AsyncIterator[Mongo]:
    one = Mongo(mongo_url, db.name, request.param)
    for collection, indexes in (("boxes", [Index("label", unique=True)]), ("crates", [])):
        await one.ensure_collection(collection, None, indexes, await one.collections())
    yield one
    await one.close()


async def test_find_in_each_follows_each_query_and_sees_its_transactions_writes(
    seam: Mongo,
) -> None:
    await seam.insert("boxes", [{"_id": name, "label": name} for name in "abc"])

    async def body(session: Session) -> dict[str, list[mongo.Document]]:
        await seam.insert("crates", [{"_id": "d", "kind": "oak"}], session=session)
        queries = {
            "boxes": Query({"_id": {"$in": ["a", "b", "z"]}}, {"_id": 1}),
            "crates": Query({}),
            "aliases": Query({}, limit=1),
        }
        return await seam.find_in_each(queries, session=session)

    found = await seam.transact(body)
    assert sorted(row["_id"] for row in found["boxes"]) == ["a", "b"]
    assert all(row.keys() == {"_id"} for row in found["boxes"])
    assert found["crates"] == [{"_id": "d", "kind": "oak"}]
    assert found["aliases"] == []
    assert len((await seam.find_in_each({"boxes": Query({}, limit=2)}))["boxes"]) == 2


async def test_a_query_in_a_transaction_gives_all_pages_in_its_order(
    seam: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo, "_PAGE", 3)
    await seam.insert(
        "crates", [{"_id": number, "kind": "oak" if number % 2 else "ash"} for number in range(20)]
    )

    async def body(session: Session) -> list[list[mongo.Document]]:
        return [
            await seam.find("crates", {"kind": "oak"}, sort=[("_id", -1)], session=session),
            await seam.find(
                "crates",
                {"kind": "oak"},
                sort=[("_id", 1)],
                limit=4,
                fields={"_id": 1},
                session=session,
            ),
            await seam.find("crates", {"kind": "elm"}, session=session),
        ]

    down, four, none = await seam.transact(body)
    assert [row["_id"] for row in down] == list(range(19, 0, -2))
    assert four == [{"_id": number} for number in (1, 3, 5, 7)]
    assert none == []


async def test_a_refused_write_names_its_collection_and_undoes_all(
    seam: Mongo,
) -> None:
    await seam.insert("boxes", [{"_id": "a", "label": "red"}, {"_id": "b", "label": "blue"}])

    def writes(label: str) -> dict[str, list[mongo.Write | mongo.Document]]:
        return {
            "crates": [{"_id": "d"}],
            "boxes": [
                {"_id": "c", "label": label},
                updating("a", {"$set": {"seen": 1}}),
                deleting("b"),
            ],
            "aliases": [{"_id": "e"}],
        }

    with pytest.raises(DuplicateKey) as refused:
        await seam.transact(lambda session: seam.write(writes("red"), session=session))
    assert (refused.value.collection, refused.value.index) == ("boxes", "label_unique")
    assert [await seam.count(name, {}) for name in ("crates", "boxes", "aliases")] == [0, 2, 0]
    await seam.transact(lambda session: seam.write(writes("green"), session=session))
    assert [await seam.count(name, {}) for name in ("crates", "boxes", "aliases")] == [1, 2, 1]
    assert await seam.find("boxes", {"seen": 1}) == [{"_id": "a", "label": "red", "seen": 1}]
