"""A program: applies the events of a topic, then sends the resulting rows; prints JSON.

It times the consumer, then the relay, so that each compares with one reference program.
Not here: what the figures are compared with.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import uvloop
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import Counter

from chassis import telemetry
from chassis.app.lifespan import ServiceRuntime
from chassis.app.server import tune_gc
from chassis.app.service import Service
from chassis.ids import event_id, utc_now
from chassis.messaging import kafka_ports
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Document
from chassis.settings import Settings
from ops.bench.system_under_test.domain import CompletionRecorded
from ops.bench.system_under_test.service import (
    KEYS,
    ReadingSettings,
    build_reading_service,
    make_command,
)

OTHER_REPLICA = "1"
LEASE_SECONDS = 3_600.0
POLL_SECONDS = 0.02
PAGE_SIZE = 5_000


class DiscardingExporter(SpanExporter):
    """Discards sampled spans: the bench measures recording them, not sending them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


class _TimedConsumer:
    """A consumer that notes the time of its first records."""

    def __init__(self, inner: kafka_ports.Consumer) -> None:
        self._inner = inner
        self.started_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def poll(
        self, max_records: int, timeout_seconds: float
    ) -> dict[kafka_ports.Partition, list[kafka_ports.Record]]:
        """Return the next records."""
        records = await self._inner.poll(max_records, timeout_seconds)
        if records and not self.started_at:
            self.started_at = time.perf_counter()
        return records


class _StartedProducer:
    """A producer that is started already, so that `start` does nothing."""

    def __init__(self, inner: kafka_ports.Producer) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def start(self) -> None:
        """Do nothing."""


class _BenchRuntime(ServiceRuntime):
    """A runtime with a timed consumer, and a producer that connects before the clock starts."""

    timed_consumer: _TimedConsumer
    producer: kafka_ports.Producer

    def new_consumer(self) -> kafka_ports.Consumer:
        """Return the real consumer, timed."""
        self.timed_consumer = _TimedConsumer(super().new_consumer())
        return cast("kafka_ports.Consumer", self.timed_consumer)

    async def start_producer(self) -> None:
        """Connect the producer that `new_producer` returns."""
        self.producer = super().new_producer()
        await self.producer.start()

    def new_producer(self) -> kafka_ports.Producer:
        """Return the producer of `start_producer`."""
        return cast("kafka_ports.Producer", _StartedProducer(self.producer))


class WrongEventCount(Exception):
    """More events took effect than the topic holds, or one waits for its subject."""


async def measure_consumer(service: Service[Any], events: int) -> float:
    """Return events per second, from the first record to the commit of the last.

    Another replica holds the leases of relay and sealer meanwhile, so that neither runs.
    Raises WrongEventCount.
    """
    runtime = _BenchRuntime(service)
    for name in ("relay", "job/audit-sealer"):
        await Lease(
            runtime.db, name, f"{runtime.service.name}/{OTHER_REPLICA}", LEASE_SECONDS
        ).take()
    before = _count_settled()
    early_before = _counter_total(telemetry.EVENTS_EARLY)
    async with runtime.lifespan(None):
        await runtime.prepared.wait()
        await _wait_until(lambda: _count_settled() - before >= events)
        took = time.perf_counter() - runtime.timed_consumer.started_at
    settled = _count_settled() - before
    early = _counter_total(telemetry.EVENTS_EARLY) - early_before
    if settled != events or early:
        raise WrongEventCount(f"of {events} events {settled:.0f} settled, {early:.0f} came early")
    return events / took


async def measure_relay(settings: ReadingSettings) -> float:
    """Return rows per second, from the first read of the outbox to the mark of the last row."""
    runtime = _BenchRuntime(
        build_reading_service(settings.model_copy(update={"replica": OTHER_REPLICA}))
    )
    rows = await runtime.db.count("outbox", {"sent": False})
    await runtime.start_producer()
    before = _counter_total(telemetry.EVENTS_SENT)
    began = time.perf_counter()
    running = asyncio.create_task(runtime.relay.run())
    await _wait_until(lambda: _counter_total(telemetry.EVENTS_SENT) - before == rows)
    took = time.perf_counter() - began
    runtime.relay.stop()
    await running
    await runtime.db.close()
    return rows / took


async def fill_archive(settings: ReadingSettings, rows: int) -> None:
    """Insert sent rows and the key counters that belong to them.

    Both are synced to disk, because rows of past months are on disk too.
    """
    runtime = ServiceRuntime(build_reading_service(settings))
    await runtime.prepare()
    for first in range(0, rows, PAGE_SIZE):
        numbers = range(first, min(first + PAGE_SIZE, rows))
        await runtime.db.insert("outbox", [_archive_row(number) for number in numbers])
    counters = [
        {"_id": make_command(number).key, "seq": len(range(number, rows, KEYS))}
        for number in range(min(KEYS, rows))
    ]
    await runtime.db.insert("keys", counters)
    await runtime.db.client.admin.command("fsync")
    await runtime.db.close()


def _archive_row(number: int) -> Document:
    event = make_command(number)
    aggregate = f"archive-{number}"
    return {
        "_id": event_id("bench", "archive", aggregate, 1, 0),
        "sent": True,
        "type": CompletionRecorded.type,
        "at": utc_now(),
        "aggregate_id": aggregate,
        "aggregate_version": 1,
        "facility_id": "",
        "actor_role": "system",
        "actor_ref": "service:certification",
        "correlation_id": aggregate,
        "causation_id": aggregate,
        "traceparent": "",
        "body": event.model_dump_json(),
        "key": event.key,
        "seq": number // KEYS + 1,
    }


def _count_settled() -> float:
    """Return how many events this process has applied, parked or kept as early."""
    counters = (telemetry.EVENTS_APPLIED, telemetry.EVENTS_PARKED, telemetry.EVENTS_EARLY)
    return sum(_counter_total(counter) for counter in counters)


def _counter_total(counter: Counter) -> float:
    samples = [sample for metric in counter.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


async def _wait_until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - a counter cannot be awaited
        await asyncio.sleep(POLL_SECONDS)


def configure_telemetry(settings: Settings, service: str) -> None:
    """Log to stderr, because stdout is for the figures, and discard the sampled spans."""
    telemetry.configure(service, settings.log_level, stream=sys.stderr)
    telemetry.trace_to(service, settings.trace_ratio, DiscardingExporter())


async def main(arguments: argparse.Namespace) -> dict[str, float]:
    """Measure the consumer, with `--relay` also the relay; return the figures."""
    settings = ReadingSettings.load()
    configure_telemetry(settings, "certification")
    if arguments.archive:
        await fill_archive(settings, arguments.archive)
    tune_gc()
    service = build_reading_service(settings)
    figures = {"events_per_s": await measure_consumer(service, arguments.events)}
    if arguments.relay:
        figures["rows_per_s"] = await measure_relay(settings)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("events", type=int)
    parser.add_argument("--archive", type=int, default=0)
    parser.add_argument("--relay", action="store_true")
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(main(parser.parse_args()))) + "\n")
