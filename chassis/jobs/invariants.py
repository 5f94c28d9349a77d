"""Invariants of the stored events, checked on a schedule; violations are logged by id.

Each check runs in one transaction, so that a change under way is not taken for a violation. A check
of a large collection reads one page each time it runs, and continues there the next time. A
document that was broken is checked again each time until it is repaired.

Not here: alerts, and how a violation is repaired (docs/runbooks).
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

PAGE = 500  # documents
NEWEST = 100  # rows of a key
NAMED = 20  # ids in a log line
EVERY_SECONDS = 300.0
LATE = timedelta(minutes=10)
EARLY_AT_MOST = timedelta(hours=24)
UNSEALED_AT_MOST = timedelta(minutes=1)
log = telemetry.log(__name__)


@dataclass(slots=True)
class InvariantScan:
    """The progress of one check: the end of its last page, and since when each id is broken."""

    after: str = ""
    following: str = ""
    broken_since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    async def page(
        self,
        tx: Transaction,
        collection: str,
        *fields: str,
        by: str = "_id",
        where: Document | None = None,
    ) -> list[Document]:
        """Return the next page in the order of `by`, then the documents that were broken."""
        where = where or {}
        shown = dict.fromkeys((by, *fields), 1)
        rows = await tx.db.find(
            collection,
            where | {by: {"$gt": self.after}},
            sort=[(by, 1)],
            limit=PAGE,
            fields=shown,
            session=tx.session,
        )
        self.following = rows[-1][by] if len(rows) == PAGE else ""
        if self.broken_since:
            is_broken = {"_id": {"$in": list(self.broken_since)}}
            rows += await tx.db.find(
                collection, where | is_broken, fields=shown, session=tx.session
            )
        return rows


# Returns the documents that violate the invariant.
InvariantCheck = Callable[[Transaction, InvariantScan], Awaitable[list[Document]]]


async def key_counters_match_rows(tx: Transaction, scan: InvariantScan) -> list[Document]:
    """Find keys whose counter is not the seq of the newest outbox row, or that miss a row."""
    keys = [key["_id"] for key in await scan.page(tx, "keys")]
    summary = {
        "_id": None,
        "rows": {"$sum": 1},
        "first": {"$min": "$seq"},
        "last": {"$max": "$seq"},
    }
    newest_rows = [
        {"$sort": {"seq": -1}},
        {"$limit": NEWEST},
        {"$project": {"_id": 0, "key": 1, "seq": 1}},
        {"$group": summary},
    ]
    lookup = {
        "from": OUTBOX,
        "localField": "_id",
        "foreignField": "key",
        "pipeline": newest_rows,
        "as": "newest",
    }
    pipeline = [{"$match": {"_id": {"$in": keys}}}, {"$lookup": lookup}]
    counters = await tx.db.aggregate("keys", pipeline, session=tx.session)
    return [key for key in counters if not _is_complete(key["seq"], key["newest"])]


def _is_complete(seq: int, newest: list[Document]) -> bool:
    """Return whether the summary of a key's newest rows ends at `seq` and has no gap."""
    if not newest:
        return False
    [summary] = newest
    rows_expected = seq - summary["first"] + 1
    if summary["last"] != seq or summary["rows"] != rows_expected:
        return False
    return summary["first"] == 1 or summary["rows"] == NEWEST


async def rows_are_sent_in_time(tx: Transaction, _scan: InvariantScan) -> list[Document]:
    """Find outbox rows that wait for 10 minutes although their key is not blocked."""
    heads = await tx.db.find("parked", {"kind": BLOCKED}, session=tx.session)
    blocked_keys = [head["key"] for head in heads]
    is_late = {"at": {"$lt": tx.now - LATE}, "key": {"$nin": blocked_keys}}
    return await _first_matches(tx, OUTBOX, UNSENT | is_late)


async def parked_heads_match_events(tx: Transaction, scan: InvariantScan) -> list[Document]:
    """Find heads with another count or first event than their parked events have."""
    heads = await scan.page(tx, "parked", "kind", "count", "first")
    ids = [head["_id"] for head in heads]
    match = {"$match": {"state": "parked", "marker": {"$in": ids}}}
    group = {"_id": "$marker", "count": {"$sum": 1}, "first": {"$min": "$order"}}
    summaries = await tx.db.aggregate("inbox", [match, {"$group": group}], session=tx.session)
    parked = {summary["_id"]: (summary["count"], summary["first"]) for summary in summaries}
    return [
        head
        for head in heads
        if head["kind"] == HEAD and parked.get(head["_id"]) != (head["count"], head["first"])
    ]


