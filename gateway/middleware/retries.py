"""A second try where the first never got an answer and a repeat does no harm, as long as few do it at a time. Not here: answers of a service, whatever their status."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from prometheus_client import Counter

from gateway import request_context
from gateway.middleware.circuit_breaker import BreakerOpen
from gateway.problems import ServiceAway, ServiceBroke

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import Passage

MOST_TRIES = 3
MOST_REPLAYED = 65_536
BUDGET_SHARE = 0.2
BUDGET_FLOOR = 3
LONGEST_PAUSE = 0.05
RETRIES = Counter("gateway_retries_total", "Second and third tries towards a service", ["service"])


class Retries:
    """Tries again within the budget: at most 3 retries, or a fifth of what is in flight, at one time (after Envoy's retry budget)."""

    def __init__(
        self, app: ASGIApp, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self.app, self._pause = app, pause
        self._active = 0
        self._retrying = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.of(scope)
        if (
            not crossing.routed.repeatable
            and request_context.header(scope, b"idempotency-key") is None
        ):
            await self.app(scope, receive, send)
            return
        replay = _Replay(receive)
        self._active += 1
        try:
            try:
                await self.app(scope, replay.receive, send)
            except (ServiceAway, ServiceBroke) as error:
                await self._again(scope, replay, send, crossing, error)
        finally:
            self._active -= 1

    async def _again(
        self,
        scope: Scope,
        replay: _Replay,
        send: Send,
        crossing: Passage,
        error: ServiceAway | ServiceBroke,
    ) -> None:
        if self._retrying >= max(BUDGET_FLOOR, self._active * BUDGET_SHARE):
            raise error
        self._retrying += 1
        try:
            for tries in range(2, MOST_TRIES + 1):
                if isinstance(error, BreakerOpen) or crossing.status or not replay.whole:
                    raise error
                await self._pause(random.uniform(0, LONGEST_PAUSE * tries))  # noqa: S311 - jitter
                replay.rewind()
                RETRIES.labels(crossing.routed.service).inc()
                try:
                    await self.app(scope, replay.receive, send)
                except (ServiceAway, ServiceBroke) as again:
                    error = again
                else:
                    return
            raise error
        finally:
            self._retrying -= 1


class _Replay:
    """The request's body as it comes, kept up to 64 KiB so that it can be read again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: list[Message] = []
        self._size = 0
        self._at = 0

    @property
    def whole(self) -> bool:
        """Whether everything read so far can be read again."""
        return self._size <= MOST_REPLAYED

    def rewind(self) -> None:
        """Begin again with the first message."""
        self._at = 0

    async def receive(self) -> Message:
        """The next message, from memory while there are any."""
        if self._at < len(self._kept):
            self._at += 1
            return self._kept[self._at - 1]
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self.whole:
                self._kept.append(message)
                self._at += 1
            else:
                self._kept.clear()
                self._at = 0
        return message
