"""Adds to each response the headers that other middlewares left in the request context.

Not here: which headers these are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import request_context

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import RequestContext


class ResponseHeaders:
    """Adds the headers, and records the status that the client gets."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        ctx = request_context.get_context(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, ctx)
            await send(message)

        return self.app(scope, receive, send_with_headers)


def _add_headers(start: Message, ctx: RequestContext) -> None:
    ctx.status = start["status"]
    headers = [*start["headers"], *ctx.response_headers]
    present = {name for name, _ in headers}
    headers += [header for header in ctx.default_headers if header[0] not in present]
    start["headers"] = headers
