"""Gives the request the internal token that identifies the caller to one service.

Not here: the signature (chassis/http/internal_tokens).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING

from chassis.caller import Caller
from gateway import request_context

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chassis.http.internal_tokens import InternalTokenSigner
    from gateway.access.identity import Identity
    from gateway.access.permissions import RolePermissions

REUSED_SECONDS = 20.0
MAX_CACHED = 20_000


class InternalTokens:
    """Signs one token per subject, service and rights, and reuses it for REUSED_SECONDS.

    The token names the role's permissions at that service and the caller's claims. It lives 60 s.
    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        signer: InternalTokenSigner,
        role_permissions: RolePermissions,
        clock: Callable[[], float],
    ) -> None:
        self.app = app
        self._signer = signer
        self._role_permissions = role_permissions
        self._clock = clock
        self._cache: OrderedDict[tuple[str, str, Hashable], tuple[float, str]] = OrderedDict()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        ctx = request_context.get_context(scope)
        ctx.internal_token = self.get_token(ctx.identified_caller, ctx.matched_route.service)
        return self.app(scope, receive, send)

    def get_token(self, caller: Identity, service: str) -> str:
        """Return the token that identifies this caller to this service."""
        key = caller.subject, service, caller.rights
        cached = self._cache.get(key)
        if cached is not None and cached[0] > self._clock():
            return cached[1]
        token = self._sign(caller, service)
        self._cache[key] = self._clock() + REUSED_SECONDS, token
        self._cache.move_to_end(key)
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return token

    def _sign(self, caller: Identity, service: str) -> str:
        role_permissions = self._role_permissions.for_role(caller.role, service)
        internal_caller = Caller(
            subject=caller.subject,
            role=caller.role,
            permissions=role_permissions - caller.forbidden_permissions,
            claims=caller.claims,
            on_behalf_of=caller.on_behalf_of,
        )
        return self._signer.for_caller(service, internal_caller)
