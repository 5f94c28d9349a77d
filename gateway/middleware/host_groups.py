"""Finds the host group of a request, by Host name and in development also by port.

Not here: which names belong to a group (settings).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING

from chassis.ids import new_id
from gateway.host_group import Group
from gateway.middleware.problem_responses import send_problem
from gateway.middleware.security_headers import SECURITY_HEADERS
from gateway.problems import HostUnknown, VersionUnknown
from gateway.request_context import RequestContext, read_single_header, set_context
from gateway.settings import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_PORT = re.compile(r":[0-9]*\Z")
# Some proxies append the client's port, which changes with every connection.
_ADDRESS_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]*)?|([0-9.]+):[0-9]*")
_VERSIONS = frozenset({"1.1", "1.0"})


class HostGroups:
    """Creates the request context. An unknown host gets 421, an unknown HTTP version 505.

    `scheme` is the one by which clients reach the gateway: https in production.
    `names` are in lower case; `ports` are empty in production. The client address is read from
    X-Forwarded-For if the peer is one of our own `proxies`.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: Mapping[str, Group],
        ports: Mapping[int, Group],
        proxies: Sequence[Network],
        scheme: str,
    ) -> None:
        self.app = app
        self._scheme = scheme
        self._names = names
        self._ports = ports
        self._proxies = proxies

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        group = self._find_group(scope)
        if group is None:
            return send_problem(HostUnknown(), None, new_id(), SECURITY_HEADERS, send)
        if scope["http_version"] not in _VERSIONS:
            return send_problem(VersionUnknown(), None, new_id(), SECURITY_HEADERS, send)
        ctx = RequestContext(
            group=group,
            started_at=asyncio.get_running_loop().time(),
            address=self._find_client_address(scope),
            origin=f"{self._scheme}://{_read_host(scope)}",
        )
        set_context(scope, ctx)
        return self.app(scope, receive, send)

    def _find_group(self, scope: Scope) -> Group | None:
        name = _PORT.sub("", _read_host(scope))
        if name in self._names:
            return self._names[name]
        if name in LOOPBACK_HOSTS:
            return self._ports.get(scope["server"][1])
        return None

    def _find_client_address(self, scope: Scope) -> str:
        """Return the last address in X-Forwarded-For that is not one of our own proxies."""
        peer = str(scope["client"][0]) if scope["client"] else ""
        if not self._proxies:
            return peer
        chain = [peer, *reversed(_read_forwarded_for(scope))]
        for address in chain:
            if not self._is_proxy(address):
                return address
        return chain[-1]

    def _is_proxy(self, text: str) -> bool:
        try:
            address = _parse_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def _read_host(scope: Scope) -> str:
    return (read_single_header(scope, b"host") or b"").decode("latin-1").lower()


def _parse_address(text: str) -> Address:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _read_forwarded_for(scope: Scope) -> list[str]:
    """Return the addresses of all X-Forwarded-For headers in their order, without ports."""
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    entries = b",".join(values).decode("latin-1").split(",") if values else []
    return [_strip_port(entry.strip()) for entry in entries]


def _strip_port(address: str) -> str:
    match = _ADDRESS_WITH_PORT.fullmatch(address)
    if match is None:
        return address
    return match[1] or match[2] or address
