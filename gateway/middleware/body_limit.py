"""How large a request body may be: refused by its announced length, and counted while it streams. Not here: what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.errors import Malformed
from gateway import request_context
from gateway.problems import BodyTooLarge, ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Stops a body at the route's limit, in bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        limit = crossing.matched_route.body_limit_bytes
        crossing.upload_length = _read_announced_length(scope)
        crossing.is_upload_open = crossing.upload_length != 0
        if (crossing.upload_length or 0) > limit:
            raise BodyTooLarge(limit)
        if not crossing.is_upload_open:
            return self.app(scope, receive, send)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.disconnect":
                if crossing.is_upload_open:
                    raise ClientDisconnected
                return message
            taken += len(message.get("body", b""))
            if taken > limit:
                raise BodyTooLarge(limit)
            crossing.is_upload_open = bool(message.get("more_body"))
            return message

        return self.app(scope, counted, send)


def _read_announced_length(scope: Scope) -> int | None:
    """The length the client announces; None for a body of unknown length, 0 for no body. Malformed for any coding but chunks.

    The server has refused what is not a number.
    """
    length = None
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            if (
                value.lower() != b"chunked"
            ):  # another coding around it would be lost on the way to the service
                raise Malformed
            return None
        if name == b"content-length":
            length = int(value)
    return length or 0
