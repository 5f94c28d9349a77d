"""Limits the time of a response. Not here: the time of a request head (server_protocol).

The deadline applies to the last byte, and to the first byte of an open-ended response. The service
gets the deadline as `x-request-deadline`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway import request_context
from gateway.problems import DeadlinePassed, UploadTooSlow

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Timeouts:
    """Ends a request at the route's deadline. Raises DeadlinePassed, UploadTooSlow."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        ctx.deadline = ctx.started_at + ctx.matched_route.deadline_seconds
        try:
            async with asyncio.timeout_at(ctx.deadline) as ctx.timeout:
                await self.app(scope, receive, send)
        except TimeoutError:
            if ctx.timeout is None or not ctx.timeout.expired():
                raise
            if ctx.is_upload_open:
                raise UploadTooSlow from None
            raise DeadlinePassed from None
