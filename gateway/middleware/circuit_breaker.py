"""One circuit breaker per service: while most requests get no answer, none is sent but a few probes. Not here: answers with an error in them."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from gateway import request_context
from gateway.middleware.rate_limit import rate_limit_subject
from gateway.problems import UpstreamFailed, UpstreamUnavailable
from gateway.upstream.canaries import canary_of, is_chosen

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import RequestContext

WINDOW_SECONDS = 10.0
MIN_VOLUME = 20
FAILING_SHARE = 0.5
OPEN_SECONDS = 5.0
PROBES = 3
OPEN_GAUGE = Gauge(
    "gateway_circuit_breaker_open",
    "1 while the breaker of a service lets only probes through",
    ["service"],
)
NO_ANSWER_STATUSES = frozenset(
    {502, 504}
)  # an error that a service wrote itself says that it answers


class CircuitBreakerOpen(UpstreamUnavailable):
    """The service gave no answer too often; it is left alone for a moment."""

    code = "breaker_open"


class CircuitBreaker:
    """Closed, open or half open. `clock` in seconds, monotonic. `admit` gives a ticket that `record` takes back: what began under another state says nothing."""

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
        """Whether it lets only probes through, or nothing."""
        return self._opened_at is not None

    def admit(self) -> int:
        """Let a request through; CircuitBreakerOpen where it may not."""
        if self._opened_at is not None:
            wait = self._opened_at + OPEN_SECONDS - self._clock()
            if wait > 0 or self._probes >= PROBES:
                raise CircuitBreakerOpen(retry_after=max(1, math.ceil(wait)))
            self._probes += 1
        return self._generation

    def record(self, ticket: int, *, has_answered: bool | None) -> None:
        """How an admitted request ended; None when nobody can say (the client left)."""
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
            self._failures -= not self._outcomes.popleft()[1]
        if len(self._outcomes) >= MIN_VOLUME and self._failures >= FAILING_SHARE * len(
            self._outcomes
        ):
            self._change_state(now)

    def _record_probe(self, *, has_answered: bool | None) -> None:
        self._probes -= 1
        if has_answered is False:
            self._change_state(self._clock())
        elif has_answered:
            self._successful_probes += 1
            if self._successful_probes >= PROBES:
                self._change_state(None)

    def _change_state(self, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._generation += 1
        self._outcomes.clear()
        self._failures = self._probes = self._successful_probes = 0


class CircuitBreakers:
    """Asks the breaker of the service, or of its canary, before; tells it the outcome after."""

    def __init__(self, app: ASGIApp, targets: Iterable[str], clock: Callable[[], float]) -> None:
        self.app = app
        self.breakers = {place: CircuitBreaker(clock) for place in targets}
        for place, breaker in self.breakers.items():
            OPEN_GAUGE.labels(place).set_function(partial(_open_gauge_value, breaker))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        crossing.target, ticket = self._choose_target(crossing)
        breaker = self.breakers[crossing.target]
        answered: bool | None = None
        try:
            await self.app(
                scope,
                receive,
                partial(_record_first_byte, breaker, ticket, send)
                if crossing.matched_route.is_streaming
                else send,
            )
            answered = crossing.service_status not in NO_ANSWER_STATUSES
        except (UpstreamUnavailable, UpstreamFailed):
            answered = False
            raise
        except asyncio.CancelledError:
            answered = False if _is_upstream_timeout(crossing) else None
            raise
        finally:
            if not (crossing.matched_route.is_streaming and crossing.service_status):
                breaker.record(ticket, has_answered=answered)

    def _choose_target(self, ctx: RequestContext) -> tuple[str, int]:
        """Where the request goes: to the service's canary for those chosen, unless that gives no answer."""
        route = ctx.matched_route
        if route.canary and is_chosen(route, rate_limit_subject(ctx)):
            canary = canary_of(route.service)
            with suppress(KeyError, CircuitBreakerOpen):
                return canary, self.breakers[canary].admit()
        return route.service, self.breakers[route.service].admit()


async def _record_first_byte(
    breaker: CircuitBreaker, ticket: int, send: Send, message: Message
) -> None:
    """Tell the breaker of an open-ended answer when it begins: it may flow for hours, and its end says nothing."""
    if message["type"] == "http.response.start":
        breaker.record(ticket, has_answered=message["status"] not in NO_ANSWER_STATUSES)
    await send(message)


def _open_gauge_value(breaker: CircuitBreaker) -> float:
    return float(breaker.is_open)


def _is_upstream_timeout(ctx: RequestContext) -> bool:
    """Whether the deadline ended it and the service, not the client's upload, was what took so long."""
    return (
        not ctx.service_status
        and not ctx.is_upload_open
        and asyncio.get_running_loop().time() >= ctx.deadline
    )
