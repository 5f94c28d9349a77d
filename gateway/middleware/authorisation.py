"""Whether the caller's role may use this method and template. Fails closed. Not here: whose rows they see (the services, by typed claims)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.errors import Forbidden
from gateway import request_context
from gateway.access.identity import ANONYMOUS
from gateway.problems import ActExcluded, TokenRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send


class Authorisation:
    """Lets through who is on the route's list: anonymous 401, another role 403, what a letter excludes 403, a route without a list 403 for everybody."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        route, caller = crossing.matched_route, crossing.identified_caller
        if caller is ANONYMOUS:
            if not route.is_public:
                raise TokenRefused
        elif caller.role not in route.roles:
            raise Forbidden
        elif route.permission in caller.forbidden_permissions:
            raise ActExcluded
        return self.app(scope, receive, send)
