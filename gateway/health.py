"""What operators see at the internal port beside the chassis's probes: the services' health in one answer. Not here: what the public sees."""

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

PROBE_TIMEOUT_SECONDS = 2.0
CACHE_SECONDS = 1.0


class ServicesHealth:
    """Answers /health/services: 200 when all are ready, 503 when one is not, each by name. Everything else goes on to the internal app."""

    def __init__(self, app: ASGIApp, services: Iterable[str], upstream: UpstreamClient) -> None:
        self.app, self._services, self._upstream = app, tuple(services), upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/health/services":
            await self.app(scope, receive, send)
            return
        found = dict(
            zip(
                self._services, await asyncio.gather(*map(self._probe, self._services)), strict=True
            )
        )
        body = json.dumps(
            {"ready": all(one["ready"] for one in found.values()), "services": found}
        ).encode()
        status = 200 if all(one["ready"] for one in found.values()) else 503
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                ],
            }
        )
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
    """Whether the door is open: nothing missing and not draining. Asked by anybody, so the answer is remembered for a second."""

    def __init__(self, missing: Callable[[], Awaitable[list[str]]]) -> None:
        self._read_missing = missing
        self._is_complete = False
        self._valid_until = 0.0
        self.is_draining = False

    async def __call__(self) -> bool:
        """Whether to send requests here."""
        if time.monotonic() >= self._valid_until:
            self._valid_until = time.monotonic() + CACHE_SECONDS
            self._is_complete = not await self._read_missing()
        return self._is_complete and not self.is_draining
