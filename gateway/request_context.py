"""What the gateway knows about one request. Not here: what a middleware decides."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.problems import Header

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Scope

    from gateway.access.identity import Identity
    from gateway.host_group import Group
    from gateway.routing.table import Route

IPV6_CLIENT_PREFIX = 64


@dataclass(slots=True)
class RequestContext:
    """The context of one request; the middlewares fill it in.

    `started_at` and `deadline` are loop time in seconds. `status` is 0 until the first byte of the
    response is sent, `service_status` until the service has answered. `upload_length` is None for a
    body of unknown length. `origin` is the address of this host as the client named it.
    """

    group: Group
    started_at: float
    address: str
    origin: str = ""
    request_id: str = ""
    traceparent: str = ""
    route: Route | None = None
    caller: Identity | None = None
    internal_token: str = ""
    deadline: float = 0.0
    timeout: asyncio.Timeout | None = None
    is_upload_open: bool = False
    upload_length: int | None = 0
    status: int = 0
    service_status: int = 0
    response_headers: list[Header] = field(default_factory=list[Header])
    default_headers: list[Header] = field(default_factory=list[Header])

    @property
    def client_network(self) -> str:
        """Return the address by which an anonymous client is known: IPv6 clients by /64."""
        return group_address(self.address)

    @property
    def matched_route(self) -> Route:
        """Return the route; it is set by the middleware `routing`."""
        if self.route is None:
            raise LookupError("the request has no route yet")
        return self.route

    @property
    def identified_caller(self) -> Identity:
        """Return the caller, who may be anonymous; set by the middleware `authentication`."""
        if self.caller is None:
            raise LookupError("the request has no caller yet")
        return self.caller


def group_address(address: str) -> str:
    """Group IPv6 clients by /64, because one client controls the whole prefix."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, IPV6_CLIENT_PREFIX), strict=False))


def set_context(scope: Scope, ctx: RequestContext) -> None:
    """Attach the context to this request."""
    scope["request_context"] = ctx


def get_context(scope: Scope) -> RequestContext:
    """Return the context of this request."""
    return scope["request_context"]


def read_single_header(scope: Scope, name: bytes) -> bytes | None:
    """Return the value of a request header; None if it is absent or repeated."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
