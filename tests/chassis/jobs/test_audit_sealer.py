"""The audit's chain: every change of sealed rows and blocks in the database is found."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chassis.admin.audit_export.anchors import Anchor
from chassis.admin.audit_export.verification import Finding, verify
from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.jobs.audit_sealer import AuditSealer, digest
from chassis.persistence import mongo
from chassis.persistence.mongo import Document, Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.sample_service import Transaction

KEY = b"k" * 32


@dataclass
class Chain:
    """Three blocks of three rows, and their anchors outside the database."""

    db: Mongo
    anchors: dict[int, Anchor]
    rows: list[Document]

    async def found(self) -> list[Finding]:
        return await verify(self.db, KEY, self.anchors, utc_now())


@pytest.fixture
async def chain(db: Mongo) -> Chain:
    run = Runner(
        TransactionManager(db, Transaction),
        OperationContext(caller=system("shop"), correlation_id=new_id()),
    )
    for block in range(3):

        async def note(tx: Transaction, block: int = block) -> None:
            for number in range(3):
                tx.note("jars.shown", f"jar-{block}-{number}")

        await run(note)
        assert await AuditSealer("shop", KEY)(run) is False
    seals = await db.find("seals", {}, sort=[("_id", 1)])
    made = Chain(
        db,
        {seal["_id"]: Anchor(seal["digest"], len(seal["rows"])) for seal in seals},
        await db.find("audit", {}, sort=[("_id", 1)]),
    )
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
    swapped = {
        name: [values[1], values[0], values[2]]
        for name, values in seal.items()
        if name in {"rows", "hashes"}
    }
    await chain.db.bulk("seals", [mongo.replacing(seal | swapped)])
    found = await chain.found()
    assert {(one.row, one.what) for one in found if one.row} == {
        (first, "row is at another place"),
        (second, "row is at another place"),
    }
    assert Finding(2, "", "block altered: its digest does not fit") in found
    await chain.db.bulk("seals", [mongo.replacing(seal)])
    await chain.db.update("audit", {"_id": first}, {"$set": {"block": 1}})
    assert await chain.found() == [Finding(2, first, "row moved to another block")]


async def test_reordered_blocks_are_named(chain: Chain) -> None:
    one, two = await chain.db.find("seals", {"_id": {"$in": [1, 2]}}, sort=[("_id", 1)])
    await chain.db.bulk(
        "seals", [mongo.replacing(one | {"_id": 2}), mongo.replacing(two | {"_id": 1})]
    )
    assert {(found.block, found.what) for found in await chain.found() if not found.row} >= {
        (1, "block does not follow the one before"),
        (1, "block differs from its anchor"),
    }


async def test_the_newest_blocks_cut_off_are_found_by_their_anchors(
    chain: Chain,
) -> None:
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
    assert [(one.block, one.what) for one in found] == [
        (number, "block altered: its digest does not fit") for number in (1, 2, 3)
    ]


def test_a_digest_covers_the_number_and_the_digest_of_the_block_before() -> None:
    golden = "98499af770879e5546f022b863b103e6bac1cfa28f023c132346c9af5b12c49f"
    assert digest(KEY, 2, "aa", ["h1", "h2"]) == golden
    others = {digest(KEY, 2, "ab", ["h1", "h2"]), digest(KEY, 3, "aa", ["h1", "h2"])}
    assert golden not in others


async def test_each_block_names_the_digest_of_the_block_before(chain: Chain) -> None:
    seals = await chain.db.find("seals", {}, sort=[("_id", 1)])
    assert [seal["previous"] for seal in seals] == ["", *(seal["digest"] for seal in seals[:-1])]
