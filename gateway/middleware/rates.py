"""How often one subject may use one route; the anonymous are told apart by address. Headers per draft-ietf-httpapi-ratelimit-headers-10."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from limits.aio.storage import Storage

from gateway import passage
from gateway.identity.caller import ANONYMOUS
from gateway.problems import RateExceeded

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.routes import Route

Clock = Callable[[], float]
SWEEP_SECONDS = 60.0


class RateLimit:
    """Counts per subject and route in fixed windows. `storage` decides who shares the count; `clock` in epoch seconds."""

    def __init__(self, app: ASGIApp, storage: Storage, clock: Clock) -> None:
        self.app, self._storage, self._clock = app, storage, clock
        self._policies: dict[Route, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = passage.of(scope)
        route = crossing.routed
        subject = f"@{crossing.address}" if crossing.known is ANONYMOUS else crossing.known.subject
        key = route.rate.key_for(subject, route.permission)
        count = await self._storage.incr(key, route.rate.get_expiry())
        wait = max(1, math.ceil(await self._storage.get_expiry(key) - self._clock()))
        crossing.headers += [(b"ratelimit-policy", self._policy(route)), (b"ratelimit", f'"route";r={max(0, route.rate.amount - count)};t={wait}'.encode())]
        if count > route.rate.amount:
            raise RateExceeded(wait)
        await self.app(scope, receive, send)

    def _policy(self, route: Route) -> bytes:
        policy = self._policies.get(route)
        if policy is None:
            policy = self._policies[route] = f'"route";q={route.rate.amount};w={route.rate.get_expiry()}'.encode()
        return policy


class ProcessMemory(Storage):
    """Windows of this process, for `limits`. The library's own scans every key on every hit; this one sweeps once a minute."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}
        self._swept_at = clock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What goes wrong in here."""
        return ValueError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count in the key's window, which a first count opens for `expiry` seconds; the count so far."""
        now = self._clock()
        if now - self._swept_at > SWEEP_SECONDS:
            self._windows = {known: window for known, window in self._windows.items() if window[1] > now}
            self._swept_at = now
        count, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + expiry
        self._windows[key] = count + amount, ends
        return count + amount

    async def get(self, key: str) -> int:
        """The count in the key's window."""
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > self._clock() else 0

    async def get_expiry(self, key: str) -> float:
        """When the key's window ends, in epoch seconds."""
        return self._windows.get(key, (0, self._clock()))[1]

    async def check(self) -> bool:
        """Memory is always there."""
        return True

    async def reset(self) -> int | None:
        """Forget all; how many windows there were."""
        known, self._windows = len(self._windows), {}
        return known

    async def clear(self, key: str) -> None:
        """Forget one window."""
        self._windows.pop(key, None)

    async def decr(self, key: str, amount: int = 1) -> int:
        """Take back counts."""
        count, ends = self._windows.get(key, (0, 0.0))
        self._windows[key] = max(0, count - amount), ends
        return max(0, count - amount)
