"""Which pages of other origins may ask: none, unless an origin is named. Bearer tokens only, never cookies."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

from gateway import request_context
from gateway.problems import OriginRefused
from gateway.routing.table import METHODS, Group

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_EXPOSED_HEADERS = b"etag, location, ratelimit, ratelimit-policy, retry-after, x-request-id"
_ALLOWED_HEADERS = b"accept-language, access-reason, acting-grant, authorization, content-type, idempotency-key, if-match, if-none-match, range, x-request-id"


class Cors:
    """Answers preflights and lets the named origins of a group read its answers (Fetch standard, CORS protocol)."""

    def __init__(self, app: ASGIApp, origins: Mapping[Group, frozenset[str]]) -> None:
        self.app, self._origins = app, origins

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        origin = request_context.read_single_header(scope, b"origin")
        allowed = origin is not None and origin.decode("latin-1") in self._origins.get(
            crossing.group, frozenset()
        )
        if self._origins.get(crossing.group):
            crossing.response_headers.append((b"vary", b"origin"))
        if origin is not None and allowed:
            crossing.response_headers += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED_HEADERS),
            ]
            crossing.default_headers.insert(0, (b"cross-origin-resource-policy", b"cross-origin"))
        if scope["method"] == "OPTIONS" and request_context.read_single_header(
            scope, b"access-control-request-method"
        ):
            if not allowed:
                raise OriginRefused
            crossing.response_headers += [
                (b"access-control-allow-methods", ", ".join(METHODS).encode()),
                (b"access-control-allow-headers", _ALLOWED_HEADERS),
                (b"access-control-max-age", b"600"),
            ]
            return _send_no_content(send)
        return self.app(scope, receive, send)


async def _send_no_content(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
