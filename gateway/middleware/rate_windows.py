"""The counts of the rate limit, as a storage backend of the library `limits`.

Not here: the limits (routes.toml).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from limits.aio.storage import Storage

from chassis.persistence.mongo import Index, replacing

if TYPE_CHECKING:
    from chassis.persistence.mongo import Mongo

Clock = Callable[[], float]
SWEEP_SECONDS = 60.0
PAGE_SIZE = 100
# Smaller counts of a large limit are not shared: a replica may miss two requests at each other one.
MIN_SHARED_COUNT = 3
# Every count of a smaller limit is shared, because two requests more would be a large part of it.
SMALL_LIMIT = 30
COLLECTION = "quotas"
INDEXES = (Index("key"), Index("ends", expire_seconds=0))


@dataclass(slots=True)
class _Window:
    """Requests of one key, counted here and elsewhere, until `ends_at` (epoch seconds)."""

    ends_at: float
    count: int = 0
    count_elsewhere: int = 0
    shared_count: int = 0


class RateWindows(Storage):
    """Fixed windows in memory, with the counts of the other replicas. `clock` in epoch seconds.

    Replicas exchange their counts with `synchronise`. Between two exchanges each counts for itself.
    A new window misses the others' counts until the next one, so requests further apart than an
    exchange exceed a limit of up to SMALL_LIMIT by at most one per other replica.

    A window begins with the replica's own first request, so at each exchange the sum covers at most
    one window's length. While the database is unavailable each replica counts for itself.

    The memory storage of `limits` scans all keys on every request; this one does so once a minute.
    The MongoDB storage of `limits` queries the database on every request.
    """

    STORAGE_SCHEME: list[str] | None = None

    def __init__(self, clock: Clock, replica: str = "") -> None:
        super().__init__()
        self._clock = clock
        self._replica = replica
        self._windows: dict[str, _Window] = {}
        self._swept_at = clock()

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Return the errors that this storage raises: none."""
        return ()

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count in the key's window and return the sum of all replicas.

        The first count opens the window. `expiry` is the window's length in seconds.
        """
        now = self._clock()
        self._sweep(now)
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            window = _Window(now + expiry)
            self._windows[key] = window
        window.count += amount
        return window.count + window.count_elsewhere

    async def get(self, key: str) -> int:
        """Return the sum of all replicas in the key's current window."""
        window = self._windows.get(key)
        if window is None or window.ends_at <= self._clock():
            return 0
        return window.count + window.count_elsewhere

    async def get_expiry(self, key: str) -> float:
        """Return when the key's window ends, in epoch seconds."""
        window = self._windows.get(key)
        return self._clock() if window is None else window.ends_at

    async def check(self) -> bool:
        """Return whether the storage is available: memory always is."""
        return True

    async def reset(self) -> int | None:
        """Forget all windows; return how many there were."""
        forgotten = len(self._windows)
        self._windows.clear()
        return forgotten

    async def clear(self, key: str) -> None:
        """Forget the key's window."""
        self._windows.pop(key, None)

    async def synchronise(self, db: Mongo) -> None:
        """Store the counts that changed here, and read those of the other replicas.

        Keys contain subjects and addresses, so only their hashes are stored.
        """
        now = self._clock()
        changed = [
            (sha256(key.encode()).hexdigest(), window)
            for key, window in self._windows.items()
            if _is_unshared(key, window, now)
        ]
        # In pages, so that requests continue between them.
        for first in range(0, len(changed), PAGE_SIZE):
            await self._synchronise_page(dict(changed[first : first + PAGE_SIZE]), db, now)

    async def _synchronise_page(
        self, windows: Mapping[str, _Window], db: Mongo, now: float
    ) -> None:
        # More requests may be counted while the database answers.
        stored_counts = {hashed: window.count for hashed, window in windows.items()}
        rows = [
            {
                "_id": f"{hashed}/{self._replica}",
                "key": hashed,
                "replica": self._replica,
                "count": stored_counts[hashed],
                "ends": _to_utc(window.ends_at),
            }
            for hashed, window in windows.items()
        ]
        await db.bulk(COLLECTION, [replacing(row, upsert=True) for row in rows])
        of_other_replicas = {
            "key": {"$in": list(windows)},
            "replica": {"$ne": self._replica},
            "ends": {"$gt": _to_utc(now)},
        }
        counts_elsewhere = Counter[str]()
        for row in await db.find(COLLECTION, of_other_replicas):
            counts_elsewhere[row["key"]] += row["count"]
        for hashed, window in windows.items():
            window.shared_count = stored_counts[hashed]
            window.count_elsewhere = counts_elsewhere[hashed]

    def _sweep(self, now: float) -> None:
        if now - self._swept_at <= SWEEP_SECONDS:
            return
        self._windows = {
            key: window for key, window in self._windows.items() if window.ends_at > now
        }
        self._swept_at = now


def _is_unshared(key: str, window: _Window, now: float) -> bool:
    is_large = window.count >= MIN_SHARED_COUNT or _read_limit(key) <= SMALL_LIMIT
    is_changed = window.count != window.shared_count
    return is_large and is_changed and window.ends_at > now


def _read_limit(key: str) -> int:
    """Return the limit in a key of `limits`, which ends with amount, multiples and granularity."""
    parts = key.rsplit("/", 3)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else SMALL_LIMIT + 1


def _to_utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
