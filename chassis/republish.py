"""Archived events published once more with their ids, so that every reader's inbox decides what is new to it. Not here: the first publication (outbox).

Only rows that were acknowledged before are sent, in order of key and seq: each is a late duplicate, so the order of first occurrences cannot suffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from chassis.errors import Busy
from chassis.inbox import INBOX_DAYS
from chassis.kafka import Producer, SendFailed
from chassis.mongo import Document, Mongo
from chassis.outbox import record
from chassis.replay import TooLongAgo
from chassis.store import CursorInvalid

PAGE = 500
REACH = timedelta(days=INBOX_DAYS - 1)  # what is published again may wait a day in the topic: the readers' inbox rows must outlast that


class Stretch(BaseModel):
    """The events committed from then until then, of one key or of all; `cursor` goes on with the next page."""

    model_config = ConfigDict(extra="forbid")
    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime = Field(alias="to")
    key: str | None = Field(None, max_length=1000)
    cursor: str | None = Field(None, max_length=2000)
    dry_run: bool = False

    def where(self, now: datetime) -> Document:
        """The outbox rows meant; TooLongAgo beyond what the readers can tell from new events."""
        if now - self.since > REACH:
            raise TooLongAgo(f"Paling awal {now - REACH:%Y-%m-%d %H:%M} UTC: masa ingat {INBOX_DAYS} hari dikurangi sehari untuk antrean di Kafka")
        return {"sent": True, "at": {"$gte": self.since, "$lt": min(self.until, now)}} | ({"key": self.key} if self.key is not None else {})


async def page(db: Mongo, where: Document, cursor: str | None, limit: int) -> tuple[list[Document], str | None]:
    """Outbox rows in order of key and seq, those behind the row whose id is the cursor, and the next cursor."""
    behind: Document = {}
    if cursor is not None:
        last = await db.find_one("outbox", {"_id": cursor})
        if last is None:
            raise CursorInvalid
        behind = {"key": {"$gte": last["key"]}, "$or": [{"key": {"$gt": last["key"]}}, {"seq": {"$gt": last["seq"]}}]}
    # by an index of keys whatever the planner thinks: by that of time, each page would read and sort the whole stretch again
    hint = "key_seq_unique" if where["sent"] else "sent_key_seq"
    rows = await db.find("outbox", {"$and": [where, behind]}, sort=[("key", 1), ("seq", 1)], limit=limit + 1, hint=hint)
    return rows[:limit], rows[limit - 1]["_id"] if len(rows) > limit else None


async def publish(producer: Producer, topic: str, rows: list[Document], service: str) -> None:
    """Send the rows in order; Busy when the broker does not take them all."""
    handed: list[Awaitable[object]] = []
    try:
        await producer.start()
        for row in rows:
            handed.append(await producer.send(topic, *record(row, service)))  # noqa: PERF401 - what was handed over is awaited also when a send fails
    except SendFailed as error:
        raise Busy from error
    finally:
        answers = await asyncio.gather(*handed, return_exceptions=True)
        await producer.stop()
    if any(isinstance(answer, BaseException) for answer in answers):
        raise Busy
