"""One circuit breaker per service: while most requests fail, only probes are sent.

Not here: error responses of a service. A service that sends one is responding.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from gateway import request_context
from gateway.problems import UpstreamFailed, UpstreamUnavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import RequestContext

WINDOW_SECONDS = 10.0
MIN_VOLUME = 20
FAILING_SHARE = 0.5
OPEN_SECONDS = 5.0
PROBES = 3
# A proxy in front of the service sends these. Any other error status is the service's own response.
NO_ANSWER_STATUSES = frozenset({502, 504})
OPEN_GAUGE = Gauge(
    "gateway_circuit_breaker_open",
    "1 while the breaker of a service lets only probes through",
    ["service"],
)


class CircuitBreakerOpen(UpstreamUnavailable):
    """Too many requests to the service failed; it gets no requests for a moment."""

    code = "breaker_open"


class CircuitBreaker:
    """A circuit breaker: closed, open or half open. `clock` is monotonic, in seconds.

    `admit` returns a ticket, which `record` needs. The outcome of a request that was admitted in an
    earlier state is ignored.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._opened_at: float | None = None
        self._generation = 0
        self._probes = 0
        self._successful_probes = 0

    @property
    def is_open(self) -> bool:
        """Return whether it is open or half open."""
        return self._opened_at is not None

    def admit(self) -> int:
        """Admit a request and return its ticket. Raises CircuitBreakerOpen."""
        if self._opened_at is not None:
            wait = self._opened_at + OPEN_SECONDS - self._clock()
            if wait > 0 or self._probes >= PROBES:
                raise CircuitBreakerOpen(retry_after=max(1, math.ceil(wait)))
            self._probes += 1
        return self._generation

    def record(self, ticket: int, *, has_answered: bool | None) -> None:
        """Record the outcome of an admitted request.

        `has_answered` is None if the outcome is unknown, because the client disconnected.
        """
        if ticket != self._generation:
            return
        if self._opened_at is not None:
            self._record_probe(has_answered=has_answered)
        elif has_answered is not None:
            self._record_outcome(has_answered=has_answered)

    def _record_outcome(self, *, has_answered: bool) -> None:
        now = self._clock()
        self._outcomes.append((now, has_answered))
        self._failures += not has_answered
        while self._outcomes[0][0] < now - WINDOW_SECONDS:
            _, had_answered = self._outcomes.popleft()
            self._failures -= not had_answered
        has_volume = len(self._outcomes) >= MIN_VOLUME
        if has_volume and self._failures >= FAILING_SHARE * len(self._outcomes):
            self._change_state(opened_at=now)

    def _record_probe(self, *, has_answered: bool | None) -> None:
        self._probes -= 1
        if has_answered is None:
            return
        if not has_answered:
            self._change_state(opened_at=self._clock())
            return
        self._successful_probes += 1
        if self._successful_probes >= PROBES:
            self._change_state(opened_at=None)

    def _change_state(self, *, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._generation += 1
        self._outcomes.clear()
        self._failures = 0
        self._probes = 0
        self._successful_probes = 0


class CircuitBreakers:
    """Admits each request at the breaker of its service, and records its outcome there."""

    def __init__(self, app: ASGIApp, services: Iterable[str], clock: Callable[[], float]) -> None:
        self.app = app
        self.breakers = {service: CircuitBreaker(clock) for service in services}
        for service, breaker in self.breakers.items():
            OPEN_GAUGE.labels(service).set_function(partial(_open_gauge_value, breaker))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        route = ctx.matched_route
        breaker = self.breakers[route.service]
        ticket = breaker.admit()
        if route.is_streaming:
            send = partial(_record_first_byte, breaker, ticket, send)
        has_answered: bool | None = None
        try:
            await self.app(scope, receive, send)
            has_answered = ctx.service_status not in NO_ANSWER_STATUSES
        except (UpstreamUnavailable, UpstreamFailed):
            has_answered = False
            raise
        except asyncio.CancelledError:
            has_answered = False if _is_upstream_timeout(ctx) else None
            raise
        finally:
            is_recorded = route.is_streaming and ctx.service_status
            if not is_recorded:
                breaker.record(ticket, has_answered=has_answered)


async def _record_first_byte(
    breaker: CircuitBreaker, ticket: int, send: Send, message: Message
) -> None:
    """Record the outcome of an open-ended response when it begins.

    It may last for hours, and its end says nothing about the service.
    """
    if message["type"] == "http.response.start":
        breaker.record(ticket, has_answered=message["status"] not in NO_ANSWER_STATUSES)
    await send(message)


def _open_gauge_value(breaker: CircuitBreaker) -> float:
    return float(breaker.is_open)


def _is_upstream_timeout(ctx: RequestContext) -> bool:
    """Return whether the deadline passed while we waited for the service, not for the client."""
    is_late = asyncio.get_running_loop().time() >= ctx.deadline
    return is_late and not ctx.service_status and not ctx.is_upload_open
