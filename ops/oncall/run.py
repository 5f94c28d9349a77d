"""Starting the oncall: its file read, and read again when it has changed, its book opened, its port served until a signal comes. Not here: what it does."""

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
    """Serve until a signal comes; OperatorError when the oncall's file cannot be used."""
    duty = IncidentNotifier(
        oncall := config.read_schedule(schedule_file),
        IncidentStore(incident_file),
        reaching := MailOrHttpNotifier(oncall),
    )

    def adopt(changed: OnCallSchedule) -> None:
        duty.schedule = reaching.schedule = changed

    app = OnCallApi(duty).create_application()
    app.cleanup_ctx.append(partial(follow_file, schedule_file, adopt))
    # no log of requests: the address of a notice is what lets somebody answer it
    web.run_app(app, host=host, port=port, print=None, access_log=None)


async def follow_file(
    file: Path, adopt: Callable[[OnCallSchedule], None], _app: web.Application
) -> AsyncGenerator[None]:
    """While it lasts, a changed file is in force within seconds, as where a store of secrets renews it; one that cannot be used changes nothing."""
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
        if (now := _read_content(file)) != last_content:
            last_content = now
            try:
                adopt(config.read_schedule(file))
                log.info("the oncall has changed")
            except (OperatorError, OSError, ValueError, LookupError, TypeError, AttributeError):
                log.exception("the changed oncall cannot be used; the former one stays in force")


def _read_content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
