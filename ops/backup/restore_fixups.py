"""What of a restored database would not be true in its new place, made true: positions, leases, the memory of what was done, the order of what waits. Not here: the topics.

The topics are made anew, so offsets begin again at 0: positions are forgotten (None = the beginning), and what waits parked or early keeps its order and stands
before everything that will come. Inbox rows are what keeps the rebuilt topics from taking effect twice: each is remembered for 45 days from now, however old
the backup is. Leases and their fencing tokens belonged to processes that are no more; which migrations have run stays known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from chassis.persistence import mongo
from chassis.persistence.mongo import Document, Mongo

_BATCH_SIZE = 1_000
_WITHOUT_EVENT_ID = {
    "_id": {"$regex": r"/\d{5}/-?\d{19,20}$"}
}  # rows of records that had no id: they are called by their place in a topic


async def fix_up_database(db: Mongo, now: datetime) -> None:
    """Make one restored database fit for its new place; may run again."""
    await db.delete("offsets", {})
    await db.delete("leases", {"_id": {"$not": {"$regex": "^migration/"}}})
    await db.update("inbox", {"done_at": {"$exists": True}}, {"$set": {"done_at": now}}, many=True)
    await db.delete(
        "inbox", _WITHOUT_EVENT_ID | {"state": {"$in": ["done", "discarded"]}}
    )  # another record will have that place
    parked = await db.find("inbox", {"state": "parked"}, fields={"order": 1})
    nameless = await db.find("inbox", _WITHOUT_EVENT_ID | {"state": "parked"})
    early = await db.find("early", {}, fields={"order": 1})
    places = _order_before_start(row["order"] for row in (*parked, *early))
    await _write_in_batches(db, "inbox", (mongo.deleting(row["_id"]) for row in nameless))
    await _write_in_batches(
        db,
        "inbox",
        (row | {"_id": places[row["order"]], "order": places[row["order"]]} for row in nameless),
    )
    await _write_in_batches(
        db,
        "inbox",
        (
            mongo.updating(row["_id"], {"$set": {"order": places[row["order"]]}})
            for row in parked
            if row["_id"] != row["order"]
        ),
    )
    await _write_in_batches(
        db,
        "early",
        (mongo.updating(row["_id"], {"$set": {"order": places[row["order"]]}}) for row in early),
    )
    markers = await db.find("parked", {"first": {"$in": list(places)}})
    await _write_in_batches(
        db,
        "parked",
        (
            mongo.updating(marker["_id"], {"$set": {"first": places[marker["first"]]}})
            for marker in markers
        ),
    )


def _order_before_start(orders: Iterable[str]) -> dict[str, str]:
    """A place before offset 0 for each, in the same order within a partition: as text, -1 stands before -2, and both before 0."""
    partitions: dict[str, list[str]] = defaultdict(list)
    for order in sorted(set(orders)):
        partitions[order.rpartition("/")[0]].append(order)
    return {
        order: f"{partition}/{-rank:020d}"
        for partition, those in partitions.items()
        for rank, order in enumerate(those, 1)
    }


async def _write_in_batches(
    db: Mongo, collection: str, writes: Iterable[mongo.Write | Document]
) -> None:
    listed = list(writes)
    for first in range(0, len(listed), _BATCH_SIZE):
        await db.bulk(collection, listed[first : first + _BATCH_SIZE])
