"""Limits a system's calls per day. Not here: requests per route (rate_limit)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gateway import request_context
from gateway.problems import QuotaUsedUp

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.access.interface import QuotaCounter
    from gateway.request_context import RequestContext


class DailyQuota:
    """Counts the calls of systems with a quota; people have none. Raises QuotaUsedUp.

    The response headers have the same names as those of the rate limit.
    """

    def __init__(self, app: ASGIApp, counter: QuotaCounter) -> None:
        self.app = app
        self._counter = counter

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        ctx = request_context.get_context(scope)
        quota = ctx.identified_caller.calls_per_day
        if quota is not None:
            self._count(ctx, quota)
        return self.app(scope, receive, send)

    def _count(self, ctx: RequestContext, quota: int) -> None:
        left, seconds = self._counter.count_call(ctx.identified_caller.subject, quota)
        wait = max(1, math.ceil(seconds))
        remaining = max(0, left - 1)
        ctx.response_headers += [
            (b"ratelimit-policy", f'"day";q={quota};w=86400'.encode()),
            (b"ratelimit", f'"day";r={remaining};t={wait}'.encode()),
        ]
        if left <= 0:
            raise QuotaUsedUp(wait)
