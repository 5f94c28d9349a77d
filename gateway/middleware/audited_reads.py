"""Whoever looks in from outside is seen: each request of an auditor is written down before it passes, and names need a reason. Not here: what auditors may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway import request_context
from gateway.problems import ReasonNeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.access.identity import Identity

WATCHED = frozenset({"auditor"})
NAMES = frozenset(
    {
        "GET /v1/participants/{participant_ref}/identity",
        "GET /v1/snapshots/{snapshot_id}/row-errors",  # cells as they came, where they could not be read
        "GET /v1/orders",  # the buyer's name and address
        "GET /v1/orders/{order_id}/record",
    }
)  # everywhere else people are references
SHORTEST_REASON, LONGEST_REASON = 10, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is looked at, and why."""

    service: str
    permission: str
    path: str
    reason: str


class Witness:
    """Writes down with `record` what a watched caller asks; without the record nothing passes."""

    def __init__(self, app: ASGIApp, record: Callable[[Identity, Look], Awaitable[None]]) -> None:
        self.app, self._record = app, record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.of(scope)
        if crossing.known.role in WATCHED:
            route = crossing.routed
            reason = (
                (request_context.header(scope, b"access-reason") or b"")
                .decode("utf-8", "replace")
                .strip()[:LONGEST_REASON]
            )
            if route.permission in NAMES and len(reason) < SHORTEST_REASON:
                raise ReasonNeeded
            await self._record(
                crossing.known,
                Look(
                    service=route.service,
                    permission=route.permission,
                    path=scope["path"],
                    reason=reason,
                ),
            )
        await self.app(scope, receive, send)
