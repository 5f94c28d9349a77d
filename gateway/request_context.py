"""What the gateway knows about one request on its way through; the middlewares fill it in. Not here: what any of them decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Scope

    from gateway.access.identity import Identity
    from gateway.routing.table import Group, Route

Header = tuple[bytes, bytes]


@dataclass(slots=True)
class RequestContext:
    """One request. `started` and `deadline` in loop time (seconds); `status` is 0 until the answer's first byte has left. `place`: the service, or its canary."""

    group: Group
    started_at: float
    address: str
    request_id: str = ""
    traceparent: str = ""
    route: Route | None = None
    caller: Identity | None = None
    internal_token: str = ""
    target: str = ""
    deadline: float = 0.0
    timeout: asyncio.Timeout | None = None
    is_upload_open: bool = False
    upload_length: int | None = 0
    status: int = 0
    service_status: int = 0
    response_headers: list[Header] = field(default_factory=list[Header])
    default_headers: list[Header] = field(default_factory=list[Header])

    @property
    def matched_route(self) -> Route:
        """The route; only for the middlewares behind the routing."""
        if self.route is None:
            raise LookupError("the request has no route yet")
        return self.route

    @property
    def identified_caller(self) -> Identity:
        """The caller, who may be the public; only behind the authentication."""
        if self.caller is None:
            raise LookupError("the request has no caller yet")
        return self.caller


def get_context(scope: Scope) -> RequestContext:
    """The passage of this request."""
    return scope["passage"]


def read_single_header(scope: Scope, name: bytes) -> bytes | None:
    """The value of a request header that must not come twice; None when it is absent or ambiguous."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
