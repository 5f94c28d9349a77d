"""The conformance suite of the Kafka ports.

Each test runs on the fake and on a real broker, so that other tests may rely on the fake.

Not here: what services do with them.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from chassis.ids import new_id
from chassis.messaging import kafka as kafka_module
from chassis.messaging.kafka_ports import Outgoing, Partition, RecordRefused, SendFailed
from tests.chassis.messaging.kafka_conformance import (
    PARTITIONS,
    TOO_BIG,
    Broker,
    FakeBroker,
    LeavingBroker,
    LeavingFakeBroker,
    LeavingRealBroker,
    Reader,
    RealBroker,
    beside,
    fill,
    outgoing,
    polled,
    reading,
    started,
    values,
)
from tests.fakes import eventually
from tests.restartable_kafka import RestartableKafka


@pytest.fixture(params=["fake", "kafka"])
async def broker(request: pytest.FixtureRequest, kafka: str) -> AsyncIterator[Broker]:
    if request.param == "fake":
        yield FakeBroker()
        return
    raw = AIOKafkaProducer(bootstrap_servers=kafka)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    async with AsyncExitStack() as ends:
        await raw.start()
        ends.push_async_callback(raw.stop)
        await admin.start()
        ends.push_async_callback(admin.close)
        yield RealBroker(kafka, raw, admin)


async def test_records_of_a_key_are_in_one_partition_in_order(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    records = [
        record
        for number in range(50)
        for key in "abcdefg"
        for record in outgoing(key, f"{number}".encode() * 2_000)
    ]
    async with started(broker.producer()) as producer:
        for part in (records[:200], records[200:]):
            sent = await producer.send_all(topic, part)
            assert (sorted(sent.acknowledged), sent.failure) == (list(range(len(part))), None)
    async with reading(broker, topic) as reader:
        found = await reader.read(len(records))
    for key in "abcdefg":
        ours = [record for record in found if record.key == key.encode()]
        assert len({record.partition for record in ours}) == 1
        assert [record.value for record in ours] == [
            value for name, value, _ in records if name == key.encode()
        ]
        assert ours[0].headers == (("ce_id", b"00000000"),)
        assert [record.offset for record in ours] == sorted(record.offset for record in ours)


async def test_nothing_of_a_partition_is_sent_after_a_record_that_is_too_big(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    same, other = await beside(broker, topic, "k")
    batch = [
        *outgoing("k", b"1"),
        *outgoing(other, b"2"),
        *outgoing("k", TOO_BIG),
        *outgoing(same, b"3"),
        *outgoing("k", b"4"),
        *outgoing(other, b"5"),
    ]
    async with started(broker.producer()) as producer:
        sent = await producer.send_all(topic, batch)
    assert isinstance(sent.failure, RecordRefused)
    assert sorted(sent.acknowledged) == [0, 1, 5]
    assert sorted(value or b"" for value in await values(broker, topic, 21 + 3)) == sorted(
        [b"place"] * 21 + [b"1", b"2", b"5"]
    )


async def test_a_producer_is_spent_after_a_refusal_and_a_new_one_sends(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    async with started(broker.producer()) as producer:
        assert isinstance(
            (await producer.send_all(topic, outgoing("k", TOO_BIG))).failure, RecordRefused
        )
        again = await producer.send_all(
            topic, outgoing("k", b"1") + outgoing("a", b"1") + outgoing("b", b"1")
        )
        assert (again.acknowledged, type(again.failure)) == ([], SendFailed)
    async with started(broker.producer()) as producer:
        assert (await producer.send_all(topic, outgoing("k", b"2"))).acknowledged == [0]
    assert await values(broker, topic, 1) == [b"2"]


async def test_a_producer_that_was_stopped_says_that_it_sends_nothing(broker: Broker) -> None:
    topic = await broker.topic()
    async with started(broker.producer()) as producer:
        pass
    sent = await producer.send_all(topic, outgoing("k", b"1"))
    assert (sent.acknowledged, type(sent.failure)) == ([], SendFailed)


async def test_a_start_without_a_broker_fails_and_the_producer_can_be_stopped(
    broker: Broker,
) -> None:
    producer = broker.lost_producer()
    with pytest.raises(SendFailed):
        await producer.start()
    await producer.stop()


@pytest.fixture(params=["fake", "frozen", "killed"])
async def leaving_broker(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LeavingBroker]:
    monkeypatch.setattr(kafka_module, "SEND_SECONDS", 3.0)
    if request.param == "fake":
        yield LeavingFakeBroker()
        return
    kafka = RestartableKafka(tmp_path / "kafka")
    try:
        await kafka.come()
        how = signal.SIGSTOP if request.param == "frozen" else signal.SIGKILL
        yield LeavingRealBroker(kafka, how)
    finally:
        await kafka.end()


def is_nothing_sent_beside(tasks: set[asyncio.Task[Any]]) -> bool:
    """Return whether only a flush is left, which waits for batches that are dropped."""
    left = {task.get_coro() for task in asyncio.all_tasks() - tasks}
    return {getattr(one, "__qualname__", "") for one in left} <= {"MessageAccumulator.close"}


async def assert_a_send_fails(
    broker: LeavingBroker, topic: str, before: list[Outgoing], records: list[Outgoing]
) -> None:
    """Send while the broker is there, then while it goes, and stop the producer."""
    async with started(broker.producer()) as producer:
        assert (await producer.send_all(topic, before)).failure is None
        await broker.go()
        async with asyncio.timeout(60):
            for _ in range(2):
                sent = await producer.send_all(topic, records)
                assert (sent.acknowledged, type(sent.failure)) == ([], SendFailed)
            await producer.stop()


@pytest.mark.timeout(300)
async def test_a_send_during_which_the_broker_goes_fails_in_time(
    leaving_broker: LeavingBroker,
) -> None:
    """Its producer sends nothing more when it is stopped, and a new one sends."""
    topic = await leaving_broker.topic()
    keys = [f"k{number}" for number in range(8)]
    before = [record for key in keys for record in outgoing(key, b"1")]
    records = [record for key in keys for record in outgoing(key, b"2", b"3")]
    tasks = asyncio.all_tasks()
    await assert_a_send_fails(leaving_broker, topic, before, records)
    await eventually(partial(is_nothing_sent_beside, tasks))
    await leaving_broker.come()

    async def is_sent_again() -> bool:
        async with started(leaving_broker.producer()) as new_producer:
            return (await new_producer.send_all(topic, records)).failure is None

    await eventually(is_sent_again, seconds=60)
    for key in keys:
        assert await leaving_broker.values(topic, key) == [b"1", b"2", b"3"]


async def test_a_member_reads_from_given_positions_or_from_the_beginning(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    places = await fill(broker, topic, "abcdefgh", 3)
    assert len(places) > 1
    first = min(places)
    async with reading(broker, topic, positions={first: 2}) as reader:
        found = await reader.read(24 - 2, most=5)
    assert reader.rebalances[0] == ("assigned", frozenset(range(PARTITIONS)))
    for number, offsets in places.items():
        assert [record.offset for record in found if record.partition == number] == (
            offsets[2:] if number == first else offsets
        )


@pytest.mark.parametrize(("key", "value"), [(b"k", None), (None, b"v"), (b"", b"")])
async def test_a_record_without_key_body_or_header_value_is_read_as_sent(
    broker: Broker, key: bytes | None, value: bytes | None
) -> None:
    topic = await broker.topic()
    odd: list[tuple[str, bytes | None]] = [
        ("empty", None),
        ("twice", b"1"),
        ("twice", b"2"),
        ("bytes", b"\xff\x00"),
    ]
    await broker.put(topic, key, value, odd)
    async with reading(broker, topic) as reader:
        [record] = await reader.read(1)
    assert (record.topic, record.offset, record.key, record.value, list[Any](record.headers)) == (
        topic,
        0,
        key,
        value,
        odd,
    )


async def test_a_seek_moves_in_own_partitions_only(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    [(number, offsets)] = (await fill(broker, topic, "a", 5)).items()
    ours = Partition(topic, number)
    async with reading(broker, topic) as reader:
        await reader.read(5)
        await reader.consumer.seek(ours, offsets[1])
        assert [record.offset for record in await reader.read(4)] == offsets[1:]
        await reader.consumer.seek(ours, offsets[4])
        assert [record.offset for record in await reader.read(1)] == offsets[4:]
        await reader.consumer.seek(Partition(topic, 99), 0)


async def test_following_asks_the_broker_again_and_reads_on_from_there(broker: Broker) -> None:
    topic = await broker.topic()
    [(number, offsets)] = (await fill(broker, topic, "a", 3)).items()
    ours = Partition(topic, number)
    async with reading(broker, topic) as reader:
        await reader.read(3)
        assert await reader.consumer.following(ours, offsets[1]) == offsets[1]
        assert [record.offset for record in await reader.read(2)] == offsets[1:]
        assert await reader.consumer.following(ours, offsets[2] + 1) == offsets[2] + 1
        await broker.forget(ours, offsets[2])
        assert await reader.consumer.following(ours, offsets[0]) == offsets[2]
        assert [record.offset for record in await reader.read(1)] == offsets[2:]


async def test_reading_begins_at_the_oldest_record_that_retention_left(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    [(number, offsets)] = (await fill(broker, topic, "a", 5)).items()
    ours = Partition(topic, number)
    await broker.forget(ours, offsets[2])
    for position in ({}, {number: offsets[1]}):
        async with reading(broker, topic, positions=position) as reader:
            assert [record.offset for record in await reader.read(3)] == offsets[2:]
            assert await reader.consumer.beginning(ours) == offsets[2]
    assert await broker.put(topic, b"a", b"new") == offsets[4] + 1


async def test_a_member_knows_where_its_partitions_end_once_it_has_read_them(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    places = await fill(broker, topic, "abcdef", 2)
    async with reading(broker, topic) as reader:
        await reader.read(12, most=3)
        ends = reader.consumer.ends()
    assert {number: ends[Partition(topic, number)] for number in places} == {
        number: offsets[-1] + 1 for number, offsets in places.items()
    }
    assert ends.keys() <= {Partition(topic, number) for number in range(PARTITIONS)}


async def test_a_commit_covers_own_partitions_only_and_moves_no_position(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    group = new_id()
    [(number, _)] = (await fill(broker, topic, "a", 3)).items()
    ours = Partition(topic, number)
    async with reading(broker, topic, group=group) as reader:
        await reader.read(3)
        await reader.consumer.commit({ours: 2, Partition(topic, 99): 7})
        assert await broker.committed(group, ours) == 2
        assert await broker.committed(group, Partition(topic, 99)) == -1
    async with reading(broker, topic, group=group) as reader:
        assert len(await reader.read(3)) == 3


async def test_a_member_that_reads_and_leaves_commits_nothing(broker: Broker) -> None:
    topic = await broker.topic()
    group = new_id()
    [(number, _)] = (await fill(broker, topic, "a", 3)).items()
    async with reading(broker, topic, group=group) as reader:
        await reader.read(3)
    assert await broker.committed(group, Partition(topic, number)) == -1


async def is_shared_by(*readers: Reader) -> bool:
    """Poll once and return whether each partition is assigned to exactly one of these readers."""
    for reader in readers:
        await reader.consumer.poll(10, 0.05)
    shares = [{partition.number for partition in reader.has} for reader in readers]
    assigned = sorted(number for share in shares for number in share)
    return all(shares) and assigned == list(range(PARTITIONS))


async def test_a_rebalance_revokes_each_partition_before_it_assigns_it(
    broker: Broker,
) -> None:
    topic = await broker.topic()
    group = new_id()
    everything = frozenset(range(PARTITIONS))
    async with reading(broker, topic, group=group) as first:
        await eventually(partial(is_shared_by, first))
        async with reading(broker, topic, group=group, member="1") as second:
            await eventually(partial(is_shared_by, first, second))
            assert first.rebalances[:3] == [
                ("assigned", everything),
                ("revoked", everything),
                ("assigned", frozenset(partition.number for partition in first.has)),
            ]
            for key in "abcdefgh":
                await broker.put(topic, key.encode(), b"")
            theirs = [await polled(reader) for reader in (first, second)]
            assert sum(map(len, theirs)) == 8
            shared = frozenset(partition.number for partition in first.has)
        await eventually(partial(is_shared_by, first), seconds=30)
        assert first.rebalances[3:] == [("revoked", shared), ("assigned", everything)]
