"""How often a partner's system may call on one day, by its own quota, which administrators set. Not here: how often anybody may use one route (rates)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gateway import request_context
from gateway.problems import QuotaUsedUp

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.access.clients.daily_quota import QuotaCounter


class DailyQuota:
    """Counts the calls of systems; of people there is no such count. Headers as those of the rates."""

    def __init__(self, app: ASGIApp, counter: QuotaCounter) -> None:
        self.app, self._counter = app, counter

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        quota = crossing.identified_caller.calls_per_day
        if quota is not None:
            left, seconds = self._counter.count_call(crossing.identified_caller.subject, quota)
            wait = max(1, math.ceil(seconds))
            crossing.response_headers += [
                (b"ratelimit-policy", f'"day";q={quota};w=86400'.encode()),
                (b"ratelimit", f'"day";r={max(0, left - 1)};t={wait}'.encode()),
            ]
            if left <= 0:
                raise QuotaUsedUp(wait)
        return self.app(scope, receive, send)
