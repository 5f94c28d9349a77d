"""Request id and trace."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from gateway.host_group import Group
from gateway.middleware.tracing import RequestIds
from gateway.request_context import RequestContext
from tests.gateway.factories import nothing
from tests.gateway.harness import GatewayHarness

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def breaks(_scope: Any, _receive: Any, _send: Any) -> None:
    raise ValueError("Siti Aminah, 1901055505900001")


async def test_request_id_and_trace_are_taken_over_only_when_well_formed(
    harness: GatewayHarness,
) -> None:
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    response = await harness.ask(
        "GET",
        "/v1/classes",
        headers=harness.bearer() | {"x-request-id": "partner-12345678", "traceparent": trace},
    )
    assert (
        response.headers["x-request-id"]
        == harness.upstream.last.headers["x-request-id"]
        == "partner-12345678"
    )
    assert harness.upstream.last.headers["traceparent"].startswith("00-" + "a" * 32)
    nik = "3201010190010001"
    bad_ids = ("short", "x" * 65, "with space", "<script>alert(1)</script>")
    for bad in (*bad_ids, nik, "3201-0101-9001-0001", f"nik-{nik}", "12345678"):
        response = await harness.ask(
            "GET",
            "/v1/classes",
            headers=harness.bearer() | {"x-request-id": bad, "traceparent": "00-zz"},
        )
        assert response.headers["x-request-id"] != bad
        assert harness.upstream.last.headers.get("traceparent") != "00-zz"


async def test_every_refusal_carries_the_request_id(harness: GatewayHarness) -> None:
    for path, status in (("/v1/nothing", 404), ("/v1/classes", 401), ("//v1", 400)):
        response = await harness.ask("GET", path, headers={"x-request-id": "partner-12345678"})
        assert (
            response.status,
            response.content["request_id"],
            response.headers["content-type"],
        ) == (
            status,
            "partner-12345678",
            "application/problem+json",
        )


async def test_the_span_of_a_failed_request_is_in_its_trace_without_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("test"))
    headers = [(b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())]
    scope = {
        "type": "http",
        "method": "GET",
        "headers": headers,
        "request_context": RequestContext(group=Group.STAFF, started_at=0.0, address="127.0.0.1"),
    }
    with pytest.raises(ValueError, match="Siti"):
        await RequestIds(breaks)(scope, nothing, nothing)
    [span] = exporter.get_finished_spans()
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert "Siti" not in span.to_json()
    assert "1901055505900001" not in span.to_json()
