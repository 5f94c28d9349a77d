"""The gateway as one ASGI app, and its background work.

Not here: the chain of middlewares (app).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Gauge

from chassis.jobs.supervision import run_supervised
from chassis.messaging.outbox_relay import LIVING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chassis.persistence.mongo import Mongo
    from gateway.access.interface import QuotaCounter
    from gateway.authn.directory import CallerDirectory
    from gateway.middleware.rate_windows import RateWindows
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


@dataclass(kw_only=True, eq=False)
class GatewayApp:
    """The ASGI app of all ports.

    `internal_app` serves the internal port, `public_app` all others. `internal_api` is the
    chassis's app of the gateway's own database; `internal_app` wraps it.
    """

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
    report_draining: Callable[[], None]
    _loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif scope["type"] == "http":
            app = self.internal_app if scope["server"][1] == self.internal_port else self.public_app
            await app(scope, receive, send)

    def drain(self) -> None:
        """Report not ready and end open-ended responses; other requests finish.

        A signal handler may call this.
        """
        self.report_draining()
        self.internal_api.state.stopping.set()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.open_streams.cancel_all)

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Run everything that requests need, until the context ends."""
        self._loop = asyncio.get_running_loop()
        try:
            async with (
                self.internal_api.router.lifespan_context(self.internal_api),
                self._background_work(),
            ):
                yield
        finally:
            await self.upstream.close()

    @asynccontextmanager
    async def _background_work(self) -> AsyncGenerator[None]:
        tasks = [
            asyncio.create_task(_supervise(work), name=work.__qualname__)
            for work in (self._reload_routes, self._refresh_revocations, self._share_counts)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

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
            finally:
                # Also while the database is unavailable: the cached revocations stay in force, and
                # tokens expire.
                self.open_streams.cancel_revoked(time.time())
            await asyncio.sleep(REFRESH_SECONDS)

    async def _share_counts(self) -> None:
        await self.internal_api.state.life.prepared.wait()
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            db: Mongo = self.internal_api.state.life.db
            await self.quota_counter.synchronise(db)
            has_other_replicas = await db.count("leases", LIVING) > 1
            if has_other_replicas:
                await self.rate_windows.synchronise(db)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.run():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _supervise(work: Callable[[], Awaitable[None]]) -> None:
    """Run background work until it is cancelled; its log lines name it as `work`."""
    structlog.contextvars.bind_contextvars(work=work.__name__)
    await run_supervised(work)
