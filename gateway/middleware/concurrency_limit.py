"""How many requests may be in flight towards one service, how many of them one caller's and how many the public's: one more is told to come back.

So a slow service does not hold the whole door, nor a caller with many long polls a whole service.
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

CALLER_SHARE_DIVISOR, MIN_SHARE = (
    4,
    8,
)  # a caller has the cap divided by so many, and at least so many
PUBLIC_SHARE_DIVISOR = 2  # all of the public together likewise: whoever has a few addresses and slow bodies must not keep those out who signed in
IN_FLIGHT = Gauge("gateway_in_flight_requests", "Requests in flight towards a service", ["service"])


class ConcurrencyLimit:
    """Counts per service against the cap of the table in force."""

    def __init__(self, app: ASGIApp, routes: RouteReloader) -> None:
        self.app, self._routes = app, routes
        self.counts = dict.fromkeys(routes.table.concurrency_limits, 0)
        self._public_counts = dict(self.counts)
        self._caller_counts: Counter[tuple[str, str]] = Counter()
        for service in self.counts:
            IN_FLIGHT.labels(service).set_function(partial(self.counts.__getitem__, service))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        service = crossing.matched_route.service
        cap, caller = (
            self._routes.table.concurrency_limits[service],
            (service, rate_limit_subject(crossing)),
        )
        public = crossing.identified_caller is ANONYMOUS
        if self.counts[service] >= cap or (
            public and self._public_counts[service] >= max(MIN_SHARE, cap // PUBLIC_SHARE_DIVISOR)
        ):
            raise ServiceBusy
        if self._caller_counts[caller] >= max(MIN_SHARE, cap // CALLER_SHARE_DIVISOR):
            raise TooManyAtOnce
        self._change_counts(service, caller, 1)
        self._public_counts[service] += public
        try:
            await self.app(scope, receive, send)
        finally:
            self._change_counts(service, caller, -1)
            self._public_counts[service] -= public

    def _change_counts(self, service: str, caller: tuple[str, str], change: int) -> None:
        self.counts[service] += change
        self._caller_counts[caller] += change
        if not self._caller_counts[caller]:
            del self._caller_counts[caller]
