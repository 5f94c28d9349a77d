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
from gateway.middleware.rate_limit import counted_as
from gateway.problems import ServiceAway, ServiceBroke
from gateway.upstream.canaries import canary_of, is_chosen

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import Passage

WINDOW_SECONDS = 10.0
LEAST_VOLUME = 20
FAILING_SHARE = 0.5
OPEN_SECONDS = 5.0
PROBES = 3
OPEN = Gauge(
    "gateway_breaker_open", "1 while the breaker of a service lets only probes through", ["service"]
)
NO_ANSWER = frozenset({502, 504})  # an error that a service wrote itself says that it answers


class BreakerOpen(ServiceAway):
    """The service gave no answer too often; it is left alone for a moment."""


class Breaker:
    """Closed, open or half open. `clock` in seconds, monotonic. `admit` gives a ticket that `record` takes back: what began under another state says nothing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._opened_at: float | None = None
        self._ticket = 0
        self._probes = 0
        self._passed = 0

    @property
    def is_open(self) -> bool:
        """Whether it lets only probes through, or nothing."""
        return self._opened_at is not None

    def admit(self) -> int:
        """Let a request through; BreakerOpen where it may not."""
        if self._opened_at is not None:
            wait = self._opened_at + OPEN_SECONDS - self._clock()
            if wait > 0 or self._probes >= PROBES:
                raise BreakerOpen(retry_after=max(1, math.ceil(wait)))
            self._probes += 1
        return self._ticket

    def record(self, ticket: int, *, answered: bool | None) -> None:
        """How an admitted request ended; None when nobody can say (the client left)."""
        if ticket != self._ticket:
            return
        if self._opened_at is not None:
            self._record_probe(answered=answered)
        elif answered is not None:
            self._record_outcome(answered=answered)

    def _record_outcome(self, *, answered: bool) -> None:
        now = self._clock()
        self._outcomes.append((now, answered))
        self._failures += not answered
        while self._outcomes[0][0] < now - WINDOW_SECONDS:
            self._failures -= not self._outcomes.popleft()[1]
        if len(self._outcomes) >= LEAST_VOLUME and self._failures >= FAILING_SHARE * len(
            self._outcomes
        ):
            self._turn(now)

    def _record_probe(self, *, answered: bool | None) -> None:
        self._probes -= 1
        if answered is False:
            self._turn(self._clock())
        elif answered:
            self._passed += 1
            if self._passed >= PROBES:
                self._turn(None)

    def _turn(self, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._ticket += 1
        self._outcomes.clear()
        self._failures = self._probes = self._passed = 0


class CircuitBreakers:
    """Asks the breaker of the service, or of its canary, before; tells it the outcome after."""

    def __init__(self, app: ASGIApp, places: Iterable[str], clock: Callable[[], float]) -> None:
        self.app = app
        self.breakers = {place: Breaker(clock) for place in places}
        for place, breaker in self.breakers.items():
            OPEN.labels(place).set_function(partial(_openness, breaker))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.of(scope)
        crossing.place, ticket = self._admitted(crossing)
        breaker = self.breakers[crossing.place]
        answered: bool | None = None
        try:
            await self.app(
                scope,
                receive,
                partial(_begun, breaker, ticket, send) if crossing.routed.streaming else send,
            )
            answered = crossing.service_status not in NO_ANSWER
        except (ServiceAway, ServiceBroke):
            answered = False
            raise
        except asyncio.CancelledError:
            answered = False if _too_late(crossing) else None
            raise
        finally:
            if not (crossing.routed.streaming and crossing.service_status):
                breaker.record(ticket, answered=answered)

    def _admitted(self, crossing: Passage) -> tuple[str, int]:
        """Where the request goes: to the service's canary for those chosen, unless that gives no answer."""
        route = crossing.routed
        if route.canary and is_chosen(route, counted_as(crossing)):
            canary = canary_of(route.service)
            with suppress(KeyError, BreakerOpen):
                return canary, self.breakers[canary].admit()
        return route.service, self.breakers[route.service].admit()


async def _begun(breaker: Breaker, ticket: int, send: Send, message: Message) -> None:
    """Tell the breaker of an open-ended answer when it begins: it may flow for hours, and its end says nothing."""
    if message["type"] == "http.response.start":
        breaker.record(ticket, answered=message["status"] not in NO_ANSWER)
    await send(message)


def _openness(breaker: Breaker) -> float:
    return float(breaker.is_open)


def _too_late(crossing: Passage) -> bool:
    """Whether the deadline ended it and the service, not the client's upload, was what took so long."""
    return (
        not crossing.service_status
        and not crossing.upload_open
        and asyncio.get_running_loop().time() >= crossing.deadline
    )
