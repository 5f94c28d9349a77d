"""How long an answer may take in all: until the last byte, for an open-ended answer until the first. Passed on as x-request-deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway import request_context
from gateway.problems import DeadlinePassed, UploadTooSlow

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Timeouts:
    """Ends what takes longer than the route allows."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        crossing.deadline = crossing.started_at + crossing.matched_route.deadline_seconds
        try:
            async with asyncio.timeout_at(crossing.deadline) as crossing.timeout:
                await self.app(scope, receive, send)
        except TimeoutError:
            if crossing.timeout is None or not crossing.timeout.expired():
                raise
            raise UploadTooSlow if crossing.is_upload_open else DeadlinePassed from None
