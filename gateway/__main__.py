"""`python -m gateway`: every host group and the internal side in one process."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from chassis import telemetry
from chassis.app.server import PREPARE, tune_gc
from chassis.persistence import pool_metrics
from chassis.settings import SettingsInvalid
from gateway.access.permissions import ROLE_PERMISSIONS, RolePermissions
from gateway.app import create_app
from gateway.routing.table import RoutesInvalid
from gateway.server_protocol import GuardedProtocol
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from types import FrameType

    from opentelemetry.sdk.trace.export import SpanExporter

    from gateway.asgi import GatewayApp

KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
TCP_USER_TIMEOUT_MILLISECONDS = 30_000


class Server(uvicorn.Server):
    """Tells the door at the first signal, so that nothing open-ended holds up the end."""

    def __init__(self, config: uvicorn.Config, app: GatewayApp) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.drain()
        super().handle_exit(sig, frame)


def open_sockets(settings: GatewaySettings) -> list[socket.socket]:
    """Listening sockets: the host groups' ports in development, one public port in production, and the internal port."""
    ports = (*(settings.ports or (settings.port,)), settings.internal_port)
    return [_listen(settings.host, port) for port in ports]


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
    )
    listener.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )  # inherited by every connection: head and body leave as two writes, which must not wait for each other
    listener.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MILLISECONDS
    )  # inherited too: whoever takes nothing of an answer gets no more (slow read)
    return listener


def raise_file_limit() -> None:
    """Take as many file descriptors as the machine lets us have: each connection is one, and the usual thousand is soon held by few clients."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(
    role_permissions: RolePermissions = ROLE_PERMISSIONS, *, exporter: SpanExporter | None = None
) -> None:
    """Serve until a signal comes; with the argument `prepare` only prepare the gateway's database."""
    settings = GatewaySettings.load()
    telemetry.configure("gateway", settings.log_level)
    telemetry.trace_to(
        "gateway", settings.trace_ratio, exporter or telemetry.otlp(settings.otlp_endpoint)
    )
    pool_metrics.watch()
    raise_file_limit()
    try:
        door = create_app(settings, role_permissions)
    except RoutesInvalid as error:
        raise SettingsInvalid(
            f"{settings.routes_file.name} cannot be used:\n  " + "\n  ".join(error.problems)
        ) from None
    if PREPARE in sys.argv[1:]:
        asyncio.run(door.internal_api.state.life.only_prepare())
        return
    config = uvicorn.Config(
        door,
        loop="uvloop",
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe X-Forwarded-For from 127.0.0.1; whom we believe is GATEWAY_TRUSTED_PROXIES
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    tune_gc()
    Server(config, door).run(open_sockets(settings))


if __name__ == "__main__":
    main()