async def parked_events_have_head(tx: Transaction, scan: InvariantScan) -> list[Document]:
    """Find parked events without a head: later events of their key would overtake them."""
    events = await scan.page(tx, "inbox", by="marker", where={"state": "parked"})
    head_ids = list({event["marker"] for event in events})
    heads = await tx.db.find(
        "parked", {"_id": {"$in": head_ids}}, fields={"_id": 1}, session=tx.session
    )
    existing = {head["_id"] for head in heads}
    return [event for event in events if event["marker"] not in existing]


async def early_events_applied_when_known(tx: Transaction, scan: InvariantScan) -> list[Document]:
    """Find early events whose subject has been known for 10 minutes."""
    events = await scan.page(tx, "early", "waits_for")
    subjects = {event["waits_for"] for event in events}
    known = await known_by_now(tx.db, type(tx), subjects, tx.session)
    return [event for event in events if event["waits_for"] in known]


async def early_events_are_recent(tx: Transaction, _scan: InvariantScan) -> list[Document]:
    """Find early events that wait for over a day: their subject should be known by then."""
    return await _first_matches(tx, "early", {"since": {"$lt": tx.now - EARLY_AT_MOST}})


async def inbox_rows_expire(tx: Transaction, _scan: InvariantScan) -> list[Document]:
    """Find inbox rows of finished events that were not removed in time."""
    oldest_kept = tx.now - timedelta(days=INBOX_DAYS + 1)
    return await _first_matches(tx, "inbox", {"done_at": {"$lt": oldest_kept}})


async def audit_is_sealed(tx: Transaction, _scan: InvariantScan) -> list[Document]:
    """Find audit rows that wait for over a minute to be sealed."""
    where = {"block": None, "at": {"$lt": tx.now - UNSEALED_AT_MOST}}
    return await _first_matches(tx, "audit", where)


async def _first_matches(tx: Transaction, collection: str, where: Document) -> list[Document]:
    return await tx.db.find(collection, where, limit=PAGE, fields={"_id": 1}, session=tx.session)


# How long a document may violate each invariant before it is reported.
INVARIANTS: dict[InvariantCheck, timedelta] = {
    key_counters_match_rows: timedelta(0),
    rows_are_sent_in_time: timedelta(0),
    parked_heads_match_events: timedelta(0),
    parked_events_have_head: timedelta(0),
    early_events_are_recent: timedelta(0),
    inbox_rows_expire: timedelta(0),
    audit_is_sealed: timedelta(0),
    early_events_applied_when_known: LATE,
}


class Invariants:
    """The leased job that checks all invariants."""

    def __init__(self) -> None:
        self._scans = {check: InvariantScan() for check in INVARIANTS}

    async def __call__(self, run: Runner[Any]) -> bool:
        """Check each invariant once; return False, because nothing is left to do at once."""
        for check, scan in self._scans.items():
            now, rows = await run(partial(_check_at, check, scan))
            scan.after = scan.following
            scan.broken_since = {
                row["_id"]: scan.broken_since.get(row["_id"], now) for row in rows[:PAGE]
            }
            _report(check, scan, now, rows)
        telemetry.INVARIANTS_CHECKED.set_to_current_time()
        return False


def _report(
    check: InvariantCheck, scan: InvariantScan, now: datetime, rows: list[Document]
) -> None:
    """Set the gauge, and log the documents that have been broken for longer than allowed."""
    name = check.__name__
    # A head is logged by its first event, because its id contains a key, which may be any text.
    broken = {
        row["_id"]: row.get("first", row["_id"])
        for row in rows
        if now - scan.broken_since.get(row["_id"], now) >= INVARIANTS[check]
    }
    telemetry.INVARIANT_BROKEN.labels(name).set(len(broken))
    if broken:
        ids = list(broken.values())[:NAMED]
        log.error("invariant_broken", invariant=name, found=len(broken), ids=ids)


async def _check_at(
    check: InvariantCheck, scan: InvariantScan, tx: Transaction
) -> tuple[datetime, list[Document]]:
    return tx.now, await check(tx, scan)
