"""The gateway as one ASGI app: the public chain, the internal side at its own port, and the life of both. Not here: what stands in the chain (app)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Gauge

from chassis.messaging.outbox_relay import LIVING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chassis.persistence.mongo import Mongo
    from gateway.access.clients.daily_quota import QuotaCounter
    from gateway.authn.directory import CallerDirectory
    from gateway.health import Readiness
    from gateway.middleware.rate_limit import RateWindows
    from gateway.routing.reloader import RouteReloader
    from gateway.upstream.cancellation import OpenStreams
    from gateway.upstream.client import UpstreamClient

REFRESH_SECONDS = 2.0
ROUTE_GENERATION = Gauge(
    "gateway_routes_generation", "How often the table of routes was put in force"
)
ROUTE_RELOAD_FAILED = Gauge(
    "gateway_route_reload_failed", "1 while the newest routes file cannot be used"
)

log = structlog.get_logger(__name__)


@dataclass(kw_only=True, eq=False)
class GatewayApp:
    """`public` serves every port but the internal one, where `inside` stands before `internal`, the chassis's app of the gateway's own database."""

    public_app: ASGIApp
    internal_app: ASGIApp
    internal_api: FastAPI
    internal_port: int
    route_reloader: RouteReloader
    upstream: UpstreamClient
    open_streams: OpenStreams
    caller_directory: CallerDirectory
    rate_windows: RateWindows
    quota_counter: QuotaCounter
    readiness: Readiness
    _loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif scope["type"] == "http":
            app = self.internal_app if scope["server"][1] == self.internal_port else self.public_app
            await app(scope, receive, send)

    def drain(self) -> None:
        """Be no longer ready and end open-ended answers; what else is under way goes on. For a signal handler."""
        self.readiness.is_draining = True
        self.internal_api.state.stopping.set()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.open_streams.cancel_all)

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Everything that must run while requests are served."""
        self._loop = asyncio.get_running_loop()
        try:
            async with self.internal_api.router.lifespan_context(self.internal_api):
                tasks = [
                    asyncio.create_task(_keep_running(work), name=work.__qualname__)
                    for work in (self._reload_routes, self._refresh_revocations, self._share_counts)
                ]
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.upstream.close()

    async def _reload_routes(self) -> None:
        while True:
            ROUTE_GENERATION.set(self.route_reloader.generation)
            ROUTE_RELOAD_FAILED.set(bool(self.route_reloader.problems))
            await asyncio.sleep(REFRESH_SECONDS)
            self.route_reloader.refresh()

    async def _refresh_revocations(self) -> None:
        await self.internal_api.state.life.prepared.wait()
        while True:
            try:
                await self.caller_directory.refresh_revocations()
            finally:  # while the database is away the known ones hold, and time goes on
                self.open_streams.cancel_revoked(time.time())
            await asyncio.sleep(REFRESH_SECONDS)

    async def _share_counts(self) -> None:
        await self.internal_api.state.life.prepared.wait()
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            db: Mongo = self.internal_api.state.life.db
            await self.quota_counter.synchronise(db)
            if await db.count("leases", LIVING) > 1:
                await self.rate_windows.synchronise(db)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.run():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _keep_running(work: Callable[[], Awaitable[None]]) -> None:
    """Keep up work that must not end: after a failure it is logged by kind and begins anew."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look comes
            log.warning("interrupted, begins anew", work=work.__name__, error=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)
