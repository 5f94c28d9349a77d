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
    from gateway.access.clients.daily_quota import Calls
    from gateway.authn.directory import Book
    from gateway.health import Readiness
    from gateway.middleware.rate_limit import Windows
    from gateway.routing.reloader import Routes
    from gateway.upstream.cancellation import OpenStreams
    from gateway.upstream.client import Upstream

LOOK_SECONDS = 2.0
GENERATION = Gauge("gateway_routes_generation", "How often the table of routes was put in force")
REFUSED = Gauge("gateway_routes_refused", "1 while the newest routes file cannot be used")

log = structlog.get_logger(__name__)


@dataclass(kw_only=True, eq=False)
class Door:
    """`public` serves every port but the internal one, where `inside` stands before `internal`, the chassis's app of the gateway's own database."""

    public: ASGIApp
    inside: ASGIApp
    internal: FastAPI
    internal_port: int
    routes: Routes
    upstream: Upstream
    streams: OpenStreams
    book: Book
    windows: Windows
    calls: Calls
    readiness: Readiness
    _loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            app = self.inside if scope["server"][1] == self.internal_port else self.public
            await app(scope, receive, send)

    def drain(self) -> None:
        """Be no longer ready and end open-ended answers; what else is under way goes on. For a signal handler."""
        self.readiness.draining = True
        self.internal.state.stopping.set()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.streams.end_all)

    @asynccontextmanager
    async def living(self) -> AsyncGenerator[None]:
        """Everything that must run while requests are served."""
        self._loop = asyncio.get_running_loop()
        try:
            async with self.internal.router.lifespan_context(self.internal):
                tasks = [
                    asyncio.create_task(_kept(work), name=work.__qualname__)
                    for work in (self._watch_routes, self._watch_revocations, self._share_windows)
                ]
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.upstream.close()

    async def _watch_routes(self) -> None:
        while True:
            GENERATION.set(self.routes.generation)
            REFUSED.set(bool(self.routes.problems))
            await asyncio.sleep(LOOK_SECONDS)
            self.routes.refresh()

    async def _watch_revocations(self) -> None:
        await self.internal.state.life.prepared.wait()
        while True:
            try:
                await self.book.refresh()
            finally:  # while the database is away the known ones hold, and time goes on
                self.streams.end_withdrawn(time.time())
            await asyncio.sleep(LOOK_SECONDS)

    async def _share_windows(self) -> None:
        await self.internal.state.life.prepared.wait()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            db: Mongo = self.internal.state.life.db
            await self.calls.exchange(db)
            if await db.count("leases", LIVING) > 1:
                await self.windows.exchange(db)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.living():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _kept(work: Callable[[], Awaitable[None]]) -> None:
    """Keep up work that must not end: after a failure it is logged by kind and begins anew."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look comes
            log.warning("interrupted, begins anew", work=work.__name__, error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)
