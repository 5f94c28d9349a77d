"""Finds the route of a request. Not here: the table of routes (routing/table)."""

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
# Parsers disagree about these: dot segments; percent-encoded controls, separators and characters
# that need no encoding; a percent sign without two hexadecimal digits.
_AMBIGUOUS = re.compile(
    r"/\.{1,2}(?=/|$)"
    r"|%(?:2[dDeEfF]|3[0-9]|[46][1-9A-Fa-f]|5[0-9AaCcFf]|7[0-9AaEeFf]|0|1)"
    r"|%(?![0-9A-Fa-f]{2})"
)
_PLAIN_QUERY = re.compile(rb"[\x21-\x7e]*")


class Routing:
    """Puts the route of the current table into the request context.

    The path is forwarded unchanged. Raises PathMalformed, PathUnknown, MethodUnknown.
    """

    def __init__(self, app: ASGIApp, routes: RouteReloader) -> None:
        self.app = app
        self._routes = routes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        ctx = request_context.get_context(scope)
        path = scope["raw_path"].decode("latin-1")
        if not _is_unambiguous(path) or not _PLAIN_QUERY.fullmatch(scope["query_string"]):
            raise PathMalformed
        methods = self._routes.match(ctx.group, path)
        if methods is None:
            raise PathUnknown
        ctx.route = methods.get(scope["method"])
        if ctx.route is None:
            raise MethodUnknown(methods)
        return self.app(scope, receive, send)


def _is_unambiguous(path: str) -> bool:
    return bool(_PLAIN_PATH.fullmatch(path)) and not _AMBIGUOUS.search(path)
