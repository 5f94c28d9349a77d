"""One trace leads from a request through outbox and Kafka to the effect.

It says nothing about a person.
"""

from __future__ import annotations

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis.ids import new_id
from tests.chassis.harness import Harness
from tests.fakes import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def of_trace(spans: InMemorySpanExporter) -> list[str]:
    return [
        span.name
        for span in spans.get_finished_spans()
        if span.context and f"{span.context.trace_id:032x}" == TRACE
    ]


async def first_traceparent(harness: Harness) -> str:
    """Return the traceparent of the first record on the shop's own topic."""
    topic = f"{harness.life.service.settings.namespace}shop.events"

    async def there() -> bool:
        return bool(harness.fake.records(topic))

    await eventually(there)
    return dict(harness.fake.records(topic)[0].headers)["traceparent"].decode()


async def test_one_trace_leads_from_a_request_to_its_effect(
    harness: Harness, spans: InMemorySpanExporter
) -> None:
    jar = await harness.jar()
    answer = await harness.client.as_("keeper", facility="*").post(
        f"/v1/jars/{jar.id}/fillings",
        json={"marbles": 3},
        headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
    )
    assert answer.status_code == 200
    passed_on = await first_traceparent(harness)
    assert passed_on.split("-")[1] == TRACE
    owner = new_id()
    await harness.tell("asked", owner, owner_ref=owner, what="hello", traceparent=passed_on)
    await harness.becomes(lambda: harness.texts(owner), ["hello"])
    assert of_trace(spans) == ["POST /v1/jars/{jar_id}/fillings", "outside.asked.v1"]


async def test_an_event_of_an_unsampled_trace_makes_no_span(
    harness: Harness, spans: InMemorySpanExporter
) -> None:
    owner = new_id()
    await harness.tell(
        "asked", owner, owner_ref=owner, what="hello", traceparent=f"00-{TRACE}-00f067aa0ba902b7-00"
    )
    await harness.becomes(lambda: harness.texts(owner), ["hello"])
    assert of_trace(spans) == []


async def test_a_span_does_not_contain_the_message_of_an_exception(
    harness: Harness, spans: InMemorySpanExporter
) -> None:
    owner = new_id()
    secret = "Zubaidah binti Fulan"
    event = await harness.tell(
        "asked",
        owner,
        owner_ref=owner,
        what="raise",
        about=secret,
        traceparent=f"00-{TRACE}-00f067aa0ba902b7-01",
    )
    await harness.becomes(lambda: harness.state(event), "parked")
    finished = spans.get_finished_spans()
    assert "outside.asked.v1" in of_trace(spans)
    assert all(secret not in span.to_json() for span in finished)
