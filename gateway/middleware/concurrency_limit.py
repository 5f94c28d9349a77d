"""Limits the requests in flight towards a service: in total, per caller, and of the public.

So a slow service cannot block the whole gateway, and a caller with many long polls cannot block a
whole service. Not here: requests per minute (rate_limit).
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from gateway import request_context
from gateway.access.identity import ANONYMOUS
from gateway.middleware.rate_limit import rate_limit_subject
from gateway.problems import ServiceBusy, TooManyAtOnce

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.routing.reloader import RouteReloader

# One caller has a quarter of the total, but at least MIN_SHARE.
CALLER_SHARE_DIVISOR = 4
# All anonymous callers together have half: a few addresses with slow bodies must not block callers
# who are signed in.
PUBLIC_SHARE_DIVISOR = 2
MIN_SHARE = 8
IN_FLIGHT = Gauge("gateway_in_flight_requests", "Requests in flight towards a service", ["service"])


class ConcurrencyLimit:
    """Counts requests per service against the limits of the current route table.

    Raises ServiceBusy, TooManyAtOnce.
    """

    def __init__(self, app: ASGIApp, routes: RouteReloader) -> None:
        self.app = app
        self._routes = routes
        self.counts = dict.fromkeys(routes.table.concurrency_limits, 0)
        self._public_counts = dict(self.counts)
        self._caller_counts: Counter[tuple[str, str]] = Counter()
        for service in self.counts:
            IN_FLIGHT.labels(service).set_function(partial(self.counts.__getitem__, service))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        service = ctx.matched_route.service
        caller = rate_limit_subject(ctx)
        is_public = ctx.identified_caller is ANONYMOUS
        self._check(service, caller, is_public=is_public)
        self._change_counts(service, caller, 1, is_public=is_public)
        try:
            await self.app(scope, receive, send)
        finally:
            self._change_counts(service, caller, -1, is_public=is_public)

    def _check(self, service: str, caller: str, *, is_public: bool) -> None:
        limit = self._routes.table.concurrency_limits[service]
        public_limit = max(MIN_SHARE, limit // PUBLIC_SHARE_DIVISOR)
        caller_limit = max(MIN_SHARE, limit // CALLER_SHARE_DIVISOR)
        if self.counts[service] >= limit:
            raise ServiceBusy
        if is_public and self._public_counts[service] >= public_limit:
            raise ServiceBusy
        if self._caller_counts[service, caller] >= caller_limit:
            raise TooManyAtOnce

    def _change_counts(self, service: str, caller: str, change: int, *, is_public: bool) -> None:
        self.counts[service] += change
        if is_public:
            self._public_counts[service] += change
        self._caller_counts[service, caller] += change
        if not self._caller_counts[service, caller]:
            del self._caller_counts[service, caller]
