"""Events once more: a bounded stretch of a topic through the live handlers, and a projection rebuilt from the archive beside the live one. Not here: parked letters.

Replaying is safe because every event's inbox row is asked first: what took effect is dropped, what is parked or early stays so. That holds for as long as inbox
rows are kept, so a replay through the live handlers reaches back at most 45 days.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic

from chassis.errors import Refused
from chassis.inbox import INBOX_DAYS, Arrival, Counted, Inbox, Tx
from chassis.kafka import Record
from chassis.mongo import Document, Mongo
from chassis.outbox import record
from chassis.runner import Runner
from chassis.store import Store
from chassis.unit_of_work import Transaction

PAGE = 500


class TooLongAgo(Refused):
    """Inbox rows are kept for 45 days: what lies before them cannot be told from new events."""

    title = "Pengulangan hanya dapat menjangkau 45 hari ke belakang"
    field = "from"


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What a replay did."""

    read: int = 0
    applied: int = 0
    known: int = 0
    parked: int = 0


class Replay(Generic[Tx]):
    """Runs archived rows of a topic's owner through this service's live handlers."""

    def __init__(self, inbox: Inbox[Tx], topic: str) -> None:
        self.inbox, self.topic = inbox, topic

    async def stretch(self, run: Runner[Tx], rows: AsyncIterator[list[Document]], service: str, since: datetime, *, dry: bool = False) -> Replayed:
        """Apply pages of archived rows (in key and seq order) that are not older than 45 days; `dry` only counts what would take effect."""
        if run.engine.clock() - since > timedelta(days=INBOX_DAYS):
            raise TooLongAgo
        total = Replayed()
        async for page in rows:
            arrivals = [arrival for row in page if (arrival := self.inbox.arrival(_as_record(row, self.topic, service)))]
            total.read += len(page)
            if dry:
                known = await run(lambda tx, arrivals=arrivals: _known(tx, arrivals))
                total.known += known
                total.applied += len(arrivals) - known
            elif arrivals:
                counted = await run(lambda tx, arrivals=arrivals: self._apply(tx, arrivals))
                total.applied += len(counted.applied)
                total.known += counted.repeated
                total.parked += len(counted.parked)
        return total

    async def _apply(self, tx: Tx, arrivals: list[Arrival]) -> Counted:
        tx.note("events.replayed", self.topic, events=len(arrivals))
        return await self.inbox.apply(tx, arrivals)


async def archive(db: Mongo, since: datetime, until: datetime, *, key: str | None = None, types: frozenset[str] | None = None) -> AsyncIterator[list[Document]]:
    """Pages of a service's outbox rows of that time in key and seq order, whether sent or not."""
    where: Document = {"at": {"$gte": since, "$lt": until}} | ({"key": key} if key else {}) | ({"type": {"$in": sorted(types)}} if types else {})
    after: Document = {}
    while page := await db.find("outbox", {"$and": [where, after]} if after else where, sort=[("key", 1), ("seq", 1)], limit=PAGE):
        yield page
        last = page[-1]
        after = {"$or": [{"key": {"$gt": last["key"]}}, {"key": last["key"], "seq": {"$gt": last["seq"]}}]}


async def rebuild(db: Mongo, store: type[Store[Any]], fill: Callable[[Mongo, str], Awaitable[None]]) -> int:
    """Build a projection anew beside the live one: `fill(db, name)` writes the collection `name`; then it takes the live one's place at once. How many documents it has."""
    beside = f"{store.collection}.rebuilt"
    await db.delete(beside, {})
    await db.ensure_collection(beside, None, store.indexes, {})
    await fill(db, beside)
    count = await db.count(beside, {})
    await db.rename(beside, store.collection)
    return count


async def _known(tx: Transaction, arrivals: list[Arrival]) -> int:
    return len(await tx.db.find("inbox", {"_id": {"$in": [arrival.id for arrival in arrivals]}}, fields={"_id": 1}, session=tx.session))


def _as_record(row: Document, topic: str, service: str) -> Record:
    key, value, headers = record(row, service)
    return Record(topic, 0, row["seq"], key, value, tuple(headers), int(row["at"].timestamp() * 1000))


__all__ = ["Replay", "Replayed", "TooLongAgo", "archive", "rebuild"]
