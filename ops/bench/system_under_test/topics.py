"""Fills topics with the events that a measured service reads.

The service without business rules reads those of the reference programs, manpower its own. Not
here: what reads them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from chassis.messaging.kafka import KafkaProducer
from chassis.messaging.kafka_topics import PARTITIONS, ensure_topic
from ops.bench.reference.common_events import event
from ops.bench.system_under_test import environment, manpower_events
from ops.bench.system_under_test.domain import BROKEN_NOTE, REFUSED_NOTE
from ops.local import topology

OutgoingRecord = tuple[bytes, bytes, list[tuple[str, bytes]]]
FILLED_TOPIC = environment.WRITING.topic
TOPICS = (FILLED_TOPIC, environment.READING.topic)
MANPOWER_TOPICS = (
    environment.MANPOWER.topic,
    *(topology.topic_of(name) for name in environment.MANPOWER.consumes),
)
# A prime that does not divide the number of keys, so that each bad event has another key.
BAD_EVENT_INTERVAL = 101
PAGE_SIZE = 5_000


async def fill(
    kafka: str, namespace: str, events: int, *, partitions: int = PARTITIONS, bad: bool = False
) -> int:
    """Create both topics and fill the one that is read; return how many will be parked.

    `bad`: one event in 101 is bad. Later events of its key are parked behind it.
    """
    bad_keys: set[bytes] = set()
    parked = 0
    async with _opened_producer(kafka, namespace, TOPICS, partitions) as producer:
        for first in range(0, events, PAGE_SIZE):
            records: list[OutgoingRecord] = []
            for number in range(first, min(first + PAGE_SIZE, events)):
                record = _build_record(number)
                if bad and number % BAD_EVENT_INTERVAL == BAD_EVENT_INTERVAL - 1:
                    record = _spoil(number // BAD_EVENT_INTERVAL, *record)
                    bad_keys.add(record[0])
                if record[0] in bad_keys:
                    parked += 1
                records.append(record)
            await _send(producer, namespace + FILLED_TOPIC, records)
    return parked


async def fill_for_manpower(kafka: str, namespace: str, events: int) -> None:
    """Create the topics of manpower and fill the one of training."""
    async with _opened_producer(kafka, namespace, MANPOWER_TOPICS) as producer:
        for first in range(0, events, PAGE_SIZE):
            records = [
                manpower_events.build_record(number, events, _traceparent(number))
                for number in range(first, min(first + PAGE_SIZE, events))
            ]
            await _send(producer, namespace + FILLED_TOPIC, records)


@asynccontextmanager
async def _opened_producer(
    kafka: str, namespace: str, topics: Iterable[str], partitions: int = PARTITIONS
) -> AsyncGenerator[KafkaProducer]:
    """Create these topics; yield a producer, which is stopped afterwards."""
    for topic in topics:
        await ensure_topic(kafka, namespace + topic, partitions=partitions)
    producer = KafkaProducer(kafka, "bench-fill")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _send(producer: KafkaProducer, topic: str, records: list[OutgoingRecord]) -> None:
    result = await producer.send_all(topic, records)
    if result.failure:
        raise result.failure


def _build_record(number: int) -> OutgoingRecord:
    """Return this event of the reference programs, with a trace context of its own."""
    key, body, headers = event(number)
    traced = [
        (name, _traceparent(number) if name == "traceparent" else value) for name, value in headers
    ]
    return key, body, traced


def _traceparent(number: int) -> bytes:
    """Return the trace context of an event; one in ten is sampled."""
    return b"00-%032x-%016x-%02x" % (number + 1, number + 1, number % 10 == 0)


def _spoil(
    number: int, key: bytes, body: bytes, headers: list[tuple[str, bytes]]
) -> OutgoingRecord:
    """Return the event made bad in one of five ways, in turn.

    Not JSON, a missing field, an unknown version, refused by the handler, failing in the handler.
    """
    unknown_version = [
        (name, b"training.course-completed.v2" if name == "ce_type" else value)
        for name, value in headers
    ]
    ways = (
        (body[:-1], headers),
        (body.replace(b"class_id", b"class_ix"), headers),
        (body, unknown_version),
        (body.replace(b'"xxx', b'"' + REFUSED_NOTE.encode()), headers),
        (body.replace(b'"xxx', b'"' + BROKEN_NOTE.encode()), headers),
    )
    return (key, *ways[number % len(ways)])
