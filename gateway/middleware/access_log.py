"""One histogram sample and one log line per request: template, status, time.

Not here: paths, queries and persons, which no log or metric may name.
"""

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

    from gateway.request_context import RequestContext

REQUESTS = Histogram(
    "gateway_request_seconds",
    "Answers by host group, route template and status",
    ["group", "method", "route", "status"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ANY_METHOD = "any"
UNROUTED = "unrouted"

log = structlog.get_logger(__name__)


class AccessLog:
    """Measures and logs each request when it ends."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._series: dict[tuple[str, str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        try:
            await self.app(scope, receive, send)
        finally:
            self._record(ctx)

    def _record(self, ctx: RequestContext) -> None:
        seconds = asyncio.get_running_loop().time() - ctx.started_at
        method = ctx.route.method if ctx.route else ANY_METHOD
        template = ctx.route.template if ctx.route else UNROUTED
        series = self._get_series(ctx.group, method, template, ctx.status)
        series.observe(seconds, telemetry.exemplar())
        log.info(
            "answered",
            group=ctx.group,
            method=method,
            route=template,
            status=ctx.status,
            milliseconds=round(seconds * 1000, 1),
            **_describe_caller(ctx),
        )

    def _get_series(self, group: str, method: str, template: str, status: int) -> Histogram:
        key = group, method, template, status
        series = self._series.get(key)
        if series is None:
            series = REQUESTS.labels(group, method, template, str(status))
            self._series[key] = series
        return series


def _describe_caller(ctx: RequestContext) -> dict[str, object]:
    caller = ctx.caller
    if caller is None:
        return {"role": ""}
    return {
        "role": caller.role,
        "role_version": latest_version(caller.role),
        "grant": caller.grant_id,
    }
