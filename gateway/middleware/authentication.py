"""Who asks. No Authorization header means the public; one that proves nobody is refused, whatever is wrong with it, with one body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import request_context
from gateway.access.identity import ANONYMOUS
from gateway.problems import TokenRefused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.authn.tokens import TokenVerifier


MAX_GRANT_ID_LENGTH = 200  # of a grant's id: what was proved is remembered with it


class Authentication:
    """Puts the caller into the passage."""

    def __init__(self, app: ASGIApp, token_verifier: TokenVerifier) -> None:
        self.app, self._token_verifier = app, token_verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given:
            crossing.caller = ANONYMOUS
        else:
            scheme, _, token = given[0].partition(b" ")
            if len(given) > 1 or scheme.lower() != b"bearer" or not token.isascii():
                raise TokenRefused
            chosen = request_context.read_single_header(scope, b"acting-grant") or b""
            if len(chosen) > MAX_GRANT_ID_LENGTH:
                raise TokenRefused
            crossing.caller = await self._token_verifier.verify(
                token.decode(), chosen.decode("latin-1")
            )
        await self.app(scope, receive, send)
