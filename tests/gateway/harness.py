"""A whole gateway on real sockets in front of a small upstream, and tokens. Not here: tests."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.access.permissions import RolePermissions
from gateway.app import create_app
from gateway.asgi import GatewayApp
from gateway.authn import issue_development_token
from gateway.authn.dev_issuer import AUDIENCE
from gateway.authn.revocation_cache import RevocationCache
from gateway.host_group import Group
from gateway.server_protocol import GuardedProtocol
from gateway.settings import INTERNAL_PORT_OFFSET, GatewaySettings
from tests.fakes import Keys, eventually

MIB = 1024 * 1024

ROUTES = """
[service]
training = 4
certification = 4
marketplace = 4
manpower = 4

[[training]]
hosts = ["staff", "partner"]
paths = [
    "GET POST /v1/classes",
    "GET PATCH PUT DELETE /v1/classes/{class_id}",
    "GET /v1/classes/mine",
    "GET /v1/nobody",
]

[[training]]
hosts = ["staff"]
paths = ["POST /v1/uploads", "GET /v1/downloads"]
body = "32 MiB"
deadline = 60

[[training]]
hosts = ["staff"]
paths = ["GET POST /v1/slow"]
deadline = 0.3

[[training]]
hosts = ["staff"]
paths = ["GET /v1/rare"]
rate = "3/minute"

[[training]]
hosts = ["staff"]
paths = ["GET /v1/stream"]
streaming = true

[[marketplace]]
hosts = ["shop"]
paths = ["GET /v1/products", "POST /v1/payments/notifications"]
public = true
headers = ["x-signature"]
body = "16 KiB"

[[certification]]
hosts = ["certificate"]
paths = ["GET /V/{token}", "GET /v1/verifications/{token}"]
public = true
"""

_OFFICER = frozenset(
    {
        *(f"{method} /v1/classes" for method in ("GET", "POST")),
        *(f"{method} /v1/classes/{{class_id}}" for method in ("GET", "PATCH", "PUT", "DELETE")),
        "GET /v1/classes/mine",
        "POST /v1/uploads",
        "GET /v1/downloads",
        "GET /v1/slow",
        "POST /v1/slow",
        "GET /v1/rare",
        "GET /v1/stream",
    }
)
RULES = RolePermissions(
    {
        "training": {"training_officer": _OFFICER, "case_officer": frozenset({"GET /v1/classes"})},
        "certification": {"public": frozenset({"GET /V/{token}", "GET /v1/verifications/{token}"})},
        "marketplace": {
            "public": frozenset({"GET /v1/products", "POST /v1/payments/notifications"}),
            "buyer": frozenset({"GET /v1/products"}),
        },
        "manpower": {},
    }
)


@dataclass
class ReceivedRequest:
    """A request as the upstream received it."""

    method: str
    path: str
    headers: dict[str, str]
    body: int = 0


Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass
class SmallUpstream:
    """A service on a real socket. It echoes requests, or answers as a test set for the path."""

    seen: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    gone: defaultdict[str, asyncio.Event] = field(
        default_factory=lambda: defaultdict(asyncio.Event)
    )
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        seen = ReceivedRequest(
            scope["method"],
            scope["raw_path"].decode(),
            {name.decode(): value.decode() for name, value in scope["headers"]},
        )
        self.seen.append(seen)
        if scope["path"] in self.answers:
            await self.answers[scope["path"]](scope, receive, send)
            return
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone[scope["path"]].set()
                return
            seen.body += len(message.get("body", b""))
            more = message.get("more_body", False)
        await answer(send, 200, {"method": seen.method, "path": seen.path, "body": seen.body})

    @property
    def last(self) -> ReceivedRequest:
        """The newest request."""
        return self.seen[-1]


async def answer(
    send: Send, status: int, content: Any, headers: Mapping[str, str] | None = None
) -> None:
    """Send a JSON answer."""
    body = json.dumps(content).encode()
    head = {"content-type": "application/json", "content-length": str(len(body))} | dict(
        headers or {}
    )
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in head.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


def fixed(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an ASGI app that always gives this response."""

    async def always(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, status, content, headers)

    return always


