"""Checks that the caller's role may use this method and template. Fails closed.

Not here: which rows the caller sees; the services filter those by typed claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.errors import Forbidden
from gateway import request_context
from gateway.access.identity import ANONYMOUS
from gateway.problems import ActExcluded, TokenRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.access.identity import Identity
    from gateway.routing.table import Route


class Authorisation:
    """Refuses with 401 (anonymous) or 403 (role not listed, or act excluded by the grant).

    A route that no role lists is closed to everybody.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        ctx = request_context.get_context(scope)
        _check_permission(ctx.matched_route, ctx.identified_caller)
        return self.app(scope, receive, send)


def _check_permission(route: Route, caller: Identity) -> None:
    if caller is ANONYMOUS:
        if not route.is_public:
            raise TokenRefused
        return
    if caller.role not in route.roles:
        raise Forbidden
    if route.permission in caller.forbidden_permissions:
        raise ActExcluded
