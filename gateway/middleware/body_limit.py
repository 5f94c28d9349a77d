"""Limits the size of a request body, by its announced length and while it streams.

Not here: the content of the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.errors import Malformed
from gateway import request_context
from gateway.problems import BodyTooLarge, ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import RequestContext


class BodyLimit:
    """Refuses a body beyond the route's limit in bytes. Raises BodyTooLarge."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        ctx = request_context.get_context(scope)
        limit = ctx.matched_route.body_limit_bytes
        ctx.upload_length = _read_announced_length(scope)
        ctx.is_upload_open = ctx.upload_length != 0
        if ctx.upload_length is not None and ctx.upload_length > limit:
            raise BodyTooLarge(limit)
        if not ctx.is_upload_open:
            return self.app(scope, receive, send)
        return self.app(scope, _LimitedBody(receive, ctx, limit), send)


class _LimitedBody:
    """A `receive` that counts the bytes of the body."""

    def __init__(self, receive: Receive, ctx: RequestContext, limit: int) -> None:
        self._receive = receive
        self._ctx = ctx
        self._limit = limit
        self._size_bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            if self._ctx.is_upload_open:
                raise ClientDisconnected
            return message
        self._size_bytes += len(message.get("body", b""))
        if self._size_bytes > self._limit:
            raise BodyTooLarge(self._limit)
        self._ctx.is_upload_open = message.get("more_body", False)
        return message


def _read_announced_length(scope: Scope) -> int | None:
    """Return the announced length; None if it is unknown, 0 without a body.

    The server has already refused lengths that are not numbers. Raises Malformed for any transfer
    coding except `chunked`, because it is not forwarded to the service.
    """
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise Malformed
            return None
        if name == b"content-length":
            length = int(value)
    return length
