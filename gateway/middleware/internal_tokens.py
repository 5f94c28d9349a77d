"""What the service is told about the caller: a token that only it accepts, with the role's permissions there and the caller's claims."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING

from chassis.caller import Caller
from gateway import request_context

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chassis.http.internal_tokens import Signer
    from gateway.access.identity import Identity
    from gateway.access.permissions import Rules

REUSED_SECONDS = 20.0
MOST_KEPT = 20_000


class InternalTokens:
    """Signs one token per subject, service and scope and reuses it for 20 s of its 60. `clock` in seconds, monotonic."""

    def __init__(
        self, app: ASGIApp, signer: Signer, rules: Rules, clock: Callable[[], float]
    ) -> None:
        self.app, self._signer, self._rules, self._clock = app, signer, rules, clock
        self._kept: OrderedDict[tuple[str, str, Hashable], tuple[float, str]] = OrderedDict()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.of(scope)
        crossing.internal_token = self.token(crossing.known, crossing.routed.service)
        return self.app(scope, receive, send)

    def token(self, caller: Identity, service: str) -> str:
        """The token that tells this service who asks."""
        key = caller.subject, service, caller.scope
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        permissions = self._rules.of_role(caller.role, service) - caller.forbidden
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
        self._kept[key] = self._clock() + REUSED_SECONDS, signed
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return signed
