"""Health of the services and readiness of the gateway. Not here: the chassis's own probes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gateway.problems import UpstreamUnavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.upstream.client import UpstreamClient

HEALTH_PATH = "/health/services"
PROBE_TIMEOUT_SECONDS = 2.0
CACHE_SECONDS = 1.0


class ServicesHealth:
    """Answers /health/services at the internal port: 200 if all services are ready, else 503.

    Every other path goes to the internal app.
    """

    def __init__(self, app: ASGIApp, services: Iterable[str], upstream: UpstreamClient) -> None:
        self.app = app
        self._services = tuple(services)
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != HEALTH_PATH:
            await self.app(scope, receive, send)
            return
        probes = await asyncio.gather(*map(self._probe, self._services))
        is_ready = all(probe["ready"] for probe in probes)
        by_service = dict(zip(self._services, probes, strict=True))
        body = json.dumps({"ready": is_ready, "services": by_service}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _probe(self, service: str) -> dict[str, Any]:
        try:
            status, content = await self._upstream.get_json(
                service, "/readyz", PROBE_TIMEOUT_SECONDS
            )
        except UpstreamUnavailable:
            return {"ready": False, "missing": ["answer"]}
        return {"ready": status == HTTPStatus.OK, "missing": content.get("missing", [])}


class Readiness:
    """The readiness of the gateway: nothing is missing and it is not draining.

    The probe is public, so its result is cached for CACHE_SECONDS.
    """

    def __init__(self, read_missing: Callable[[], Awaitable[list[str]]]) -> None:
        self._read_missing = read_missing
        self._is_complete = False
        self._valid_until = 0.0
        self._is_draining = False

    def start_draining(self) -> None:
        """Report not ready from now on."""
        self._is_draining = True

    async def __call__(self) -> bool:
        """Return whether the gateway is ready."""
        if time.monotonic() >= self._valid_until:
            self._valid_until = time.monotonic() + CACHE_SECONDS
            self._is_complete = not await self._read_missing()
        return self._is_complete and not self._is_draining
