"""Running an app as a process: uvicorn with uvloop, and the first signal told to what waits. Not here: what the app is."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI
from opentelemetry.sdk.trace.export import SpanExporter

from chassis import telemetry
from chassis.persistence import pool_metrics
from chassis.settings import Settings

S = TypeVar("S", bound=Settings)
PREPARE = "prepare"


class _Server(uvicorn.Server):
    """Tells long polls and workers to end at the first signal, not after the last connection has closed; and ends when the app says that it must."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.state.stopping.set()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or bool(self._app.state.life.fatal)


def tune_gc() -> None:
    """Let the garbage collector look seldom, and at nothing that is there by now: it stays for ever. Else it takes a third of the consumer's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def serve(
    create_app: Callable[[Any], FastAPI],
    settings_class: type[S],
    *,
    exporter: Callable[[S], SpanExporter | None] = lambda settings: telemetry.otlp(
        settings.otlp_endpoint
    ),
) -> None:
    """Load the settings, make the app, serve it until a signal comes; SystemExit with the reason when it may not go on. With the argument `prepare` only prepare its database."""
    settings = settings_class.load()
    name = settings_class.prefix.rstrip("_").lower()
    telemetry.configure(name, settings.log_level)
    telemetry.trace_to(name, settings.trace_ratio, exporter(settings))
    pool_metrics.watch()
    app = create_app(settings)
    if PREPARE in sys.argv[1:]:
        asyncio.run(app.state.life.only_prepare())
        return
    tune_gc()
    quiet: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
    }
    ending: dict[str, Any] = {
        "timeout_graceful_shutdown": 10,
        "timeout_keep_alive": 75,
    }  # longer than the gateway keeps an idle connection
    _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            **quiet,
            **ending,
        ),
        app,
    ).run()
    if app.state.life.fatal:
        raise SystemExit(app.state.life.fatal)
