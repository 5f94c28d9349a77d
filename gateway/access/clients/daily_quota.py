"""How often each system called today, at all replicas together: counted here, summed in the database every two seconds. Not here: how often it may (clients)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from chassis.persistence.mongo import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chassis.persistence.mongo import Mongo

COLLECTION, INDEXES = "calls", (Index("ends", expire_seconds=86_400),)
QUOTA_TIME_ZONE = ZoneInfo(
    "Asia/Jakarta"
)  # in which a partner's day begins, wherever the prison is


def quota_day(now: datetime) -> tuple[str, datetime]:
    """The day at that moment, and when it ends."""
    day = now.astimezone(QUOTA_TIME_ZONE).date()
    return day.isoformat(), datetime.combine(
        day + timedelta(days=1), time.min, QUOTA_TIME_ZONE
    ).astimezone(UTC)


async def read_calls_today(subjects: Iterable[str], now: datetime, db: Mongo) -> Counter[str]:
    """How often each of these systems called today, as far as the replicas have told."""
    day = quota_day(now)[0]
    found = await db.find(
        COLLECTION, {"_id": {"$in": [f"{subject}/{day}" for subject in subjects]}}
    )
    return Counter({row["_id"].rpartition("/")[0]: row["count"] for row in found})


@dataclass(slots=True)
class _DailyCount:
    """Calls of one system on one day: the sum as it was last known, and those here that are not in it yet."""

    ends: datetime
    shared_total: int = 0
    unshared: int = 0


class QuotaCounter:
    """The counts of this replica. `clock` in epoch seconds. While the database is away each replica counts for itself."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[str, _DailyCount] = {}

    def count_call(self, subject: str, quota: int) -> tuple[int, float]:
        """Count a call unless the quota is used up; how many were left before it, and the seconds until the day ends."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        day, ends = quota_day(now)
        count = self._counts.setdefault(f"{subject}/{day}", _DailyCount(ends))
        left = quota - count.shared_total - count.unshared
        count.unshared += left > 0
        return left, (ends - now).total_seconds()

    async def synchronise(self, db: Mongo) -> None:
        """Add what was counted here to the sum of all, and learn it; days that are over are forgotten."""
        for key, count in list(self._counts.items()):
            if told := count.unshared:
                row = await db.find_and_update(
                    COLLECTION,
                    {"_id": key},
                    {"$inc": {"count": told}, "$setOnInsert": {"ends": count.ends}},
                    upsert=True,
                )
                count.unshared -= told
                count.shared_total = row["count"] if row else told
            elif count.ends.timestamp() <= self._clock():
                del self._counts[key]
