"""What must always be true of the stored events, looked at on a schedule: what is broken is counted and named by ids. Not here: alerts, and how to mend it (docs/runbooks).

Each look is one transaction, so that nothing seems broken that is only being written. A walk goes on page by page from look to look; what it has found is
looked at again in every look, until it is mended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from chassis import telemetry
from chassis.messaging.inbox import HEAD, INBOX_DAYS
from chassis.messaging.outbox_relay import BLOCKED, UNSENT
from chassis.messaging.waiting_events import known_by_now
from chassis.persistence.mongo import Document
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OUTBOX, Transaction

PAGE, NEWEST, NAMED = 500, 100, 20  # documents of a page, rows of a key, ids in a line of the log
EVERY_SECONDS, LATE, EARLY_AT_MOST, UNSEALED_AT_MOST = (
    300.0,
    timedelta(minutes=10),
    timedelta(hours=24),
    timedelta(minutes=1),
)
log = telemetry.log(__name__)


@dataclass(slots=True)
class InvariantScan:
    """Where one invariant's look stands: the last page, and what was found broken since when, by id."""

    after: str = ""
    following: str = ""
    found: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    async def page(
        self,
        tx: Transaction,
        collection: str,
        *fields: str,
        by: str = "_id",
        where: Document | None = None,
    ) -> list[Document]:
        """The next page in the order of `by`, and what was found broken before."""
        where, shown = where or {}, dict.fromkeys((by, *fields), 1)
        rows = await tx.db.find(
            collection,
            where | {by: {"$gt": self.after}},
            sort=[(by, 1)],
            limit=PAGE,
            fields=shown,
            session=tx.session,
        )
        self.following = rows[-1][by] if len(rows) == PAGE else ""
        if self.found:
            rows += await tx.db.find(
                collection,
                where | {"_id": {"$in": list(self.found)}},
                fields=shown,
                session=tx.session,
            )
        return rows


InvariantCheck = Callable[[Transaction, InvariantScan], Awaitable[list[Document]]]


async def key_counters_match_rows(tx: Transaction, walk: InvariantScan) -> list[Document]:
    """A key's counter is the seq of its newest outbox row, and none of its newest rows is missing."""
    keys = [key["_id"] for key in await walk.page(tx, "keys")]
    group = {"_id": None, "rows": {"$sum": 1}, "first": {"$min": "$seq"}, "last": {"$max": "$seq"}}
    newest = [
        {"$sort": {"seq": -1}},
        {"$limit": NEWEST},
        {"$project": {"_id": 0, "key": 1, "seq": 1}},
        {"$group": group},
    ]
    joined = {
        "from": OUTBOX,
        "localField": "_id",
        "foreignField": "key",
        "pipeline": newest,
        "as": "told",
    }
    return [
        key
        for key in await tx.db.aggregate(
            "keys", [{"$match": {"_id": {"$in": keys}}}, {"$lookup": joined}], session=tx.session
        )
        if not _whole(key["seq"], key["told"])
    ]


def _whole(seq: int, told: list[Document]) -> bool:
    return (
        bool(told)
        and told[0]["last"] == seq
        and seq - told[0]["first"] + 1 == told[0]["rows"]
        and (told[0]["first"] == 1 or told[0]["rows"] == NEWEST)
    )


async def rows_are_sent_in_time(tx: Transaction, _walk: InvariantScan) -> list[Document]:
    """No outbox row waits for 10 minutes, unless its key is stopped."""
    stopped = [
        marker["key"]
        for marker in await tx.db.find("parked", {"kind": BLOCKED}, session=tx.session)
    ]
    return await _some(
        tx, OUTBOX, UNSENT | {"at": {"$lt": tx.now - LATE}, "key": {"$nin": stopped}}
    )


