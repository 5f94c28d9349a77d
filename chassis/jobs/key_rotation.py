"""Key rotation: a leased job that renews stored values under the current keys, then ends.

It walks each store by id, one page in one transaction, which also stores the position: a killed
job continues there, and a page that another transaction changes meanwhile is renewed again. Then
it counts what still needs a former key; at 0 the former keys may be removed.
Not here: the keys and what they do (persistence.field_encryption), which values need them (the
services), how an operator replaces a key (docs/keys.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

from chassis import telemetry
from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence import mongo
from chassis.persistence.field_encryption import FieldUnreadable, KeyRing
from chassis.persistence.mongo import Document, Mongo
from chassis.persistence.store import Store
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import Transaction

JOB = "rotate-keys"
EVERY_SECONDS = 60.0
COLLECTION = "key_rotation"
WALK = "walk"
ACCEPTED = "accepted"
PAGE_DOCUMENTS = 100
# A process that still had the former key as its current one may have written after the walk.
REPEATED_AFTER = timedelta(hours=6)
ACTION = "keys.rotated"
LEFT = ScheduledGauge(
    "bina_key_rotation_left_values",
    "Stored values that need a former key; not shown without former keys",
)
log = telemetry.log(__name__)


class KeysMissing(Exception):
    """Stored values need a key that is not configured; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedStore:
    """A store whose documents name keys.

    `rings` has the path of each key id, or of a text that begins with one and a dot. `renew`
    returns an aggregate with its values under the current keys, unchanged if they are.
    """

    store: type[Store[Any]]
    rings: Mapping[str, KeyRing]
    renew: Callable[[Any], Any]

    def count_former(self, document: Document) -> int:
        """Return how many values of a document do not name the current key."""
        key_ids = ((ring, _key_id_at(document, path)) for path, ring in self.rings.items())
        return sum(key_id not in ("", ring.key_id) for ring, key_id in key_ids)


async def check_keys(db: Mongo, service: str, stores: Sequence[KeyedStore]) -> None:
    """Compare the keys that stored values need with those that are configured.

    Values are counted only if an earlier start accepted a key that is gone, or at the first start.
    Raises KeysMissing.
    """
    if not stores:
        return
    accepted = {key_id for ring in _rings(stores) for key_id in ring.key_ids}
    row = await db.find_one(COLLECTION, {"_id": ACCEPTED})
    if row is None or not accepted.issuperset(row["key_ids"]):
        missing = await _count_missing(db, stores)
        if missing:
            raise KeysMissing(_describe_missing(service, missing))
    fields = {"$set": {"key_ids": sorted(accepted)}}
    await db.update(COLLECTION, {"_id": ACCEPTED}, fields, upsert=True)


class KeyRotation:
    """The job; it does nothing without former keys."""

    def __init__(self, stores: Sequence[KeyedStore]) -> None:
        self._stores = {keyed.store.collection: keyed for keyed in stores}
        self._current = {ring.name: ring.key_id for ring in _rings(stores)}
        self._has_former_keys = any(ring.former_ids for ring in _rings(stores))

    async def __call__(self, run: Runner[Any]) -> bool:
        """Take one step; return whether there is more to do at once."""
        if not self._has_former_keys:
            return False
        db = run.engine.db
        walk = await db.find_one(COLLECTION, {"_id": WALK})
        if walk is None or self._must_begin(walk, run):
            walk = await self._begin(db, run)
        if walk["finished_at"] is None and walk["collection"]:
            walk = await run(partial(self._renew_page, dict(walk)))
        elif walk["finished_at"] is None:
            walk = await self._finish(db, walk, run)
        LEFT.set(walk["left"])
        return walk["finished_at"] is None

    def _must_begin(self, walk: Document, run: Runner[Any]) -> bool:
        """Return whether the walk was for other keys, or has to be repeated."""
        if walk["current"] != self._current:
            return True
        finished_at = walk["finished_at"]
        return finished_at is not None and finished_at + REPEATED_AFTER <= run.engine.clock()

    async def _begin(self, db: Mongo, run: Runner[Any]) -> Document:
        walk: Document = {
            "_id": WALK,
            "current": self._current,
            "collection": next(iter(self._stores)),
            "after": "",
            "left": await self._count_left(db),
            "renewed": 0,
            "unreadable": 0,
            "started_at": run.engine.clock(),
            "finished_at": None,
        }
        await db.bulk(COLLECTION, [mongo.replacing(walk, upsert=True)])
        log.info("key_rotation_started", left=walk["left"])
        return walk

    async def _finish(self, db: Mongo, walk: Document, run: Runner[Any]) -> Document:
        counted = {"left": await self._count_left(db), "finished_at": run.engine.clock()}
        await db.update(COLLECTION, {"_id": WALK, "current": self._current}, {"$set": counted})
        log.info("key_rotation_finished", left=counted["left"], unreadable=walk["unreadable"])
        return walk | counted

    async def _renew_page(self, seen: Document, tx: Transaction) -> Document:
        """Renew the next page and store the position, in one transaction; return the walk."""
        walk = await tx.db.find_one(COLLECTION, {"_id": WALK}, session=tx.session)
        if walk is None or walk["current"] != self._current or not walk["collection"]:
            return seen  # another process has begun or ended a walk
        keyed = self._stores[walk["collection"]]
        store = tx.store(keyed.store)
        page = await store.find(
            {"_id": {"$gt": walk["after"]}},
            sort=[("_id", 1)],
            limit=PAGE_DOCUMENTS,
            scoped=False,
        )
        renewed_ids: list[str] = []
        renewed_values = 0
        for before in page:
            try:
                after = keyed.renew(before)
            except FieldUnreadable as error:
                walk["unreadable"] += 1
                log.error(  # noqa: TRY400 - no stack: a value is damaged, not the program
                    "value_unreadable",
                    collection=walk["collection"],
                    id=before.id,
                    error=type(error).__name__,
                )
                continue
            if after != before:
                # The version stays: nothing that the document says has changed.
                tx.write_raw(walk["collection"], mongo.replacing(store.document(after)), before.id)
                renewed_ids.append(before.id)
                renewed_values += keyed.count_former(store.document(before))
        if renewed_ids:
            tx.note(ACTION, walk["collection"], documents=renewed_ids, keys=self._current)
        walk["renewed"] += renewed_values
        walk["left"] = max(0, walk["left"] - renewed_values)
        walk |= self._next_position(walk, page)
        tx.write_raw(COLLECTION, mongo.replacing(walk), WALK)
        return walk

    def _next_position(self, walk: Document, page: Sequence[Any]) -> Document:
        """Return where the next page begins; an empty collection says that none is left."""
        if len(page) == PAGE_DOCUMENTS:
            return {"after": page[-1].id}
        collections = [*self._stores, ""]
        following = collections[collections.index(walk["collection"]) + 1]
        return {"collection": following, "after": ""}

    async def _count_left(self, db: Mongo) -> int:
        """Return how many values do not name a current key."""
        counts = await _count_by_key(db, self._stores.values())
        return sum(values for (ring, _, key_id), values in counts.items() if key_id != ring.key_id)


