"""Running an app as a process: uvicorn with uvloop, and the first signal told to what waits. Not here: what the app is."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI
from opentelemetry.sdk.trace.export import SpanExporter

from chassis import telemetry
from chassis.settings import Settings

S = TypeVar("S", bound=Settings)


class _Server(uvicorn.Server):
    """Tells long polls and workers to end at the first signal, not after the last connection has closed."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.state.stopping.set()
        super().handle_exit(sig, frame)


def serve(create_app: Callable[[Any], FastAPI], settings_class: type[S], *, exporter: Callable[[S], SpanExporter | None] = lambda _: None) -> None:
    """Load the settings, make the app, serve it until a signal comes."""
    settings = settings_class.load()
    name = settings_class.prefix.rstrip("_").lower()
    telemetry.configure(name, settings.log_level)
    telemetry.trace_to(name, settings.trace_ratio, exporter(settings))  # pyright: ignore[reportArgumentType]
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,
    )
    _Server(config, app).run()
