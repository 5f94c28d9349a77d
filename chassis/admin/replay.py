"""Events once more: archived ones published again, and a projection rebuilt beside the live one. Not here: the first publication (outbox), parked letters.

Only rows that were acknowledged before are sent, with their ids, in order of key and seq: each is a late duplicate, so the order of first occurrences
cannot suffer, and every reader's inbox decides what is new to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chassis.admin.audit_search import Moment
from chassis.app import database_setup
from chassis.errors import Busy, Malformed, Refused
from chassis.messaging.inbox import INBOX_DAYS
from chassis.messaging.kafka import Producer, SendFailed
from chassis.messaging.outbox_relay import record
from chassis.persistence.mongo import Document, Mongo
from chassis.persistence.store import CursorInvalid, Store

PAGE = 500
REACH = timedelta(
    days=INBOX_DAYS - 1
)  # what is published again may wait a day in the topic: the readers' inbox rows must outlast that


class TooLongAgo(Refused):
    """Inbox rows are kept for 45 days: what lies before them cannot be told from new events."""

    title = "Pengulangan hanya dapat menjangkau 45 hari ke belakang"
    field = "from"


class ReplayRange(BaseModel):
    """The events committed from then until then, of one key or of all; `cursor` goes on with the next page."""

    model_config = ConfigDict(extra="forbid")
    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to")
    key: str | None = Field(None, max_length=1000)
    cursor: str | None = Field(None, max_length=2000)
    dry_run: bool = False

    def where(self, now: datetime) -> Document:
        """The outbox rows meant; TooLongAgo beyond what the readers can tell from new events."""
        if now - self.since > REACH:
            raise TooLongAgo(
                f"Paling awal {now - REACH:%Y-%m-%d %H:%M} UTC: masa ingat {INBOX_DAYS} hari dikurangi sehari untuk antrean di Kafka"
            )
        if (until := min(self.until, now)) <= self.since:
            raise Malformed(
                "Waktunya kosong: akhirnya harus sesudah awalnya, dan awalnya tidak di masa depan",
                field="to",
            )
        return {"sent": True, "at": {"$gte": self.since, "$lt": until}} | (
            {"key": self.key} if self.key is not None else {}
        )


async def page(
    db: Mongo, where: Document, cursor: str | None, limit: int
) -> tuple[list[Document], str | None]:
    """Outbox rows in order of key and seq, those behind the row whose id is the cursor, and the next cursor."""
    behind: Document = {}
    if cursor is not None:
        last = await db.find_one("outbox", {"_id": cursor})
        if last is None:
            raise CursorInvalid
        behind = {
            "key": {"$gte": last["key"]},
            "$or": [{"key": {"$gt": last["key"]}}, {"seq": {"$gt": last["seq"]}}],
        }
    # by an index of keys whatever the planner thinks: by that of time, each page would read and sort the whole stretch again
    hint = "key_seq_unique" if where["sent"] else "sent_key_seq"
    rows = await db.find(
        "outbox",
        {"$and": [where, behind]},
        sort=[("key", 1), ("seq", 1)],
        limit=limit + 1,
        hint=hint,
    )
    return rows[:limit], rows[limit - 1]["_id"] if len(rows) > limit else None


async def publish(producer: Producer, topic: str, rows: list[Document], service: str) -> None:
    """Send the rows in order; Busy when the broker does not take them all."""
    try:
        await producer.start()
        sent = await producer.send_all(topic, [record(row, service) for row in rows])
    except SendFailed as error:
        raise Busy from error
    finally:
        await producer.stop()
    if sent.failure:
        raise Busy


async def rebuild(
    db: Mongo, store: type[Store[Any]], fill: Callable[[Mongo, str], Awaitable[None]]
) -> int:
    """Build a projection anew beside the live one: `fill(db, name)` writes the collection `name`, then it takes the live one's place at once. How many documents it has.

    The live one is read all the while; nothing may write it meanwhile: what did would be lost with it.
    """
    beside = f"{store.collection}.rebuilt"
    await db.delete(beside, {})
    await db.ensure_collection(
        beside, database_setup.validator(store), store.indexes, await db.collections()
    )
    await fill(db, beside)
    count = await db.count(beside, {})
    await db.rename(beside, store.collection)
    return count
