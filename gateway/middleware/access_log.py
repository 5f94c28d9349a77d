"""What happened, in numbers and one log line per request: template, status, time. Never a path, a query or a person."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Histogram

from chassis import telemetry
from gateway import request_context
from gateway.access.permissions.versions import latest_version

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REQUESTS = Histogram(
    "gateway_request_seconds",
    "Answers by host group, route template and status",
    ["group", "method", "route", "status"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
UNROUTED = "unrouted"

log = structlog.get_logger(__name__)


class AccessLog:
    """Counts and logs each request when it is over."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._series: dict[tuple[str, str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        try:
            await self.app(scope, receive, send)
        finally:
            seconds = asyncio.get_running_loop().time() - crossing.started_at
            method, template = (
                (crossing.route.method, crossing.route.template)
                if crossing.route
                else ("any", UNROUTED)
            )
            self._get_series(crossing.group, method, template, crossing.status).observe(
                seconds, telemetry.exemplar()
            )
            whose = (
                {
                    "role": caller.role,
                    "role_version": latest_version(caller.role),
                    "grant": caller.grant_id,
                }
                if (caller := crossing.caller)
                else {"role": ""}
            )
            log.info(
                "answered",
                group=crossing.group,
                method=method,
                route=template,
                status=crossing.status,
                milliseconds=round(seconds * 1000, 1),
                **whose,
            )

    def _get_series(self, group: str, method: str, template: str, status: int) -> Histogram:
        key = group, method, template, status
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = REQUESTS.labels(group, method, template, str(status))
        return series
