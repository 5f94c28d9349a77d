"""CORS: pages of other origins have access only where the settings name the origin.

Not here: cookies; callers use bearer tokens only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from gateway import request_context
from gateway.routing.table import METHODS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.host_group import Group

EXPOSED_HEADERS = (
    "etag",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-request-id",
)
ALLOWED_HEADERS = (
    "accept-language",
    "access-reason",
    "acting-grant",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "order-token",
    "range",
    "x-request-id",
)
PREFLIGHT_MAX_AGE_SECONDS = 600


class Cors:
    """One CORSMiddleware for each host group that names origins; other groups have none."""

    def __init__(self, app: ASGIApp, origins: Mapping[Group, frozenset[str]]) -> None:
        self.app = app
        self._apps_by_group: dict[Group, ASGIApp] = {
            group: CORSMiddleware(
                app,
                allow_origins=sorted(group_origins),
                allow_methods=METHODS,
                allow_headers=ALLOWED_HEADERS,
                expose_headers=EXPOSED_HEADERS,
                max_age=PREFLIGHT_MAX_AGE_SECONDS,
            )
            for group, group_origins in origins.items()
            if group_origins
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        group = request_context.get_context(scope).group
        app = self._apps_by_group.get(group, self.app)
        return app(scope, receive, send)
