"""A second try where the first never got an answer and a repeat does no harm, as long as few do it at a time. Not here: answers of a service, whatever their status."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from prometheus_client import Counter

from gateway import request_context
from gateway.middleware.circuit_breaker import CircuitBreakerOpen
from gateway.problems import UpstreamFailed, UpstreamUnavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import RequestContext

MAX_ATTEMPTS = 3
MAX_REPLAYED_BYTES = 65_536
BUDGET_SHARE = 0.2
MIN_BUDGET = 3
MAX_PAUSE_SECONDS = 0.05
RETRIES = Counter("gateway_retries_total", "Second and third tries towards a service", ["service"])


class Retries:
    """Tries again within the budget: at most 3 retries, or a fifth of what is in flight, at one time (after Envoy's retry budget)."""

    def __init__(
        self, app: ASGIApp, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self.app, self._pause = app, pause
        self._active_requests = 0
        self._active_retries = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        if (
            not crossing.matched_route.is_idempotent
            and request_context.read_single_header(scope, b"idempotency-key") is None
        ):
            await self.app(scope, receive, send)
            return
        replay = _ReplayableBody(receive)
        self._active_requests += 1
        try:
            try:
                await self.app(scope, replay.receive, send)
            except (UpstreamUnavailable, UpstreamFailed) as error:
                await self._retry(scope, replay, send, crossing, error)
        finally:
            self._active_requests -= 1

    async def _retry(
        self,
        scope: Scope,
        replay: _ReplayableBody,
        send: Send,
        ctx: RequestContext,
        error: UpstreamUnavailable | UpstreamFailed,
    ) -> None:
        if self._active_retries >= max(MIN_BUDGET, self._active_requests * BUDGET_SHARE):
            raise error
        self._active_retries += 1
        try:
            for tries in range(2, MAX_ATTEMPTS + 1):
                if isinstance(error, CircuitBreakerOpen) or ctx.status or not replay.is_replayable:
                    raise error
                await self._pause(random.uniform(0, MAX_PAUSE_SECONDS * tries))  # noqa: S311 - jitter
                replay.rewind()
                RETRIES.labels(ctx.matched_route.service).inc()
                try:
                    await self.app(scope, replay.receive, send)
                except (UpstreamUnavailable, UpstreamFailed) as again:
                    error = again
                else:
                    return
            raise error
        finally:
            self._active_retries -= 1


class _ReplayableBody:
    """The request's body as it comes, kept up to 64 KiB so that it can be read again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._size_bytes = 0
        self._position = 0

    @property
    def is_replayable(self) -> bool:
        """Whether everything read so far can be read again."""
        return self._size_bytes <= MAX_REPLAYED_BYTES

    def rewind(self) -> None:
        """Begin again with the first message."""
        self._position = 0

    async def receive(self) -> Message:
        """The next message, from memory while there are any."""
        if self._position < len(self._messages):
            self._position += 1
            return self._messages[self._position - 1]
        message = await self._receive()
        if message["type"] == "http.request":
            self._size_bytes += len(message.get("body", b""))
            if self.is_replayable:
                self._messages.append(message)
                self._position += 1
            else:
                self._messages.clear()
                self._position = 0
        return message
