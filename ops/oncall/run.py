"""Starting the rota: its file read, and read again when it has changed, its book opened, its port served until a signal comes. Not here: what it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from aiohttp import web

from ops.errors import Trouble
from ops.oncall import config
from ops.oncall.incident_store import Book
from ops.oncall.notifier import Reaching
from ops.oncall.rules import Rota
from ops.oncall.server import Doors, Duty

LOOK_SECONDS = 10.0
log = logging.getLogger("bina.rota")


def serve(rota_file: Path, book_file: Path, host: str, port: int) -> None:
    """Serve until a signal comes; Trouble when the rota's file cannot be used."""
    duty = Duty(rota := config.rota(rota_file), Book(book_file), reaching := Reaching(rota))

    def adopt(changed: Rota) -> None:
        duty.rota = reaching.rota = changed

    app = Doors(duty).application()
    app.cleanup_ctx.append(partial(following, rota_file, adopt))
    # no log of requests: the address of a notice is what lets somebody answer it
    web.run_app(app, host=host, port=port, print=None, access_log=None)


async def following(
    file: Path, adopt: Callable[[Rota], None], _app: web.Application
) -> AsyncGenerator[None]:
    """While it lasts, a changed file is in force within seconds, as where a store of secrets renews it; one that cannot be used changes nothing."""
    task = asyncio.create_task(_follow(file, _content(file), adopt))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _follow(file: Path, known: bytes, adopt: Callable[[Rota], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (now := _content(file)) != known:
            known = now
            try:
                adopt(config.rota(file))
                log.info("the rota has changed")
            except (Trouble, OSError, ValueError, LookupError, TypeError, AttributeError):
                log.exception("the changed rota cannot be used; the former one stays in force")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
