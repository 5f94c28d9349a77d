"""The headers that tell a browser what it may not do with an answer. Not here: which other origins may ask (cors)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import request_context
from gateway.routing.table import Group

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.request_context import Header

SECURITY_HEADERS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
]
_DEFAULT_HEADERS: list[Header] = [
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_HSTS: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_NOINDEX: Header = (b"x-robots-tag", b"noindex, nofollow")


class SecurityHeaders:
    """Adds them to every answer; `https` where the door is reached by TLS only (production). Only the shop may be found by search engines."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        always = [*SECURITY_HEADERS, *([_HSTS] if https else [])]
        self._headers_by_group = {
            group: always if group is Group.SHOP else [*always, _NOINDEX] for group in Group
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        crossing.response_headers += self._headers_by_group[crossing.group]
        crossing.default_headers += _DEFAULT_HEADERS
        return self.app(scope, receive, send)
