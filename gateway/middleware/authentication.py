"""Establishes the caller from the bearer token. Not here: how a token is verified (authn).

A request without `Authorization` is anonymous, also one with the credentials of a client where the
route accepts them. Every bad token gets the same 401.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import request_context
from gateway.access.identity import ANONYMOUS
from gateway.problems import TokenRefused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.access.identity import Identity
    from gateway.authn.tokens import TokenVerifier
    from gateway.routing.table import Route

# The id is part of the key under which a verified token is cached, so its length is limited.
MAX_GRANT_ID_LENGTH = 200


class Authentication:
    """Puts the caller into the request context. Raises TokenRefused."""

    def __init__(self, app: ASGIApp, token_verifier: TokenVerifier) -> None:
        self.app = app
        self._token_verifier = token_verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        ctx.caller = await self._identify(scope, ctx.matched_route)
        await self.app(scope, receive, send)

    async def _identify(self, scope: Scope, route: Route) -> Identity:
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        if not values:
            return ANONYMOUS
        if len(values) > 1:
            raise TokenRefused
        scheme, _, token = values[0].partition(b" ")
        if scheme.lower() == b"basic" and route.accepts_basic:
            return ANONYMOUS
        if scheme.lower() != b"bearer" or not token.isascii():
            raise TokenRefused
        chosen_grant = request_context.read_single_header(scope, b"acting-grant") or b""
        if len(chosen_grant) > MAX_GRANT_ID_LENGTH:
            raise TokenRefused
        return await self._token_verifier.verify(token.decode(), chosen_grant.decode("latin-1"))
