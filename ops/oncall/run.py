"""Starts the on-call server, and reloads its schedule when the file changes.

Not here: the routes and the notification (server).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from aiohttp import web

from ops.errors import OperatorError
from ops.oncall import config
from ops.oncall.incident_store import IncidentStore
from ops.oncall.notifier import MailOrHttpNotifier
from ops.oncall.rules import OnCallSchedule
from ops.oncall.server import IncidentNotifier, OnCallApi

RELOAD_SECONDS = 10.0
log = logging.getLogger("bina.oncall")


def serve(schedule_file: Path, incident_file: Path, host: str, port: int) -> None:
    """Serve until a signal. Raises OperatorError when the schedule cannot be used."""
    schedule = config.read_schedule(schedule_file)
    delivery = MailOrHttpNotifier(schedule)
    notifier = IncidentNotifier(schedule, IncidentStore(incident_file), delivery)

    def adopt(changed: OnCallSchedule) -> None:
        notifier.schedule = changed
        delivery.schedule = changed

    app = OnCallApi(notifier).create_application()
    app.cleanup_ctx.append(partial(follow_file, schedule_file, adopt))
    # No access log, because knowing the address of a notice permits acknowledging it.
    web.run_app(app, host=host, port=port, print=None, access_log=None)


async def follow_file(
    file: Path, adopt: Callable[[OnCallSchedule], None], _app: web.Application
) -> AsyncGenerator[None]:
    """Adopt a changed file within RELOAD_SECONDS; ignore an unusable one.

    A secret store may replace the file while the server runs.
    """
    task = asyncio.create_task(_reload_on_change(file, _read_content(file), adopt))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _reload_on_change(
    file: Path, last_content: bytes, adopt: Callable[[OnCallSchedule], None]
) -> None:
    while True:
        await asyncio.sleep(RELOAD_SECONDS)
        content = _read_content(file)
        if content != last_content:
            last_content = content
            try:
                adopt(config.read_schedule(file))
                log.info("the on-call schedule has changed")
            except (OperatorError, OSError, ValueError, LookupError, TypeError, AttributeError):
                log.exception("the changed on-call schedule cannot be used; keeping the old one")


def _read_content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
