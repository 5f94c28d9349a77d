"""Metrics of MongoDB's connection pools. Not here: the client (mongo)."""

# ruff: noqa: ARG002 - the driver gives every method its event

from __future__ import annotations

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


class PoolMetrics(monitoring.ConnectionPoolListener):
    """Counts the connection events of all pools of the process, from any thread."""

    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:
        OPEN.inc()

    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        OPEN.dec()

    def connection_check_out_started(
        self, event: monitoring.ConnectionCheckOutStartedEvent
    ) -> None:
        WAITING.inc()

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        WAITING.dec()
        FAILURES.inc()

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        WAITING.dec()
        IN_USE.inc()

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        IN_USE.dec()

    # The listener's other events change no count.

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None: ...
    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None: ...
    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None: ...
    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None: ...
    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None: ...


def watch() -> None:
    """Register the listener for all clients that this process creates afterwards."""
    monitoring.register(PoolMetrics())
