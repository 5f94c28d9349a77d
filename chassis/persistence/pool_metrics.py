"""MongoDB's connections in numbers: how many there are, how many work, how many callers wait for one. Not here: the client (mongo), and what is asked over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import Counter, Gauge
from pymongo import monitoring

OPEN = Gauge("bina_mongo_pool_connections", "Connections to MongoDB that are open")
IN_USE = Gauge(
    "bina_mongo_pool_in_use_connections", "Connections to MongoDB that carry an operation now"
)
WAITING = Gauge(
    "bina_mongo_pool_waiting_operations", "Operations that wait for a connection to MongoDB now"
)
FAILURES = Counter("bina_mongo_pool_failures_total", "Operations that got no connection to MongoDB")


_open, _in_use, _waiting = (
    list[None](),
    list[None](),
    list[None](),
)  # as long as the number: one step is whole in whichever thread, and takes no lock
for gauge, those in ((OPEN, _open), (IN_USE, _in_use), (WAITING, _waiting)):
    gauge.set_function(partial(len, those))


def _does(*steps: Callable[[], object]) -> Any:
    def told(_self: object, _event: object) -> None:
        for step in steps:
            step()

    return told


class Pools(monitoring.ConnectionPoolListener):
    """Counts what the driver tells of all pools of the process, from whichever thread: three things for every statement, so it takes as little time as it can."""

    connection_created, connection_closed = _does(partial(_open.append, None)), _does(_open.pop)
    connection_check_out_started, connection_check_out_failed = (
        _does(partial(_waiting.append, None)),
        _does(_waiting.pop, FAILURES.inc),
    )
    connection_checked_out, connection_checked_in = (
        _does(_waiting.pop, partial(_in_use.append, None)),
        _does(_in_use.pop),
    )
    connection_ready = pool_created = pool_ready = pool_cleared = pool_closed = _does()


def watch() -> None:
    """Count for every client that this process makes from now on."""
    monitoring.register(Pools())
