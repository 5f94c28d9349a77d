"""How many requests may be in flight towards one service: one more is told to come back, so that a slow service does not hold the whole door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from gateway import passage
from gateway.problems import ServiceBusy

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.reload import Routes

IN_FLIGHT = Gauge("gateway_in_flight_requests", "Requests in flight towards a service", ["service"])


class InFlightCap:
    """Counts per service against the cap of the table in force."""

    def __init__(self, app: ASGIApp, routes: Routes) -> None:
        self.app, self._routes = app, routes
        self.counts = dict.fromkeys(routes.table.in_flight, 0)
        self._gauges = {service: IN_FLIGHT.labels(service) for service in self.counts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = passage.of(scope).routed.service
        if self.counts[service] >= self._routes.table.in_flight[service]:
            raise ServiceBusy
        self._count(service, 1)
        try:
            await self.app(scope, receive, send)
        finally:
            self._count(service, -1)

    def _count(self, service: str, by: int) -> None:
        self.counts[service] += by
        self._gauges[service].set(self.counts[service])
