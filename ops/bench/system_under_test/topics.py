"""Topics for the measured service, filled with the events of the reference programs. Not here: what reads them."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.messaging.kafka import PARTITIONS, KafkaProducer, ensure_topic
from ops.bench.reference.common_events import event
from ops.bench.system_under_test.domain import BROKEN, REFUSED

Sent = tuple[bytes, bytes, list[tuple[str, bytes]]]
TOPICS = ("training.events", "certification.events")
BAD_EVERY = (
    101  # a prime that does not divide the number of keys: bad events meet a key of their own each
)
PAGE = 5_000


async def fill(
    kafka: str, namespace: str, events: int, *, partitions: int = PARTITIONS, bad: bool = False
) -> int:
    """Make the topics of both services and put so many events into the first; `bad`: one in a hundred is. How many will be parked."""
    for topic in TOPICS:
        await ensure_topic(kafka, namespace + topic, partitions=partitions)
    producer = KafkaProducer(kafka, "bench-fill")
    await producer.start()
    spoilt: set[bytes] = set()
    parked = 0
    try:
        for first in range(0, events, PAGE):
            page = [(number, *event(number)) for number in range(first, min(first + PAGE, events))]
            sending: list[Sent] = []
            for number, key, body, headers in page:
                is_bad = bad and number % BAD_EVERY == BAD_EVERY - 1
                parked += (
                    is_bad or key in spoilt
                )  # what follows a bad event of its key waits behind it
                if is_bad:
                    spoilt.add(key)
                traced = [
                    (name, _traceparent(number) if name == "traceparent" else value)
                    for name, value in headers
                ]
                sending.append(
                    _spoilt(number // BAD_EVERY, key, body, traced)
                    if is_bad
                    else (key, body, traced)
                )
            await _sent(producer, namespace + TOPICS[0], sending)
    finally:
        await producer.stop()
    return parked


async def _sent(producer: KafkaProducer, topic: str, sending: Iterable[Sent]) -> None:
    if failure := (await producer.send_all(topic, list(sending))).failure:
        raise failure


def _traceparent(number: int) -> bytes:
    """A trace of its own for every event, one in ten sampled."""
    return b"00-%032x-%016x-%02x" % (number + 1, number + 1, number % 10 == 0)


def _spoilt(kind: int, key: bytes, body: bytes, headers: list[tuple[str, bytes]]) -> Sent:
    """One of five ways to be bad, in turn: not JSON, a field missing, a version from the future, refused by the handler, breaking the handler."""
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
        3: (body.replace(b'"xxx', b'"' + REFUSED.encode()), headers),
        4: (body.replace(b'"xxx', b'"' + BROKEN.encode()), headers),
    }
    return (key, *changes[kind % len(changes)])
