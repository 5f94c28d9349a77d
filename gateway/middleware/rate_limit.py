"""Limits how often one subject uses one route, across all replicas.

Anonymous callers are counted by address. The headers follow
draft-ietf-httpapi-ratelimit-headers-10. Not here: a system's calls per day (daily_quota).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from limits.aio.strategies import FixedWindowRateLimiter

from gateway import request_context
from gateway.access.identity import ANONYMOUS
from gateway.problems import RateExceeded

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.middleware.rate_windows import Clock, RateWindows
    from gateway.request_context import RequestContext
    from gateway.routing.table import Route


class RateLimit:
    """Counts per subject and route in fixed windows. Raises RateExceeded."""

    def __init__(self, app: ASGIApp, windows: RateWindows, clock: Clock) -> None:
        self.app = app
        self._limiter = FixedWindowRateLimiter(windows)
        self._clock = clock
        self._policies: dict[Route, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        route = ctx.matched_route
        subject = rate_limit_subject(ctx)
        is_allowed = await self._limiter.hit(route.rate, subject, route.permission)
        stats = await self._limiter.get_window_stats(route.rate, subject, route.permission)
        wait = max(1, math.ceil(stats.reset_time - self._clock()))
        ctx.response_headers += [
            (b"ratelimit-policy", self._policy_header(route)),
            (b"ratelimit", f'"route";r={stats.remaining};t={wait}'.encode()),
        ]
        if not is_allowed:
            raise RateExceeded(wait)
        await self.app(scope, receive, send)

    def _policy_header(self, route: Route) -> bytes:
        policy = self._policies.get(route)
        if policy is None:
            policy = f'"route";q={route.rate.amount};w={route.rate.get_expiry()}'.encode()
            self._policies[route] = policy
        return policy


def rate_limit_subject(ctx: RequestContext) -> str:
    """Return the key that requests are counted by: the subject, or an anonymous address."""
    if ctx.identified_caller is ANONYMOUS:
        return f"@{ctx.client_network}"
    return ctx.identified_caller.subject
