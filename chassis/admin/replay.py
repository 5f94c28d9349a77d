"""Replay: archived events are published again, page by page.

Not here: the first publication (messaging/outbox_relay), retries of parked events, rebuilds of a
projection (projections).

Rows keep their ids and are sent in order of key and seq. In the topic each is a late duplicate, so
the order of first occurrences does not change. The inbox of each consumer decides what is new.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import Busy, Malformed, Refused
from chassis.messaging.inbox import INBOX_DAYS
from chassis.messaging.kafka_ports import Producer, SendFailed
from chassis.messaging.outbox_relay import record
from chassis.moments import Moment
from chassis.persistence.mongo import Document, Mongo
from chassis.persistence.unit_of_work import OUTBOX
from chassis.texts import TEXTS

PAGE = 500
# A range of at most this many rows is read by time and sorted, for each page. All pages of a larger
# one together read the archive once.
MAX_SORTED = 20_000
Position = tuple[str, int]  # key and seq of an outbox row
# A replayed event may wait a day in the topic; the consumers' inbox rows must outlast that.
REACH = timedelta(days=INBOX_DAYS - 1)


class TooLongAgo(Refused):
    """Inbox rows expire after 45 days; consumers would apply older events a second time."""

    title = TEXTS["errors.too_long_ago"]
    field = "from"


class ReplayRange(BaseModel):
    """Events committed in [from, to), of one key or of all; `cursor` gives the next page."""

    model_config = ConfigDict(extra="forbid")
    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to")
    key: str | None = Field(None, max_length=1000)
    cursor: str | None = Field(None, max_length=2000)
    dry_run: bool = False

    def where(self, now: datetime) -> Document:
        """Return the filter of these outbox rows. Raises TooLongAgo, Malformed."""
        earliest = now - REACH
        if self.since < earliest:
            text = TEXTS["details.replay_earliest"]
            raise TooLongAgo(text.format(earliest=f"{earliest:%Y-%m-%d %H:%M}", days=INBOX_DAYS))
        until = min(self.until, now)
        if until <= self.since:
            raise Malformed(TEXTS["details.replay_empty"], field="to")
        where: Document = {"sent": True, "at": {"$gte": self.since, "$lt": until}}
        if self.key is not None:
            where["key"] = self.key
        return where

    def filters(self) -> Document:
        """Return what a cursor of this replay belongs to, a dry run or not."""
        return self.model_dump(include={"since", "until", "key"})


async def page(
    db: Mongo, where: Document, after: Position | None, limit: int
) -> tuple[list[Document], Position | None]:
    """Return outbox rows in order of key and seq, and the position of the last if more follow."""
    behind: Document = {}
    if after is not None:
        last_key, last_seq = after
        is_later = [{"key": {"$gt": last_key}}, {"seq": {"$gt": last_seq}}]
        behind = {"key": {"$gte": last_key}, "$or": is_later}
    hint = await _choose_index(db, where)
    rows = await db.find(
        OUTBOX,
        {"$and": [where, behind]},
        sort=[("key", 1), ("seq", 1)],
        limit=limit + 1,
        hint=hint,
    )
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], (last["key"], last["seq"])


async def _choose_index(db: Mongo, where: Document) -> str:
    """Return the name of the index that reads the fewest rows for a page."""
    if where.get("sent") is False:
        return "sent_key_seq"
    if "at" not in where or "key" in where:
        return "key_seq_unique"
    # For the number of rows, MongoDB reads the index on time only.
    counting = [{"$match": {"at": where["at"]}}, {"$limit": MAX_SORTED + 1}, {"$count": "rows"}]
    counted = await db.aggregate(OUTBOX, counting)
    is_small = not counted or counted[0]["rows"] <= MAX_SORTED
    return "at" if is_small else "key_seq_unique"


async def publish(producer: Producer, topic: str, rows: list[Document], service: str) -> None:
    """Send these rows in order. Raises Busy when the broker does not take them all."""
    try:
        await producer.start()
        sent = await producer.send_all(topic, [record(row, service) for row in rows])
    except SendFailed as error:
        raise Busy from error
    finally:
        await producer.stop()
    if sent.failure:
        raise Busy
