"""Supervision of a worker that must not end: it is started again after each failure.

Not here: work under a lease (runner), what a worker does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chassis import telemetry
from chassis.errors import Busy
from chassis.persistence import mongo

RETRY_SECONDS = 1.0
log = telemetry.log(__name__)


async def run_supervised(
    run: Callable[[], Awaitable[None]], *, is_ended: Callable[[], bool] = lambda: False
) -> None:
    """Run a worker, and again each time it ends, until `is_ended()` is true.

    After a failure it waits 1 s. A failure that is not MongoDB's is logged with its stack.
    """
    while not is_ended():
        try:
            await run()
        except (mongo.MongoError, Busy) as error:  # Busy: a transaction reached its deadline
            log.warning("worker_interrupted", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            log.exception("worker_failed")
            await asyncio.sleep(RETRY_SECONDS)
