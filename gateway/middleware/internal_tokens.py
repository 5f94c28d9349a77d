"""What the service is told about the caller: a token that only it accepts, with the role's permissions there and the caller's claims."""

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
    """Signs one token per subject, service and scope and reuses it for 20 s of its 60. `clock` in seconds, monotonic."""

    def __init__(
        self,
        app: ASGIApp,
        signer: InternalTokenSigner,
        role_permissions: RolePermissions,
        clock: Callable[[], float],
    ) -> None:
        self.app, self._signer, self._role_permissions, self._clock = (
            app,
            signer,
            role_permissions,
            clock,
        )
        self._cache: OrderedDict[tuple[str, str, Hashable], tuple[float, str]] = OrderedDict()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        crossing.internal_token = self.get_token(
            crossing.identified_caller, crossing.matched_route.service
        )
        return self.app(scope, receive, send)

    def get_token(self, caller: Identity, service: str) -> str:
        """The token that tells this service who asks."""
        key = caller.subject, service, caller.rights
        kept = self._cache.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        permissions = (
            self._role_permissions.for_role(caller.role, service) - caller.forbidden_permissions
        )
        signed = self._signer.for_caller(
            service,
            Caller(
                subject=caller.subject,
                role=caller.role,
                permissions=permissions,
                claims=caller.claims,
                on_behalf_of=caller.on_behalf_of,
            ),
        )
        self._cache[key] = self._clock() + REUSED_SECONDS, signed
        self._cache.move_to_end(key)
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return signed