async def parked_heads_match_events(tx: Transaction, walk: InvariantScan) -> list[Document]:
    """The marker of a parked key knows how many letters wait behind it, and the first."""
    markers = await walk.page(tx, "parked", "kind", "count", "first")
    wanted = [
        {"$match": {"state": "parked", "marker": {"$in": [marker["_id"] for marker in markers]}}}
    ]
    groups = await tx.db.aggregate(
        "inbox",
        [
            *wanted,
            {"$group": {"_id": "$marker", "count": {"$sum": 1}, "first": {"$min": "$order"}}},
        ],
        session=tx.session,
    )
    letters = {group["_id"]: (group["count"], group["first"]) for group in groups}
    return [
        marker
        for marker in markers
        if marker["kind"] == HEAD
        and letters.get(marker["_id"]) != (marker["count"], marker["first"])
    ]


async def parked_events_have_head(tx: Transaction, walk: InvariantScan) -> list[Document]:
    """A parked letter stands behind a marker: without one, later events of its key would pass it."""
    letters = await walk.page(tx, "inbox", by="marker", where={"state": "parked"})
    markers = await tx.db.find(
        "parked",
        {"_id": {"$in": list({letter["marker"] for letter in letters})}},
        fields={"_id": 1},
        session=tx.session,
    )
    there = {marker["_id"] for marker in markers}
    return [letter for letter in letters if letter["marker"] not in there]


async def early_events_applied_when_known(tx: Transaction, walk: InvariantScan) -> list[Document]:
    """No early fact waits for something that is here, 10 minutes on."""
    facts = await walk.page(tx, "early", "waits_for")
    there = await known_by_now(tx.db, type(tx), {fact["waits_for"] for fact in facts}, tx.session)
    return [fact for fact in facts if fact["waits_for"] in there]


async def early_events_are_recent(tx: Transaction, _walk: InvariantScan) -> list[Document]:
    """No early fact waits for a day: what it speaks of should have come."""
    return await _some(tx, "early", {"since": {"$lt": tx.now - EARLY_AT_MOST}})


async def inbox_rows_expire(tx: Transaction, _walk: InvariantScan) -> list[Document]:
    """What is done is forgotten in time, so that the inbox does not grow without end."""
    return await _some(tx, "inbox", {"done_at": {"$lt": tx.now - timedelta(days=INBOX_DAYS + 1)}})


async def audit_is_sealed(tx: Transaction, _walk: InvariantScan) -> list[Document]:
    """No audit row waits for a minute to be sealed."""
    return await _some(tx, "audit", {"block": None, "at": {"$lt": tx.now - UNSEALED_AT_MOST}})


async def _some(tx: Transaction, collection: str, where: Document) -> list[Document]:
    return await tx.db.find(collection, where, limit=PAGE, fields={"_id": 1}, session=tx.session)


_AT_ONCE: tuple[InvariantCheck, ...] = (
    key_counters_match_rows,
    rows_are_sent_in_time,
    parked_heads_match_events,
    parked_events_have_head,
    early_events_are_recent,
    inbox_rows_expire,
    audit_is_sealed,
)
INVARIANTS: dict[InvariantCheck, timedelta] = {
    **dict.fromkeys(_AT_ONCE, timedelta(0)),
    early_events_applied_when_known: LATE,
}  # how long it may be broken


class Invariants:
    """The leased job that looks at all of them."""

    def __init__(self) -> None:
        self._walks = {look: InvariantScan() for look in INVARIANTS}

    async def __call__(self, run: Runner[Any]) -> bool:
        """One look at each."""
        for look, walk in self._walks.items():
            now, rows = await run(partial(_looked, look, walk))
            walk.after = walk.following
            walk.found = {row["_id"]: walk.found.get(row["_id"], now) for row in rows[:PAGE]}
            broken = {
                row["_id"]: row.get("first", row["_id"])
                for row in rows
                if now - walk.found.get(row["_id"], now) >= INVARIANTS[look]
            }
            telemetry.INVARIANT_BROKEN.labels(look.__name__).set(len(broken))
            if (
                broken
            ):  # of a marker its first letter is named: a key may be anything that a record brought
                log.error(
                    "invariant_broken",
                    invariant=look.__name__,
                    found=len(broken),
                    ids=list(broken.values())[:NAMED],
                )
        telemetry.INVARIANTS_CHECKED.set_to_current_time()
        return False


async def _looked(
    look: InvariantCheck, walk: InvariantScan, tx: Transaction
) -> tuple[datetime, list[Document]]:
    return tx.now, await look(tx, walk)