async def status(db: Mongo, stores: Sequence[KeyedStore]) -> Document:
    """Return the progress of the rotation for /statusz; empty without former keys."""
    former = {ring.name: ring.former_ids for ring in _rings(stores) if ring.former_ids}
    if not former:
        return {}
    walk = await db.find_one(COLLECTION, {"_id": WALK})
    current = {ring.name: ring.key_id for ring in _rings(stores)}
    if walk is None or walk["current"] != current:
        return {"former": sorted(former), "left": None, "finished_at": None, "unreadable": 0}
    finished_at = walk["finished_at"]
    return {
        "former": sorted(former),
        "left": walk["left"],
        "unreadable": walk["unreadable"],
        "finished_at": finished_at.isoformat() if finished_at else None,
    }


def _key_id_at(document: Document, path: str) -> str:
    """Return the key id of the value at a dotted path; empty without a value."""
    value: Any = document
    for name in path.split("."):
        value = cast("Document", value).get(name) if isinstance(value, dict) else None
    return value.partition(".")[0] if isinstance(value, str) else ""


def _rings(stores: Iterable[KeyedStore]) -> list[KeyRing]:
    """Return the rings of these stores, each once."""
    return list(dict.fromkeys(ring for keyed in stores for ring in keyed.rings.values()))


async def _count_by_key(
    db: Mongo, stores: Iterable[KeyedStore]
) -> Counter[tuple[KeyRing, str, str]]:
    """Return how many values there are by ring, collection and key id; reads all documents."""
    counts: Counter[tuple[KeyRing, str, str]] = Counter()
    for keyed in stores:
        collection = keyed.store.collection
        for path, ring in keyed.rings.items():
            key_id = {"$arrayElemAt": [{"$split": [f"${path}", "."]}, 0]}
            groups = await db.aggregate(
                collection,
                [
                    {"$match": {path: {"$gt": ""}}},  # a text, and not an empty one
                    {"$group": {"_id": key_id, "values": {"$sum": 1}}},
                ],
            )
            for group in groups:
                counts[ring, collection, group["_id"]] += group["values"]
    return counts


async def _count_missing(
    db: Mongo, stores: Iterable[KeyedStore]
) -> dict[tuple[str, str], Counter[str]]:
    """Return how many values by collection need each key that no ring has, by ring and key id."""
    missing: dict[tuple[str, str], Counter[str]] = {}
    for (ring, collection, key_id), values in (await _count_by_key(db, stores)).items():
        if key_id not in ring.key_ids:
            by_collection = missing.setdefault((ring.name, key_id), Counter())
            by_collection[collection] += values
    return missing


def _describe_missing(service: str, missing: Mapping[tuple[str, str], Counter[str]]) -> str:
    """Return one sentence for each missing key, and what to do."""
    sentences: list[str] = []
    for (name, key_id), by_collection in sorted(missing.items()):
        values = ", ".join(f"{count} in {where}" for where, count in sorted(by_collection.items()))
        setting = f"{service}_former_{name}"
        sentences.append(
            f"{by_collection.total()} stored values need the key {key_id} of {service}_{name}, "
            f"which is not configured ({values}). Put that key back, as a line of {setting}, and "
            "remove it when ./bina status says that no value needs it; docs/keys.md has the steps."
        )
    return " ".join(sentences)
