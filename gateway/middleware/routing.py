"""Which route a request is for. A path that two readers could read differently is refused; it goes on as it came. Not here: the table (routes)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway import request_context
from gateway.problems import MethodUnknown, PathMalformed, PathUnknown

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.routing.reloader import RouteReloader

_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?")
_AMBIGUOUS = re.compile(
    r"/\.{1,2}(?=/|$)|%(?:2[dDeEfF]|3[0-9]|[46][1-9A-Fa-f]|5[0-9AaCcFf]|7[0-9AaEeFf]|0|1)|%(?![0-9A-Fa-f]{2})"
)  # encoded though it need not be, too
_PLAIN_QUERY = re.compile(rb"[\x21-\x7e]*")


class Routing:
    """Finds the route in the table in force."""

    def __init__(self, app: ASGIApp, routes: RouteReloader) -> None:
        self.app, self._routes = app, routes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        crossing = request_context.get_context(scope)
        path = scope["raw_path"].decode("latin-1")
        if (
            not _PLAIN_PATH.fullmatch(path)
            or _AMBIGUOUS.search(path)
            or not _PLAIN_QUERY.fullmatch(scope["query_string"])
        ):
            raise PathMalformed
        methods = self._routes.table.match(crossing.group, path)
        if methods is None:
            raise PathUnknown
        crossing.route = methods.get(scope["method"])
        if crossing.route is None:
            raise MethodUnknown(methods)
        return self.app(scope, receive, send)
