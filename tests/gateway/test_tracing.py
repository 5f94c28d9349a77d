"""The span of a request: of the caller's trace, named by the route, without a word of what went wrong. Not here: what services tell (tests/chassis/test_traces)."""

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

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def breaks(_scope: Any, _receive: Any, _send: Any) -> None:
    raise ValueError("Siti Aminah, 1901055505900001")


async def nothing(*_: Any) -> Any:
    return {}


async def test_the_span_of_a_request_that_breaks_belongs_to_its_trace_and_says_nothing_of_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
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
