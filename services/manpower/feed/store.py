"""How the feed is kept: changes that wait for a number, the numbered log, and where it stands."""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Store
from services.manpower.feed.rules import FeedChange, FeedEntry, FeedHead
from services.manpower.visibility import rules as visibility


class FeedChanges(Store[FeedChange]):
    """Changes as they were committed, in no order. Anybody's command may add one; nobody but the numbering job reads them."""

    kind = FeedChange
    collection = "feed_changes"
    scope = {"public": ""}
    indexes = (Index("occurred_at", "_id"), Index("subject_ref"))
    audited = False

    def narrowing(self) -> Filter | None:
        """Callers read none."""
        return None

    async def count_waiting(self) -> int:
        """How many wait for their number, for figures."""
        return await self.count({})

    async def list_waiting(self, limit: int) -> list[FeedChange]:
        """The oldest changes without a number, with all others of the same subjects, so that none overtakes another."""
        oldest = await self.find({}, sort=[("occurred_at", 1), ("_id", 1)], limit=limit)
        return (
            await self.find(
                {"subject_ref": {"$in": sorted({change.subject_ref for change in oldest})}}
            )
            if len(oldest) == limit
            else oldest
        )


class FeedEntries(Store[FeedEntry]):
    """The log. An outside reader's audiences are part of every query; officers have no part in it."""

    kind = FeedEntry
    collection = "feed_entries"
    scope = {"public": ""}
    indexes = (
        Index("seq", unique=True),
        Index("audiences", "seq"),
        Index("audiences", "occurred_at", "seq"),
        Index("occurred_at"),
    )
    audited = False

    def narrowing(self) -> Filter | None:
        """Rows told to the caller's audiences; none without a reader."""
        reader = visibility.reader_of(self.tx.caller)
        return None if reader is None else {"audiences": {"$in": list(reader.audiences)}}

    def admits(self, aggregate: FeedEntry) -> bool:
        """The same for one row."""
        reader = visibility.reader_of(self.tx.caller)
        return reader is not None and bool(aggregate.audiences & set(reader.audiences))

    async def list_after(self, position: int, limit: int) -> list[FeedEntry]:
        """The rows behind a position, in order."""
        return await self.find({"seq": {"$gt": position}}, sort=[("seq", 1)], limit=limit)

    async def find_first_since(self, moment: datetime) -> FeedEntry | None:
        """The first row in the log's order that tells of something since this moment."""
        return await self.first({"occurred_at": {"$gte": moment}}, sort=[("seq", 1)])

    async def list_before(self, moment: datetime, limit: int) -> list[FeedEntry]:
        """The first rows of the log that tell of something before this moment."""
        oldest = await self.find({}, sort=[("seq", 1)], limit=limit)
        newer = next(
            (place for place, entry in enumerate(oldest) if entry.occurred_at >= moment),
            len(oldest),
        )
        return oldest[:newer]


class FeedHeads(Store[FeedHead]):
    """One document: where the log stands. Written by the leased jobs alone."""

    kind = FeedHead
    collection = "feed_heads"
    scope = {"public": ""}
    audited = False

    async def seek_current(self) -> FeedHead | None:
        """The head; None before the first row."""
        return await self.seek("feed")
