"""Fills topics with the events of the reference programs. Not here: what reads them."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.messaging.kafka import KafkaProducer
from chassis.messaging.kafka_topics import PARTITIONS, ensure_topic
from ops.bench.reference.common_events import event
from ops.bench.system_under_test.domain import BROKEN_NOTE, REFUSED_NOTE

OutgoingRecord = tuple[bytes, bytes, list[tuple[str, bytes]]]
TOPICS = ("training.events", "certification.events")
# A prime that does not divide the number of keys, so that each bad event has another key.
BAD_EVENT_INTERVAL = 101
PAGE_SIZE = 5_000


async def fill(
    kafka: str, namespace: str, events: int, *, partitions: int = PARTITIONS, bad: bool = False
) -> int:
    """Create the topics of both services and fill the first; return how many will be parked.

    `bad`: one event in a hundred is bad.
    """
    for topic in TOPICS:
        await ensure_topic(kafka, namespace + topic, partitions=partitions)
    producer = KafkaProducer(kafka, "bench-fill")
    await producer.start()
    spoilt: set[bytes] = set()
    parked = 0
    try:
        for first in range(0, events, PAGE_SIZE):
            page = [
                (number, *event(number)) for number in range(first, min(first + PAGE_SIZE, events))
            ]
            sending: list[OutgoingRecord] = []
            for number, key, body, headers in page:
                is_bad = bad and number % BAD_EVENT_INTERVAL == BAD_EVENT_INTERVAL - 1
                # Events behind a bad one of their key wait behind it.
                parked += is_bad or key in spoilt
                if is_bad:
                    spoilt.add(key)
                traced = [
                    (name, _traceparent(number) if name == "traceparent" else value)
                    for name, value in headers
                ]
                sending.append(
                    _spoil(number // BAD_EVENT_INTERVAL, key, body, traced)
                    if is_bad
                    else (key, body, traced)
                )
            await _send(producer, namespace + TOPICS[0], sending)
    finally:
        await producer.stop()
    return parked


async def _send(producer: KafkaProducer, topic: str, sending: Iterable[OutgoingRecord]) -> None:
    result = await producer.send_all(topic, list(sending))
    if result.failure:
        raise result.failure


def _traceparent(number: int) -> bytes:
    """Return a trace context of its own for every event, one in ten sampled."""
    return b"00-%032x-%016x-%02x" % (number + 1, number + 1, number % 10 == 0)


def _spoil(
    number: int, key: bytes, body: bytes, headers: list[tuple[str, bytes]]
) -> OutgoingRecord:
    """Return the event made bad in one of five ways, in turn.

    Not JSON, a field missing, an unknown version, refused by the handler, failing in the handler.
    """
    changes = {
        0: (body[:-1], headers),
        1: (body.replace(b"class_id", b"class_ix"), headers),
        2: (
            body,
            [
                (name, b"training.course-completed.v2" if name == "ce_type" else value)
                for name, value in headers
            ],
        ),
        3: (body.replace(b'"xxx', b'"' + REFUSED_NOTE.encode()), headers),
        4: (body.replace(b'"xxx', b'"' + BROKEN_NOTE.encode()), headers),
    }
    return (key, *changes[number % len(changes)])
