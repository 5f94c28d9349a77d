"""Which host group a request is for: by its Host name, in development also by the port it came in at. An unknown one gets 421."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING

from chassis.ids import new_id
from gateway.middleware.problem_responses import send_problem
from gateway.middleware.security_headers import SECURITY_HEADERS
from gateway.problems import HostUnknown, VersionUnknown
from gateway.request_context import RequestContext, read_single_header
from gateway.routing.table import Group

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORT = re.compile(r":[0-9]*\Z")
_ADDRESS_WITH_PORT = re.compile(
    r"\[([^\]]*)\](?::[0-9]*)?|([0-9.]+):[0-9]*"
)  # as some proxies write an address: a new port each time, which is nobody else
_VERSIONS = frozenset({"1.1", "1.0"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class HostGroups:
    """Opens the passage of a request. `names` in lower case; `ports` empty in production; behind `proxies` the client's address is in X-Forwarded-For."""

    def __init__(
        self,
        app: ASGIApp,
        names: Mapping[str, Group],
        ports: Mapping[int, Group],
        proxies: Sequence[Network],
    ) -> None:
        self.app, self._names, self._ports, self._proxies = app, names, ports, proxies

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        group = self._find_group(scope)
        if group is None or scope["http_version"] not in _VERSIONS:
            return send_problem(
                HostUnknown() if group is None else VersionUnknown(),
                None,
                new_id(),
                SECURITY_HEADERS,
                send,
            )
        scope["passage"] = RequestContext(
            group=group,
            started_at=asyncio.get_running_loop().time(),
            address=self._find_client_address(scope),
        )
        return self.app(scope, receive, send)

    def _find_group(self, scope: Scope) -> Group | None:
        host = (read_single_header(scope, b"host") or b"").decode("latin-1").lower()
        name = _PORT.sub("", host)
        if name in self._names:
            return self._names[name]
        return self._ports.get(scope["server"][1]) if name in _LOOPBACK else None

    def _find_client_address(self, scope: Scope) -> str:
        """The client's address: the last one in X-Forwarded-For that none of our own proxies has."""
        peer = str(scope["client"][0]) if scope["client"] else ""
        if not self._proxies:
            return peer
        chain = [
            peer,
            *(
                _strip_port(part.strip())
                for value in reversed(_read_forwarded_for(scope))
                for part in reversed(value.split(","))
            ),
        ]
        for address in chain:
            if not self._is_proxy(address):
                return address
        return chain[-1]

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in self._proxies)


def _strip_port(address: str) -> str:
    found = _ADDRESS_WITH_PORT.fullmatch(address)
    return (found[1] or found[2]) if found else address


def _read_forwarded_for(scope: Scope) -> list[str]:
    return [
        value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"
    ]
