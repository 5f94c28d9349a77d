"""The audit's chain: whatever is done to its rows and blocks behind its back is found and named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chassis import mongo
from chassis.audit import Sealer
from chassis.auth import system
from chassis.ids import new_id, utc_now
from chassis.mongo import Document, Mongo
from chassis.runner import Engine, Runner
from chassis.unit_of_work import Cause
from chassis.web import Service, create_app
from ops.audit.findings import Anchor, Finding, verify
from tests.chassis.scene import in_memory
from tests.chassis.shop import JarFilled, ShopSettings, Transaction, router
from tests.doubles import FakeKafka, Keys, ServiceClient, running

KEY = b"k" * 32


@dataclass
class Chain:
    """Three blocks of three rows, and the anchors that lie outside."""

    db: Mongo
    anchors: dict[int, Anchor]
    rows: list[Document]

    async def found(self) -> list[Finding]:
        return await verify(self.db, KEY, self.anchors, utc_now())


@pytest.fixture
async def chain(db: Mongo) -> Chain:
    run = Runner(Engine(db, Transaction), Cause(caller=system("shop"), correlation_id=new_id()))
    for block in range(3):

        async def note(tx: Transaction, block: int = block) -> None:
            for number in range(3):
                tx.note("jars.shown", f"jar-{block}-{number}")

        await run(note)
        assert await Sealer("shop", KEY)(run) is False
    seals = await db.find("seals", {}, sort=[("_id", 1)])
    made = Chain(db, {seal["_id"]: Anchor(seal["digest"], len(seal["rows"])) for seal in seals}, await db.find("audit", {}, sort=[("_id", 1)]))
    assert (len(seals), len(made.rows), await made.found()) == (3, 9, [])
    return made


async def test_an_altered_row_is_named(chain: Chain) -> None:
    row = chain.rows[4]
    await chain.db.update("audit", {"_id": row["_id"]}, {"$set": {"actor": "somebody-else"}})
    assert await chain.found() == [Finding(2, row["_id"], "row altered")]


async def test_a_removed_row_is_named(chain: Chain) -> None:
    row = chain.rows[4]
    await chain.db.delete("audit", {"_id": row["_id"]})
    assert await chain.found() == [Finding(2, row["_id"], "row removed")]


async def test_reordered_rows_are_named_within_a_block_and_between_blocks(chain: Chain) -> None:
    first, second, _ = (row["_id"] for row in chain.rows[3:6])
    [seal] = await chain.db.find("seals", {"_id": 2})
    swapped = {name: [values[1], values[0], values[2]] for name, values in seal.items() if name in {"rows", "hashes"}}
    await chain.db.bulk("seals", [mongo.replacing(seal | swapped)])
    found = await chain.found()
    assert {(one.row, one.what) for one in found if one.row} == {(first, "row stands at another place"), (second, "row stands at another place")}
    assert Finding(2, "", "block altered: its digest does not fit") in found
    await chain.db.bulk("seals", [mongo.replacing(seal)])
    await chain.db.update("audit", {"_id": first}, {"$set": {"block": 1}})
    assert await chain.found() == [Finding(2, first, "row moved to another block")]


async def test_reordered_blocks_are_named(chain: Chain) -> None:
    one, two = await chain.db.find("seals", {"_id": {"$in": [1, 2]}}, sort=[("_id", 1)])
    await chain.db.bulk("seals", [mongo.replacing(one | {"_id": 2}), mongo.replacing(two | {"_id": 1})])
    assert {(found.block, found.what) for found in await chain.found() if not found.row} >= {(1, "block does not follow the one before"), (1, "block differs from its anchor")}


async def test_the_newest_rows_cut_off_with_their_blocks_are_known_by_their_anchors(chain: Chain) -> None:
    await chain.db.delete("seals", {"_id": {"$gte": 2}})
    await chain.db.delete("audit", {"block": {"$gte": 2}})
    assert await chain.found() == [
        Finding(2, "", "block cut off with its 3 rows: only its anchor is left"),
        Finding(3, "", "block cut off with its 3 rows: only its anchor is left"),
    ]


async def test_a_missing_block_and_an_added_row_are_named(chain: Chain) -> None:
    forged = chain.rows[0] | {"_id": new_id()}
    await chain.db.insert("audit", [forged])
    assert await chain.found() == [Finding(1, forged["_id"], "row added: no block knows it")]
    await chain.db.delete("audit", {"_id": forged["_id"]})
    await chain.db.delete("seals", {"_id": 2})
    assert Finding(2, "", "block missing") in await chain.found()


async def test_with_another_key_no_block_fits(chain: Chain) -> None:
    found = await verify(chain.db, b"x" * 32, chain.anchors, utc_now())
    assert [(one.block, one.what) for one in found] == [(number, "block altered: its digest does not fit") for number in (1, 2, 3)]


# Search over HTTP


@pytest.fixture
async def shop(tmp_path: Path, mongo_url: str, kafka: str, database: str) -> AsyncIterator[ServiceClient]:
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(**keys.settings("shop", mongo_url=mongo_url, database=database, kafka=kafka))
    service = Service(name="shop", settings=settings, transaction=Transaction, routers=(router,), published=(JarFilled,))
    async with running(create_app(service, lifetime=in_memory(FakeKafka())), keys, "shop") as client:
        yield client


async def searched(client: ServiceClient, **sought: Any) -> list[dict[str, Any]]:
    """All rows of a search, two to a page."""
    rows: list[dict[str, Any]] = []
    while True:
        answer = await client.get("/v1/operations/shop/audit", params={"limit": 2, **sought})
        assert answer.status_code == 200, answer.text
        rows += answer.json()["items"]
        if (cursor := answer.json()["next_cursor"]) is None:
            return rows
        sought["cursor"] = cursor


async def filled(client: ServiceClient, owner: str, room: str, label: str = "") -> str:
    keeper, jar = client.as_("keeper", subject=f"keeper-{room}", facility=room), new_id()
    assert (await keeper.post("/v1/jars", json={"id": jar, "owner_ref": owner, "room": room, "label": label})).status_code == 201
    assert (await keeper.post(f"/v1/jars/{jar}/fillings", json={"marbles": 2})).status_code == 200
    return jar


async def test_a_search_finds_by_person_actor_and_time_page_by_page_and_is_noted(shop: ServiceClient) -> None:
    before, owner, other = utc_now(), new_id(), new_id()
    north, south = await filled(shop, owner, "north"), await filled(shop, other, "south")
    auditor = shop.as_("auditor", subject="auditor-1", facility="*")
    rows = await searched(auditor, person=owner)
    assert [(row["action"], row["subject"], row["person"], row["facility"], row["actor"], row["role"]) for row in rows] == [
        ("jars.added", north, owner, "north", "keeper-north", "keeper"),
        ("jars.changed", north, owner, "north", "keeper-north", "keeper"),
    ]
    assert rows[1]["values"] == {"marbles": [0, 2]}
    assert {row["subject"] for row in await searched(auditor, actor="keeper-south")} == {south}
    assert {row["subject"] for row in await searched(auditor, **{"from": before.isoformat()}) if row["action"].startswith("jars.")} == {north, south}
    assert await searched(auditor, person=owner, to=before.isoformat()) == []
    db: Mongo = shop.app.state.life.db
    noted = await db.find("audit", {"action": "audit.searched", "actor": "auditor-1", "subject": owner})
    assert [row["rows"] for row in noted] == [2, 0]


async def test_a_person_is_found_under_what_was_merged_and_in_what_was_the_persons(shop: ServiceClient) -> None:
    owner, old = new_id(), new_id()
    jar = await filled(shop, old, "north")
    run: Runner[Any] = Runner(shop.app.state.life.engine, Cause(caller=system("shop"), correlation_id=new_id()))

    async def merge(tx: Transaction) -> None:
        await tx.alias(old, owner)
        tx.note("jars.shown", jar, purpose="stock-taking")

    await run(merge)
    auditor = shop.as_("auditor", facility="*")
    for name in (owner, old):
        assert [row["action"] for row in await searched(auditor, person=name)][:3] == ["jars.added", "jars.changed", "jars.shown"]
    [shown] = [row for row in await searched(auditor, person=owner) if row["action"] == "jars.shown"]
    assert shown["purpose"] == "stock-taking"


async def test_an_auditor_sees_the_rows_of_his_facilities_and_no_texts(shop: ServiceClient) -> None:
    owner = new_id()
    await filled(shop, owner, "north", label="Budi")
    await filled(shop, owner, "south")
    db: Mongo = shop.app.state.life.db
    assert (await searched(shop.as_("auditor", facility="east"), person=owner)) == []
    assert {row["facility"] for row in await searched(shop.as_("auditor", facility="north"), person=owner)} == {"north"}
    assert (await searched(shop.as_("auditor", lsp="x"), person=owner)) == []
    await db.insert(
        "audit",
        [{"_id": new_id(), "at": utc_now(), "action": "x", "subject": owner, "facility": "north", "block": None, "values": {"label": ["", "Budi Santoso"]}, "reason": "Budi"}],
    )
    told = await searched(shop.as_("auditor", facility="north"), person=owner)
    assert "Budi" not in str(told)
    assert [row["values"] for row in told if row["action"] == "x"] == [{"label": ["…", "…"]}]
    assert (await shop.as_("auditor", permissions=()).get("/v1/operations/shop/audit")).status_code == 403