@asynccontextmanager
async def served(
    app: ASGIApp | GatewayApp, sockets: list[socket.socket], **options: Any
) -> AsyncGenerator[None]:
    """Serve the app on these sockets in this loop."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        **options,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets)
    try:
        yield
    finally:
        for listening in server.servers:
            listening.close()
        for task in list(server.server_state.tasks):
            task.cancel()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await eventually(lambda: _idle(server))


async def _idle(server: uvicorn.Server) -> bool:
    return not server.server_state.connections and not server.server_state.tasks


def free_ports(count: int) -> list[socket.socket]:
    """Return listening sockets at `count` consecutive free ports."""
    while True:
        taken = [listening(0)]
        base = taken[0].getsockname()[1]
        try:
            taken.extend(listening(base + offset) for offset in range(1, count))
        except (OSError, OverflowError):
            for one in taken:
                one.close()
        else:
            return taken


def free_ports_of_a_gateway() -> list[socket.socket]:
    """Return listening sockets at the ports of the host groups and at the internal one."""
    while True:
        ports = free_ports(len(Group))
        try:
            return [*ports, listening(ports[0].getsockname()[1] + INTERNAL_PORT_OFFSET)]
        except (OSError, OverflowError):
            for one in ports:
                one.close()


def listening(port: int) -> socket.socket:
    """Return a listening socket with TCP_NODELAY."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@dataclass
class GatewayHarness:
    """A gateway in front of the small upstream, a client, and tokens."""

    gateway: GatewayApp
    upstream: SmallUpstream
    port: int
    client: aiohttp.ClientSession
    issuer_key: str
    keys: Keys
    routes_file: Path

    def url(self, path: str, group: Group = Group.STAFF) -> str:
        """Return the URL of a path on a host group."""
        return f"http://127.0.0.1:{self.port + list(Group).index(group)}{path}"

    def token(
        self, role: str = "training_officer", subject: str | None = None, **claims: str
    ) -> str:
        """Return a token of the development issuer."""
        return issue_development_token(
            self.issuer_key, role, claims or {"facility": "LP-TJP"}, subject
        )

    def bearer(
        self, role: str = "training_officer", subject: str | None = None, **claims: str
    ) -> dict[str, str]:
        """Return the Authorization header with such a token."""
        return {"authorization": f"Bearer {self.token(role, subject, **claims)}"}

    @property
    def withdrawn(self) -> RevocationCache:
        """The gateway's revocation cache."""
        return self.gateway.caller_directory.revocation_cache

    async def ask(
        self,
        method: str,
        path: str,
        *,
        group: Group = Group.STAFF,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> GatewayResponse:
        """Send a request and read the whole response."""
        async with self.client.request(
            method, self.url(path, group), headers=headers, allow_redirects=False, **more
        ) as response:
            body = await response.read()
            return GatewayResponse(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                body,
            )


@dataclass
class GatewayResponse:
    """A response as the client received it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def new_key() -> str:
    """Return a private key in PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def settings(
    keys: Keys, development_pem: str, upstream_url: str, port: int, routes_file: Path, **more: Any
) -> GatewaySettings:
    """Return settings whose servers are unreachable, unless `more` names them."""
    base: dict[str, Any] = keys.settings(
        "gateway",
        mongo_url="mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200",
        database="gateway",
        kafka="127.0.0.1:9",
    )
    base |= dict.fromkeys(
        ("training_url", "certification_url", "marketplace_url", "manpower_url"), upstream_url
    )
    base |= {"port": port, "routes_file": routes_file, "development_key": development_pem}
    return GatewaySettings(**(base | more))


@asynccontextmanager
async def running_gateway(
    directory: Path,
    routes: str = ROUTES,
    rules: RolePermissions = RULES,
    *,
    oidc: str = "",
    living: bool = False,
    small: bool = False,
    **more: Any,
) -> AsyncGenerator[GatewayHarness]:
    """Run a whole gateway on sockets.

    `living`: with its database. `small`: the upstream replaces the gateway's own internal API.
    `oidc`: a second issuer, whose keys the upstream serves at /keys.
    """
    keys = Keys.make(directory)
    issuer_key = new_key()
    upstream = SmallUpstream()
    routes_file = directory / "routes.toml"
    routes_file.write_text(routes)
    [own] = free_ports(1)
    upstream.url = f"http://127.0.0.1:{own.getsockname()[1]}"
    ports = free_ports_of_a_gateway()
    base = ports[0].getsockname()[1]
    if oidc:
        more["issuers"] = [
            {"issuer": oidc, "audience": AUDIENCE, "jwks_uri": f"{upstream.url}/keys"}
        ]
    if small:
        more["own_url"] = upstream.url
    gateway_settings = settings(keys, issuer_key, upstream.url, base, routes_file, **more)
    gateway = create_app(gateway_settings, rules)
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        served(upstream, [own]),
        aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as client,
        served(gateway, ports, http=GuardedProtocol),
        gateway.run() if living else _half_alive(gateway),
    ):
        yield GatewayHarness(gateway, upstream, base, client, issuer_key, keys, routes_file)


@asynccontextmanager
async def _half_alive(gateway: GatewayApp) -> AsyncGenerator[None]:
    gateway.caller_directory.revocation_cache.replace_all([], [])
    try:
        yield
    finally:
        await gateway.upstream.close()
        await gateway.internal_api.state.life.db.close()
