"""Retries a request that got no response, if it is idempotent, within a budget.

Not here: responses of a service, whatever their status.
"""

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
    """Retries at most BUDGET_SHARE of the requests in flight, but at least MIN_BUDGET at a time.

    This is Envoy's retry budget.
    """

    def __init__(
        self, app: ASGIApp, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self.app = app
        self._pause = pause
        self._active_requests = 0
        self._active_retries = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        if not _may_repeat(scope, ctx):
            await self.app(scope, receive, send)
            return
        body = _ReplayableBody(receive)
        self._active_requests += 1
        try:
            await self._attempt_all(scope, body, send, ctx)
        finally:
            self._active_requests -= 1

    async def _attempt_all(
        self, scope: Scope, body: _ReplayableBody, send: Send, ctx: RequestContext
    ) -> None:
        try:
            await self.app(scope, body.receive, send)
        except (UpstreamUnavailable, UpstreamFailed) as error:
            budget = max(MIN_BUDGET, self._active_requests * BUDGET_SHARE)
            if self._active_retries >= budget:
                raise
            first_error = error
        else:
            return
        self._active_retries += 1
        try:
            await self._retry(scope, body, send, ctx, first_error)
        finally:
            self._active_retries -= 1

    async def _retry(
        self,
        scope: Scope,
        body: _ReplayableBody,
        send: Send,
        ctx: RequestContext,
        error: UpstreamUnavailable | UpstreamFailed,
    ) -> None:
        for attempt in range(2, MAX_ATTEMPTS + 1):
            if isinstance(error, CircuitBreakerOpen) or ctx.status or not body.is_replayable:
                break
            await self._pause(random.uniform(0, MAX_PAUSE_SECONDS * attempt))  # noqa: S311 - jitter
            body.rewind()
            RETRIES.labels(ctx.matched_route.service).inc()
            try:
                await self.app(scope, body.receive, send)
            except (UpstreamUnavailable, UpstreamFailed) as next_error:
                error = next_error
            else:
                return
        raise error


def _may_repeat(scope: Scope, ctx: RequestContext) -> bool:
    if ctx.matched_route.is_idempotent:
        return True
    return request_context.read_single_header(scope, b"idempotency-key") is not None


class _ReplayableBody:
    """The request body, kept up to MAX_REPLAYED_BYTES so that it can be read again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._size_bytes = 0
        self._position = 0

    @property
    def is_replayable(self) -> bool:
        """Return whether everything read so far can be read again."""
        return self._size_bytes <= MAX_REPLAYED_BYTES

    def rewind(self) -> None:
        """Return to the first message."""
        self._position = 0

    async def receive(self) -> Message:
        """Return the next message; after `rewind` from memory."""
        if self._position < len(self._messages):
            self._position += 1
            return self._messages[self._position - 1]
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        self._size_bytes += len(message.get("body", b""))
        if self.is_replayable:
            self._messages.append(message)
            self._position += 1
        else:
            self._messages.clear()
            self._position = 0
        return message
