"""The corrections that a restore makes in the restored database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.ids import utc_now
from chassis.messaging.inbox import HEAD
from chassis.messaging.kafka_ports import Record
from chassis.persistence.mongo import Document, Mongo
from ops.backup.restore_fixups import fix_up_database
from ops.backup.topic_rebuild import unmark_rows_after_gaps


def order(offset: int, partition: int = 3) -> str:
    return Record("a.events", partition, offset, None, None, (), 0).order


def parked_row(id_: str, position: str, key: str = "k") -> Document:
    return {
        "_id": id_,
        "state": "parked",
        "marker": f"a.events/{key}",
        "order": position,
        "topic": "a.events",
        "key": key,
        "headers": [],
        "body": b"{}",
        "type": "t",
    }


@pytest.fixture
async def restored(mongo_url: str, database: str) -> Mongo:
    db = Mongo(mongo_url, database, "pymongo")
    old = utc_now() - timedelta(days=60)
    await db.insert("offsets", [{"_id": "s/a.events/3", "next": 9_000}])
    await db.insert(
        "leases",
        [
            {"_id": "relay", "token": 7},
            {"_id": "replica/0", "token": 3},
            {"_id": "migration/one", "done": True},
        ],
    )
    nameless = order(8_000)
    done = [
        {"_id": "done", "state": "done", "done_at": old},
        {"_id": order(12), "state": "done", "done_at": old},
        {"_id": order(13), "state": "discarded", "done_at": old},
    ]
    await db.insert(
        "inbox",
        [
            *done,
            parked_row("first", order(-4)),
            parked_row("second", order(7_000)),
            parked_row(nameless, nameless),
            {"_id": "early", "state": "early"},
        ],
    )
    await db.insert(
        "early", [{"_id": "early", "order": order(7_500), "waits_for": "x", "marker": "a.events/e"}]
    )
    await db.insert(
        "parked",
        [
            {"_id": "a.events/k", "kind": HEAD, "first": order(-4), "count": 3},
            {"_id": "outbox/k", "kind": "outbox", "first": "event", "count": 1},
        ],
    )
    return db


async def test_positions_leases_inbox_rows_and_order_fit_the_new_servers(
    restored: Mongo,
) -> None:
    db = restored
    now = utc_now()
    for _ in range(2):  # an interrupted restore is repeated
        await fix_up_database(db, now)
        assert await db.find("offsets", {}) == []
        assert [row["_id"] for row in await db.find("leases", {})] == ["migration/one"]
        inbox = {row["_id"]: row for row in await db.find("inbox", {})}
        assert (
            inbox["done"]["done_at"] == now
            # Else its TTL would delete it within a minute, and the rebuilt topic would take effect
            # twice.
        )
        letters = await db.find("inbox", {"state": "parked"}, sort=[("order", 1)])
        places = [row["order"] for row in letters]
        assert [row["_id"] for row in letters] == ["first", "second", places[2]]
        assert sorted(places) == places == [order(-1), order(-2), order(-4)]
        assert max(places) < order(0)
        assert inbox.keys() == {
            "done",
            "early",
            "first",
            "second",
            places[2],
        }  # rows named by the old offsets 12 and 13 are gone: new records will get these offsets
        assert (await db.find("early", {}))[0]["order"] == order(-3)
        assert [row["first"] for row in await db.find("parked", {}, sort=[("_id", 1)])] == [
            places[0],
            "event",
        ]
    await db.close()


async def test_no_row_counts_as_sent_behind_an_unsent_row_of_its_key(
    mongo_url: str, database: str
) -> None:
    db = Mongo(mongo_url, database, "pymongo")
    marks = {
        "torn": [True, False, True, False],
        "whole": [True, True],
        "waiting": [False, False],
    }  # the state between two marks of one relay
    rows: list[Document] = [
        {"_id": f"{key}{seq}", "key": key, "seq": seq, "sent": sent}
        for key, those in marks.items()
        for seq, sent in enumerate(those, 1)
    ]
    await db.insert("outbox", rows)
    await unmark_rows_after_gaps(db)
    assert [row["_id"] for row in await db.find("outbox", {"sent": True}, sort=[("_id", 1)])] == [
        "torn1",
        "whole1",
        "whole2",
    ]
    await db.close()
