"""The response headers that restrict a browser. Not here: access from other origins (cors)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import request_context
from gateway.host_group import Group
from gateway.middleware.cors import is_public_document

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.problems import Header

SECURITY_HEADERS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
]
CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# Added unless the response has a header of that name.
DEFAULT_HEADERS: list[Header] = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY),
    (b"cache-control", b"no-store"),
]
READABLE_BY_US: Header = (b"cross-origin-resource-policy", b"same-origin")
READABLE_BY_ALL: Header = (b"cross-origin-resource-policy", b"cross-origin")
HSTS: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
NOINDEX: Header = (b"x-robots-tag", b"noindex, nofollow")


class SecurityHeaders:
    """Adds the headers to every response.

    `https` is True if clients reach the gateway only by TLS (production). Search engines may index
    only the shop.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        always = [*SECURITY_HEADERS]
        if https:
            always.append(HSTS)
        self._headers_by_group = {group: [*always, NOINDEX] for group in Group}
        self._headers_by_group[Group.SHOP] = always

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        ctx = request_context.get_context(scope)
        ctx.response_headers += self._headers_by_group[ctx.group]
        readable = READABLE_BY_ALL if is_public_document(scope) else READABLE_BY_US
        ctx.default_headers += [*DEFAULT_HEADERS, readable]
        return self.app(scope, receive, send)
