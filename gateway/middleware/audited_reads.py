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

AUDITED_ROLES = frozenset({"auditor"})
PERMISSIONS_SHOWING_NAMES = frozenset(
    {
        "GET /v1/participants/{participant_ref}/identity",
        "GET /v1/snapshots/{snapshot_id}/row-errors",  # cells as they came, where they could not be read
        "GET /v1/orders",  # the buyer's name and address
        "GET /v1/orders/{order_id}/record",
    }
)  # everywhere else people are references
MIN_REASON_LENGTH, MAX_REASON_LENGTH = 10, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRead:
    """What is looked at, and why."""

    service: str
    permission: str
    path: str
    reason: str


class AuditedReads:
    """Writes down with `record` what a watched caller asks; without the record nothing passes."""

    def __init__(
        self, app: ASGIApp, record: Callable[[Identity, AuditedRead], Awaitable[None]]
    ) -> None:
        self.app, self._record = app, record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        if crossing.identified_caller.role in AUDITED_ROLES:
            route = crossing.matched_route
            reason = (
                (request_context.read_single_header(scope, b"access-reason") or b"")
                .decode("utf-8", "replace")
                .strip()[:MAX_REASON_LENGTH]
            )
            if route.permission in PERMISSIONS_SHOWING_NAMES and len(reason) < MIN_REASON_LENGTH:
                raise ReasonNeeded
            await self._record(
                crossing.identified_caller,
                AuditedRead(
                    service=route.service,
                    permission=route.permission,
                    path=scope["path"],
                    reason=reason,
                ),
            )
        await self.app(scope, receive, send)
