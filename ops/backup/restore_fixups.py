"""Adapts restored data to its new servers: positions, leases, inbox rows, event order.

- Positions are deleted, because offsets begin at 0 in the new topics. Without a position a consumer
  starts at the beginning.
- Parked and early events keep their order, before all events of the new topics.
- Inbox rows keep the events of the rebuilt topics from taking effect twice. Their 45 days begin
  now, however old the backup is.
- Leases are deleted, because their processes have ended. Records of finished migrations stay.

Not here: the topics (topic_rebuild).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from chassis.persistence import mongo
from chassis.persistence.mongo import Document, Mongo

_BATCH_SIZE = 1_000
# The id of an inbox row of a record without an event id is its partition and offset.
_WITHOUT_EVENT_ID = {"_id": {"$regex": r"/\d{5}/-?\d{19,20}$"}}


async def fix_up_database(db: Mongo, now: datetime) -> None:
    """Fix up one restored database; repeating it is safe."""
    await db.delete("offsets", {})
    await db.delete("leases", {"_id": {"$not": {"$regex": "^migration/"}}})
    await db.update("inbox", {"done_at": {"$exists": True}}, {"$set": {"done_at": now}}, many=True)
    # In the new topics another record will have that partition and offset.
    await db.delete("inbox", _WITHOUT_EVENT_ID | {"state": {"$in": ["done", "discarded"]}})
    parked = await db.find("inbox", {"state": "parked"}, fields={"order": 1})
    nameless = await db.find("inbox", _WITHOUT_EVENT_ID | {"state": "parked"})
    early = await db.find("early", {}, fields={"order": 1})
    new_orders = _order_before_start(row["order"] for row in (*parked, *early))
    await _write_in_batches(db, "inbox", (mongo.deleting(row["_id"]) for row in nameless))
    await _write_in_batches(
        db,
        "inbox",
        (
            row | {"_id": new_orders[row["order"]], "order": new_orders[row["order"]]}
            for row in nameless
        ),
    )
    await _write_in_batches(
        db,
        "inbox",
        (
            mongo.updating(row["_id"], {"$set": {"order": new_orders[row["order"]]}})
            for row in parked
            if row["_id"] != row["order"]
        ),
    )
    await _write_in_batches(
        db,
        "early",
        (
            mongo.updating(row["_id"], {"$set": {"order": new_orders[row["order"]]}})
            for row in early
        ),
    )
    heads = await db.find("parked", {"first": {"$in": list(new_orders)}})
    await _write_in_batches(
        db,
        "parked",
        (
            mongo.updating(head["_id"], {"$set": {"first": new_orders[head["first"]]}})
            for head in heads
        ),
    )


def _order_before_start(orders: Iterable[str]) -> dict[str, str]:
    """Return an order before offset 0 for each, in the same order within a partition.

    Orders are compared as text: -1 comes before -2, and both before 0.
    """
    partitions: dict[str, list[str]] = defaultdict(list)
    for order in sorted(set(orders)):
        partitions[order.rpartition("/")[0]].append(order)
    return {
        order: f"{partition}/{-rank:020d}"
        for partition, partition_orders in partitions.items()
        for rank, order in enumerate(partition_orders, 1)
    }


async def _write_in_batches(
    db: Mongo, collection: str, writes: Iterable[mongo.Write | Document]
) -> None:
    listed = list(writes)
    for first in range(0, len(listed), _BATCH_SIZE):
        await db.bulk(collection, listed[first : first + _BATCH_SIZE])
