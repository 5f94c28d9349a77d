"""`python -m gateway`: every host group and the internal port in one process.

With the argument `prepare` it only prepares the gateway's database. Not here: the app (app).
"""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from chassis import telemetry
from chassis.app.server import PREPARE, tune_gc
from chassis.persistence.drivers import pool_metrics
from chassis.settings import SettingsInvalid
from gateway.access.permissions import ROLE_PERMISSIONS, RolePermissions
from gateway.app import create_app
from gateway.routing.parser import RoutesInvalid
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
    """A uvicorn server that drains the gateway at the first signal.

    Otherwise open-ended responses would delay the shutdown.
    """

    def __init__(self, config: uvicorn.Config, app: GatewayApp) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.drain()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Also end when the gateway's runtime has a fatal error."""
        return await super().on_tick(counter) or bool(self._app.internal_api.state.life.fatal)


def open_sockets(settings: GatewaySettings) -> list[socket.socket]:
    """Return listening sockets at the public ports and the internal port.

    There are four public ports (one per host group) in development and one in production.
    """
    public_ports = settings.ports or (settings.port,)
    return [_listen(settings.host, port) for port in (*public_ports, settings.internal_port)]


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Every connection inherits both options. The head and the body of a response are two writes.
    # The second must not wait for the acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Closes the connection of a client that does not read its response (slow read).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MILLISECONDS)
    return listener


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit.

    Each connection takes one descriptor, and the usual soft limit is about a thousand.
    """
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))


def main(
    role_permissions: RolePermissions = ROLE_PERMISSIONS, *, exporter: SpanExporter | None = None
) -> None:
    """Serve until a signal arrives. Raises SettingsInvalid."""
    settings = GatewaySettings.load()
    telemetry.configure("gateway", settings.log_level)
    telemetry.trace_to(
        "gateway", settings.trace_ratio, exporter or telemetry.otlp(settings.otlp_endpoint)
    )
    pool_metrics.watch()
    raise_file_limit()
    app = _load_app(settings, role_permissions)
    if PREPARE in sys.argv[1:]:
        asyncio.run(app.internal_api.state.life.only_prepare())
        return
    tune_gc()
    Server(_configure_server(settings, app), app).run(open_sockets(settings))
    fatal = app.internal_api.state.life.fatal
    if fatal:
        raise SystemExit(fatal)


def _load_app(settings: GatewaySettings, role_permissions: RolePermissions) -> GatewayApp:
    try:
        return create_app(settings, role_permissions)
    except RoutesInvalid as error:
        problems = "\n  ".join(error.problems)
        message = f"{settings.routes_file.name} cannot be used:\n  {problems}"
        raise SettingsInvalid(message) from None


def _configure_server(settings: GatewaySettings, app: GatewayApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn would trust X-Forwarded-For from 127.0.0.1. GATEWAY_TRUSTED_PROXIES decides.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


if __name__ == "__main__":
    main()
