"""Runs an app as a process: uvicorn with uvloop. Not here: what the app is."""

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
from chassis.app.database_setup import START_REFUSALS
from chassis.persistence.drivers import pool_metrics
from chassis.settings import Settings

S = TypeVar("S", bound=Settings)
PREPARE = "prepare"
SHUTDOWN_SECONDS = 10
# Longer than the gateway keeps an idle connection.
KEEP_ALIVE_SECONDS = 75


class _Server(uvicorn.Server):
    """Sets `stopping` at the first signal, and ends the process when `fatal` is set.

    `stopping` ends long polls. Uvicorn itself shuts the app down only after the last connection
    has closed.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.state.stopping.set()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or bool(self._app.state.life.fatal)


def tune_gc() -> None:
    """Freeze start-up objects and raise the thresholds of the garbage collector.

    Otherwise it takes a third of the consumer's processor time.
    """
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
    """Load the settings, create the app and serve it until a signal arrives.

    With the command-line argument `prepare` it only prepares the database. Raises SystemExit with
    the reason when the process cannot continue.
    """
    settings = settings_class.load()
    name = settings_class.prefix.rstrip("_").lower()
    telemetry.configure(name, settings.log_level)
    telemetry.trace_to(name, settings.trace_ratio, exporter(settings))
    pool_metrics.watch()
    app = create_app(settings)
    if PREPARE in sys.argv[1:]:
        _prepare(app)
        return
    tune_gc()
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
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    _Server(config, app).run()
    if app.state.life.fatal:
        raise SystemExit(app.state.life.fatal)


def _prepare(app: FastAPI) -> None:
    try:
        asyncio.run(app.state.life.only_prepare())
    except START_REFUSALS as error:
        raise SystemExit(f"{app.state.service.name}: {error}") from None
