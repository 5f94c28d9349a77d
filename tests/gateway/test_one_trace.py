"""One trace leads from the gateway through a service, outbox and Kafka to the effect."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.routing import table as routing_table
from services.training.app import create_app
from services.training.settings import TrainingSettings
from tests.fakes import eventually, running
from tests.gateway.harness import free_ports, running_gateway, served
from tests.training import factories

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def of_trace(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """Return the finished spans of the trace, each after its parent."""
    found = [
        span
        for span in spans.get_finished_spans()
        if span.context and f"{span.context.trace_id:032x}" == TRACE
    ]
    return sorted(found, key=lambda span: span.start_time or 0)


async def test_one_trace_leads_from_the_gateway_through_kafka_to_the_effect(
    tmp_path: Path, mongo_url: str, kafka: str, spans: InMemorySpanExporter
) -> None:
    [own] = free_ports(1)
    table = Path(routing_table.__file__).with_name("routes.toml").read_text()
    async with running_gateway(
        tmp_path, table, ROLE_PERMISSIONS, training_url=f"http://127.0.0.1:{own.getsockname()[1]}"
    ) as harness:
        gateway_settings = harness.keys.settings(
            "training",
            mongo_url=mongo_url,
            database=f"test_{uuid.uuid4().hex[:20]}",
            kafka=kafka,
            master_key="0a" * 32,
            lookup_key="0b" * 32,
        )
        app = create_app(TrainingSettings(**gateway_settings))
        async with running(app, harness.keys, "training") as training, served(app, [own]):
            facility = await factories.create_harness(training, ["R-1"])
            planned = {
                "facility_id": facility.facility_id,
                "programme_id": await factories.publish_programme(training),
                "batch_no": "1",
                "seats_total": 9,
            }
            today = str(factories.local_today())
            made = await facility.officer.post(
                "/v1/classes",
                json=planned | {"starts_on": today, "ends_on": today},
            )
            opening = f"/v1/classes/{made.json()['class_id']}/opening"
            headers = harness.bearer(facility=facility.facility_id) | {
                "if-match": made.headers["etag"],
                "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
            }
            assert (await harness.ask("POST", opening, headers=headers)).status == 200

            async def arrived() -> bool:
                return len(of_trace(spans)) == 3

            await eventually(arrived)
        await factories.drop_database(app)
    gateway, service, effect = of_trace(spans)
    assert [span.name for span in (gateway, service, effect)] == [
        "POST /v1/classes/{class_id}/opening",
        "POST /v1/classes/{class_id}/opening",
        "training.class-opened.v1",
    ]
    assert [span.kind.name for span in (gateway, service, effect)] == [
        "SERVER",
        "SERVER",
        "CONSUMER",
    ]
    for child, parent in ((service, gateway), (effect, service)):
        assert child.parent
        assert parent.context
        assert child.parent.span_id == parent.context.span_id


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Run an OTLP collector; yield its URL and the path and body of each request."""
    heard: list[tuple[str, bytes]] = []

    class CollectorHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        # The base class has this parameter name.
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Write nothing to standard error."""

    with HTTPServer(("127.0.0.1", 0), CollectorHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()


def test_spans_go_to_the_collector_that_the_settings_name(
    collector: tuple[str, list[tuple[str, bytes]]],
) -> None:
    address, heard = collector
    exporter = telemetry.otlp(address)
    assert exporter
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("GET /v1/classes"):
        pass
    provider.shutdown()
    [(path, body)] = heard
    assert path == "/v1/traces"
    [resource] = ExportTraceServiceRequest.FromString(body).resource_spans
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == [
        "GET /v1/classes"
    ]


def test_without_a_collector_no_span_is_sent() -> None:
    assert telemetry.otlp("") is None
