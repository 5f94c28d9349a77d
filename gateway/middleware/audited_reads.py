"""Records each request of an auditor before it is forwarded.

Not here: what auditors may read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import request_context
from gateway.access.interface import AuditedRead
from gateway.problems import ReasonNeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.access.identity import Identity

AUDITED_ROLES = frozenset({"auditor"})
# All other routes show references instead of names.
PERMISSIONS_SHOWING_NAMES = frozenset(
    {
        "GET /v1/participants/{participant_ref}/identity",
        # Raw cells of a snapshot that could not be parsed.
        "GET /v1/snapshots/{snapshot_id}/row-errors",
        # The buyer's name and address.
        "GET /v1/orders",
        "GET /v1/orders/{order_id}/record",
    }
)
MIN_REASON_LENGTH = 10
MAX_REASON_LENGTH = 500


class AuditedReads:
    """Records the requests of audited roles with `record`; if that fails, the request fails.

    A route that shows names needs a reason in the header `access-reason`. Raises ReasonNeeded.
    """

    def __init__(
        self, app: ASGIApp, record: Callable[[Identity, AuditedRead], Awaitable[None]]
    ) -> None:
        self.app = app
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        caller = ctx.identified_caller
        if caller.role in AUDITED_ROLES:
            route = ctx.matched_route
            reason = _read_reason(scope)
            if route.permission in PERMISSIONS_SHOWING_NAMES and len(reason) < MIN_REASON_LENGTH:
                raise ReasonNeeded
            audited_read = AuditedRead(
                service=route.service,
                permission=route.permission,
                path=scope["path"],
                reason=reason,
            )
            await self._record(caller, audited_read)
        await self.app(scope, receive, send)


def _read_reason(scope: Scope) -> str:
    header = request_context.read_single_header(scope, b"access-reason") or b""
    return header.decode("utf-8", "replace").strip()[:MAX_REASON_LENGTH]
