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
from gateway.middleware.rate_limit import counted_as
from gateway.problems import ServiceBusy, TooManyAtOnce

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.routing.reloader import Routes

CALLERS, LEAST = 4, 8  # a caller has the cap divided by so many, and at least so many
PUBLIC_SHARE = 2  # all of the public together likewise: whoever has a few addresses and slow bodies must not keep those out who signed in
IN_FLIGHT = Gauge("gateway_in_flight_requests", "Requests in flight towards a service", ["service"])


class InFlightCap:
    """Counts per service against the cap of the table in force."""

    def __init__(self, app: ASGIApp, routes: Routes) -> None:
        self.app, self._routes = app, routes
        self.counts = dict.fromkeys(routes.table.in_flight, 0)
        self._public = dict(self.counts)
        self._callers: Counter[tuple[str, str]] = Counter()
        for service in self.counts:
            IN_FLIGHT.labels(service).set_function(partial(self.counts.__getitem__, service))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.of(scope)
        service = crossing.routed.service
        cap, caller = self._routes.table.in_flight[service], (service, counted_as(crossing))
        public = crossing.known is ANONYMOUS
        if self.counts[service] >= cap or (
            public and self._public[service] >= max(LEAST, cap // PUBLIC_SHARE)
        ):
            raise ServiceBusy
        if self._callers[caller] >= max(LEAST, cap // CALLERS):
            raise TooManyAtOnce
        self._count(service, caller, 1)
        self._public[service] += public
        try:
            await self.app(scope, receive, send)
        finally:
            self._count(service, caller, -1)
            self._public[service] -= public

    def _count(self, service: str, caller: tuple[str, str], by: int) -> None:
        self.counts[service] += by
        self._callers[caller] += by
        if not self._callers[caller]:
            del self._callers[caller]
