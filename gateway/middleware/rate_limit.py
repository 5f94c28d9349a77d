"""How often one subject may use one route, at all replicas together; the anonymous are told apart by address. Headers per draft-ietf-httpapi-ratelimit-headers-10."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from chassis.persistence.mongo import Index, replacing
from gateway import request_context
from gateway.access.identity import ANONYMOUS
from gateway.problems import RateExceeded

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chassis.persistence.mongo import Mongo
    from gateway.routing.table import Route

Clock = Callable[[], float]
SWEEP_SECONDS = 60.0
PAGE_SIZE = 100
MIN_SHARED_COUNT = 3  # requests in a window: fewer exceed no limit, however many replicas there are
COLLECTION, INDEXES = "quotas", (Index("key"), Index("ends", expire_seconds=0))


class RateLimit:
    """Counts per subject and route in fixed windows."""

    def __init__(self, app: ASGIApp, windows: RateWindows) -> None:
        self.app, self._windows = app, windows
        self._policies: dict[Route, bytes] = {}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        route = crossing.matched_route
        key = route.rate.key_for(rate_limit_subject(crossing), route.permission)
        count, seconds = self._windows.count_request(key, route.rate.get_expiry())
        wait = max(1, math.ceil(seconds))
        crossing.response_headers += [
            (b"ratelimit-policy", self._policy_header(route)),
            (b"ratelimit", f'"route";r={max(0, route.rate.amount - count)};t={wait}'.encode()),
        ]
        if count > route.rate.amount:
            raise RateExceeded(wait)
        return self.app(scope, receive, send)

    def _policy_header(self, route: Route) -> bytes:
        policy = self._policies.get(route)
        if policy is None:
            policy = self._policies[route] = (
                f'"route";q={route.rate.amount};w={route.rate.get_expiry()}'.encode()
            )
        return policy


@dataclass(slots=True)
class _Window:
    """Requests of one key counted here and by the other replicas, until it ends (epoch seconds)."""

    ends_at: float
    count: int = 0
    count_elsewhere: int = 0
    shared_count: int = 0


class RateWindows:
    """The windows of this replica; those that fill up are told to the others, and theirs counted in, every few seconds. `clock` in epoch seconds.

    Each replica's window of a key has its own beginning: together they count what came within one window's length, never more. While the database is away each replica counts
    for itself. The library's own memory scans every key on every hit; this one sweeps once a minute.
    """

    def __init__(self, clock: Clock, replica: str = "") -> None:
        self._clock, self._replica = clock, replica
        self._windows: dict[str, _Window] = {}
        self._swept_at = clock()

    async def synchronise(self, db: Mongo) -> None:
        """Tell the others what has changed here, and learn what they have counted. Keys go by their hash: they name subjects and addresses."""
        now = self._clock()
        changed = [
            (key, window)
            for key, window in self._windows.items()
            if window.count >= MIN_SHARED_COUNT
            and window.count != window.shared_count
            and window.ends_at > now
        ]
        for first in range(0, len(changed), PAGE_SIZE):  # requests go on between pages
            await self._synchronise_page(
                {
                    sha256(key.encode()).hexdigest(): window
                    for key, window in changed[first : first + PAGE_SIZE]
                },
                db,
                now,
            )

    async def _synchronise_page(
        self, changed: Mapping[str, _Window], db: Mongo, now: float
    ) -> None:
        told = {hashed: window.count for hashed, window in changed.items()}
        rows = [
            {
                "_id": f"{hashed}/{self._replica}",
                "key": hashed,
                "replica": self._replica,
                "count": told[hashed],
                "ends": _to_utc(window.ends_at),
            }
            for hashed, window in changed.items()
        ]
        await db.bulk(COLLECTION, [replacing(row, upsert=True) for row in rows])
        elsewhere = Counter[str]()
        for row in await db.find(
            COLLECTION,
            {
                "key": {"$in": list(changed)},
                "replica": {"$ne": self._replica},
                "ends": {"$gt": _to_utc(now)},
            },
        ):
            elsewhere[row["key"]] += row["count"]
        for hashed, window in changed.items():
            window.shared_count, window.count_elsewhere = told[hashed], elsewhere[hashed]

    def count_request(self, key: str, expiry: float) -> tuple[int, float]:
        """Count in the key's window, which a first count opens for `expiry` seconds; the count so far, here and elsewhere, and the seconds until it ends."""
        now = self._clock()
        if now - self._swept_at > SWEEP_SECONDS:
            self._windows = {
                known: window for known, window in self._windows.items() if window.ends_at > now
            }
            self._swept_at = now
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            window = self._windows[key] = _Window(now + expiry)
        window.count += 1
        return window.count + window.count_elsewhere, window.ends_at - now


def rate_limit_subject(ctx: request_context.RequestContext) -> str:
    """Whose request it is, where requests are counted: the caller's, or of the public that of an address."""
    return (
        f"@{group_address(ctx.address)}"
        if ctx.identified_caller is ANONYMOUS
        else ctx.identified_caller.subject
    )


def group_address(address: str) -> str:
    """Whom an address is counted with: one who has one of IPv6 has all 2^64 of its network, and takes another for every request."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False))


def _to_utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
