"""MongoDB's connections in numbers: how many there are, how many work, how many callers wait for one. Not here: the client (mongo), and what is asked over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import Counter, Gauge
from pymongo import monitoring

OPEN = Gauge("bina_mongo_pool_connections", "Connections to MongoDB that are open")
IN_USE = Gauge("bina_mongo_pool_in_use_connections", "Connections to MongoDB that carry an operation now")
WAITING = Gauge("bina_mongo_pool_waiting_operations", "Operations that wait for a connection to MongoDB now")
FAILURES = Counter("bina_mongo_pool_failures_total", "Operations that got no connection to MongoDB")


def _counts(*changes: Callable[[], None]) -> Any:
    def told(_self: object, _event: object) -> None:
        for change in changes:
            change()

    return told


class Pools(monitoring.ConnectionPoolListener):
    """Counts what the driver tells of all pools of the process, from whichever thread."""

    connection_created, connection_closed = _counts(OPEN.inc), _counts(OPEN.dec)
    connection_check_out_started, connection_check_out_failed = _counts(WAITING.inc), _counts(WAITING.dec, FAILURES.inc)
    connection_checked_out, connection_checked_in = _counts(WAITING.dec, IN_USE.inc), _counts(IN_USE.dec)
    connection_ready = pool_created = pool_ready = pool_cleared = pool_closed = _counts()


def watch() -> None:
    """Count for every client that this process makes from now on."""
    monitoring.register(Pools())
