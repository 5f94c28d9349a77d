"""Stores of the feed: changes without a number, the numbered log, its head.

Not here: its order.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Store
from services.manpower.feed.rules import FeedChange, FeedEntry, FeedHead
from services.manpower.visibility import rules as visibility


class FeedChanges(Store[FeedChange]):
    """Committed changes, in no order.

    Any command may add one; only the numbering job reads them.
    """

    kind = FeedChange
    collection = "feed_changes"
    scope = {"public": ""}
    indexes = (Index("occurred_at", "_id"), Index("subject_ref"))
    audited = False

    def narrowing(self) -> Filter | None:
        """Return None: callers read no changes."""
        return None

    async def count_waiting(self) -> int:
        """Return how many changes wait for their number, for the gauge."""
        return await self.count({})

    async def list_waiting(self, limit: int) -> list[FeedChange]:
        """Return the oldest changes without a number, by time.

        If there are more than `limit`, all other changes of the same subjects are included, so that
        the changes of one subject stay in order.
        """
        oldest = await self.find({}, sort=[("occurred_at", 1), ("_id", 1)], limit=limit)
        if len(oldest) < limit:
            return oldest
        subject_refs = {change.subject_ref for change in oldest}
        return await self.find({"subject_ref": {"$in": sorted(subject_refs)}})


class FeedEntries(Store[FeedEntry]):
    """The log. An outside reader's audiences are part of every query; officers see no entry."""

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
        """Return the filter by the caller's audiences; None (no entry) without a reader."""
        reader = visibility.reader_of(self.tx.caller)
        return None if reader is None else {"audiences": {"$in": list(reader.audiences)}}

    def admits(self, aggregate: FeedEntry) -> bool:
        """Return whether `narrowing` admits this entry."""
        reader = visibility.reader_of(self.tx.caller)
        return reader is not None and not aggregate.audiences.isdisjoint(reader.audiences)

    async def list_after(self, position: int, limit: int) -> list[FeedEntry]:
        """Return the entries after a position, in order."""
        return await self.find({"seq": {"$gt": position}}, sort=[("seq", 1)], limit=limit)

    async def find_first_since(self, moment: datetime) -> FeedEntry | None:
        """Return the first entry, in order, of a change at or after this moment."""
        return await self.first({"occurred_at": {"$gte": moment}}, sort=[("seq", 1)])

    async def list_before(self, moment: datetime, limit: int) -> list[FeedEntry]:
        """Return the oldest entries of the log, up to the first at or after this moment."""
        oldest = await self.find({}, sort=[("seq", 1)], limit=limit)
        return list(takewhile(lambda entry: entry.occurred_at < moment, oldest))


class FeedHeads(Store[FeedHead]):
    """One document, the head of the log. Only the leased jobs write it."""

    kind = FeedHead
    collection = "feed_heads"
    scope = {"public": ""}
    audited = False

    async def seek_current(self) -> FeedHead | None:
        """Return the head; None before the first entry."""
        return await self.seek("feed")
