"""Behaviour of the real Kafka client that the fake does not have.

It prefetches, and a member that returns may subscribe to other topics.

Not here: what both do (test_kafka.py).
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import psutil
import pytest

from chassis.ids import new_id
from chassis.messaging import kafka as kafka_module
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.kafka_ports import Partition, SendFailed
from chassis.messaging.kafka_topics import administering, ensure_topic
from ops.local import platform_checks
from tests.chassis.messaging.kafka_conformance import PARTITIONS, Reader, outgoing, started
from tests.fakes import eventually


async def begin(kind: str, kafka: str) -> None:
    if kind == "administrator":
        async with administering(kafka):
            return
    if kind == "producer":
        async with started(KafkaProducer(kafka, "conformance")):
            return
    reader = Reader(KafkaConsumer(kafka, new_id(), "0", [new_id()]))
    try:
        await reader.consumer.start(reader.assigned, reader.revoked)
    finally:
        await reader.consumer.stop()


def connections(kafka: str) -> int:
    return len(
        [
            one
            for one in psutil.Process().net_connections()
            if one.raddr and one.raddr.port == int(kafka.rpartition(":")[2])
        ]
    )


@pytest.mark.parametrize("kind", ["administrator", "producer", "consumer"])
async def test_a_start_that_is_cancelled_at_whatever_moment_leaves_no_connection(
    kafka: str, kind: str
) -> None:
    before = connections(kafka)
    for moment in (0, 1, 2, 3, 4, 6, 9, 13, 20):
        beginning = asyncio.create_task(begin(kind, kafka))
        await asyncio.sleep(moment / 1000)  # the moment of the fault
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        gc.collect()  # what is not closed causes a ResourceWarning now
        await eventually(
            lambda: connections(kafka) <= before
        )  # the loop closes a transport in its next iterations


@pytest.mark.parametrize("kind", ["producer", "consumer"])
async def test_an_end_that_is_cancelled_leaves_no_connection_either(kafka: str, kind: str) -> None:
    before = connections(kafka)
    topic = new_id()
    await ensure_topic(kafka, topic, partitions=PARTITIONS)
    if kind == "producer":
        client = KafkaProducer(kafka, "conformance")
        await client.start()
    else:
        reader = Reader(client := KafkaConsumer(kafka, new_id(), "0", [topic]))
        await client.start(reader.assigned, reader.revoked)
    ending = asyncio.create_task(client.stop())
    await asyncio.sleep(0)  # the task has begun
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)
    await eventually(lambda: connections(kafka) <= before, seconds=60)


@pytest.mark.usefixtures("no_garbage_collection")
async def test_a_failed_start_leaves_nothing_to_the_garbage_collector() -> None:
    """Without a broker, a relay starts a new producer every second."""
    [port] = platform_checks.find_free_ports(1)
    producer = KafkaProducer(f"{platform_checks.LOOPBACK}:{port}", "conformance")
    client = weakref.ref(producer._producer)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(SendFailed):
        await producer.start()
    del producer
    await eventually(lambda: client() is None)


async def test_a_poll_after_a_pause_returns_records_that_came_later_at_once(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.messaging.kafka.MORE_SECONDS", 5.0)
    topic = new_id()
    await ensure_topic(kafka, topic, partitions=PARTITIONS)
    reader = Reader(KafkaConsumer(kafka, new_id(), "0", [topic]))
    await reader.consumer.start(reader.assigned, reader.revoked)
    try:
        async with started(KafkaProducer(kafka, "conformance")) as producer:
            await producer.send_all(topic, outgoing("a", b"before"))
            [before] = await reader.read(1)
            await producer.send_all(topic, outgoing("a", b"fetched"))
            await eventually(
                lambda: (
                    reader.consumer.ends()[Partition(topic, before.partition)] == before.offset + 2
                )
            )
            await producer.send_all(
                topic, [*outgoing("b", b"then"), *outgoing("c", b"then"), *outgoing("a", b"then")]
            )
            polled = [
                record.value
                for records in (await reader.consumer.poll(100, 0)).values()
                for record in records
            ]
            assert {b"fetched", b"then"} <= set(polled)
    finally:
        await reader.consumer.stop()


async def test_a_member_that_returns_with_other_topics_is_assigned_those(
    kafka: str,
) -> None:
    group = new_id()
    first = new_id()
    second = new_id()
    for topic in (first, second):
        await ensure_topic(kafka, topic, partitions=PARTITIONS)
    for topics in ({first}, {first, second}, {second}):
        reader = Reader(KafkaConsumer(kafka, group, f"{group}-0", topics))

        async def given(reader: Reader = reader, topics: set[str] = topics) -> bool:
            await reader.consumer.poll(10, 0.05)
            return reader.has == {
                Partition(topic, number) for topic in topics for number in range(PARTITIONS)
            }

        await reader.consumer.start(reader.assigned, reader.revoked)
        try:
            # The broker removes the former member after ten seconds.
            await eventually(given, seconds=40)
        finally:
            await reader.consumer.stop()


def test_a_producer_waits_for_all_replicas_and_is_idempotent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one broker no test can see the difference."""
    options: dict[str, Any] = {}

    def record(**given: Any) -> object:
        options.update(given)
        return object()

    monkeypatch.setattr(kafka_module, "AIOKafkaProducer", record)
    kafka_module.KafkaProducer("broker:9092", "test")
    assert (options["acks"], options["enable_idempotence"]) == ("all", True)
