"""Counts each system's calls per day over all replicas.

Not here: the quota of a system (rules).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

from chassis.persistence.mongo import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from chassis.persistence.mongo import Mongo

COLLECTION = "calls"
# Quota days begin at midnight in this zone, wherever the prison is.
QUOTA_TIME_ZONE = ZoneInfo("Asia/Jakarta")


def quota_day(now: datetime) -> tuple[str, datetime]:
    """Return the quota day as an ISO date, and the moment at which it ends (UTC)."""
    day = now.astimezone(QUOTA_TIME_ZONE).date()
    midnight = datetime.combine(day + timedelta(days=1), time.min, QUOTA_TIME_ZONE)
    return day.isoformat(), midnight.astimezone(UTC)


async def read_calls_today(subjects: Iterable[str], now: datetime, db: Mongo) -> Counter[str]:
    """Return the calls of these systems today, as far as the replicas have shared them."""
    day = quota_day(now)[0]
    ids = [f"{subject}/{day}" for subject in subjects]
    rows = await db.find(COLLECTION, {"_id": {"$in": ids}})
    return Counter({row["_id"].rpartition("/")[0]: row["count"] for row in rows})


@dataclass(slots=True)
class _DailyCount:
    """Calls of one system on one day: the last shared sum, and calls here not yet in it."""

    ends: datetime
    shared_total: int = 0
    unshared: int = 0


class QuotaCounter:
    """The counts of this replica, shared by `synchronise`. `clock` gives epoch seconds.

    While the database is unavailable each replica counts for itself.
    """

    COLLECTION: ClassVar[str] = COLLECTION
    INDEXES: ClassVar[Sequence[Index]] = (Index("ends", expire_seconds=86_400),)

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[str, _DailyCount] = {}

    def count_call(self, subject: str, quota: int) -> tuple[int, float]:
        """Count a call if the quota allows it.

        Returns the calls left before this one, and the seconds until the day ends.
        """
        now = datetime.fromtimestamp(self._clock(), UTC)
        day, ends = quota_day(now)
        count = self._counts.setdefault(f"{subject}/{day}", _DailyCount(ends))
        left = quota - count.shared_total - count.unshared
        if left > 0:
            count.unshared += 1
        return left, (ends - now).total_seconds()

    async def synchronise(self, db: Mongo) -> None:
        """Add the calls counted here to the shared sums, read those, and forget past days."""
        for key, count in list(self._counts.items()):
            if count.unshared:
                await self._share(key, count, db)
            elif count.ends.timestamp() <= self._clock():
                del self._counts[key]

    async def _share(self, key: str, count: _DailyCount, db: Mongo) -> None:
        added = count.unshared
        change = {"$inc": {"count": added}, "$setOnInsert": {"ends": count.ends}}
        row = await db.find_and_update(COLLECTION, {"_id": key}, change, upsert=True)
        # More calls may have been counted while the database answered.
        count.unshared -= added
        count.shared_total = row["count"] if row else added
