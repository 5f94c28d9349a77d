"""Records that none of our producers writes, on a real broker.

They are compressed, in Kafka transactions, or unreadable for the client. None may stop a
partition, and none is dropped silently.
"""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.record.util import calc_crc32c
from structlog.testing import capture_logs

from chassis import telemetry
from chassis.ids import new_id, utc_now
from chassis.messaging import consumer
from chassis.messaging.events import MAX_NAME, Envelope
from chassis.messaging.parked_events import ParkedEvent, ParkedSequences
from chassis.messaging.received_events import BEHIND
from tests.chassis.messaging.test_bad_events import KIND, BadEventsHarness, opened
from tests.chassis.messaging.test_pipeline import OutsideService
from tests.chassis.sample_service import Transaction
from tests.fakes import eventually

# byte offsets in a record batch: of the checksum, and from which it is computed
CRC_AT = 17
CRC_FROM = 21
NAME = b"NAME-OF-A-HEADER"
NO_TEXT = b"\xff\xfe\xfd\xfc" * 4
DEEP = b'{"owner_ref": ' + b"[" * 500_000


@pytest.fixture
async def harness(
    tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncIterator[BadEventsHarness]:
    async with opened(tmp_path, mongo_url, kafka, database) as one:
        yield one


@asynccontextmanager
async def transactional(kafka: str) -> AsyncGenerator[Any]:
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=new_id())
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def write_note(harness: BadEventsHarness, producer: Any, owner: str, text: str) -> None:
    envelope = Envelope(
        id=new_id(), type=KIND, source="bina/outside", key=owner, time=utc_now(), sequence=1
    )
    await producer.send_and_wait(
        harness.topic,
        json.dumps({"owner_ref": owner, "text": text}).encode(),
        key=owner.encode(),
        headers=envelope.headers(),
    )


async def heard(harness: BadEventsHarness, owner: str, *texts: str, seconds: float = 15) -> None:
    async def so() -> bool:
        return await harness.texts(owner) == list(texts)

    try:
        await eventually(so, seconds=seconds)
    except AssertionError:
        raise AssertionError(f"{texts} wanted, {await harness.texts(owner)}") from None


async def partition_of(harness: BadEventsHarness, key: str) -> int:
    partitions = sorted(await harness.producer.partitions_for(harness.topic))
    choose: Any = DefaultPartitioner()
    return int(choose(key.encode(), partitions, partitions))


async def nameless(harness: BadEventsHarness, *owners: str) -> None:
    """Send one batch with a note of each owner (all of one partition).

    The record in the middle of the batch has a header whose name is not UTF-8.
    """
    batch = harness.producer.create_batch()
    for index, owner in enumerate(owners):
        envelope = Envelope(
            id=new_id(), type=KIND, source="bina/outside", key=owner, time=utc_now(), sequence=1
        )
        strange = [(NAME.decode(), b"x")] if index == len(owners) // 2 else []
        batch.append(
            key=owner.encode(),
            value=json.dumps({"owner_ref": owner, "text": "packed"}).encode(),
            timestamp=None,
            headers=[*envelope.headers(), *strange],
        )
    # No client makes such a record.
    made = bytearray(batch._build()).replace(NAME, NO_TEXT)  # noqa: SLF001
    struct.pack_into(">I", made, CRC_AT, calc_crc32c(bytes(made[CRC_FROM:])))
    batch._buffer = made  # noqa: SLF001
    await (
        await harness.producer.send_batch(
            batch, harness.topic, partition=await partition_of(harness, owners[0])
        )
    )
    harness.sent += len(owners)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_record_is_read_however_its_producer_or_the_broker_packs_it(
    harness: BadEventsHarness, kafka: str, codec: str
) -> None:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC, harness.topic, configs={"compression.type": codec}
                )
            ]
        )
    finally:
        await admin.close()
    owner = await harness.owner()
    await harness.note(owner, "x" * 1_000)
    await heard(harness, owner, "x" * 1_000)


async def test_records_of_a_kafka_transaction_take_effect_only_if_committed(
    harness: BadEventsHarness, kafka: str
) -> None:
    owner = await harness.owner()
    for text in ("one", "given up", "two"):
        async with transactional(kafka) as producer:
            await producer.begin_transaction()
            await write_note(harness, producer, owner, text)
            await (
                producer.abort_transaction()
                if text == "given up"
                else producer.commit_transaction()
            )
    await harness.note(owner, "three")
    await heard(harness, owner, "one", "two", "three")


async def test_a_transaction_marker_at_the_end_of_a_partition_is_no_stall(
    harness: BadEventsHarness, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "STALL_SECONDS", 1.0)
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 0.1)
    owner = await harness.owner()

    with capture_logs() as lines:
        async with transactional(kafka) as producer:
            await producer.begin_transaction()
            await write_note(harness, producer, owner, "last")
            await producer.commit_transaction()
        await heard(harness, owner, "last")
        await eventually(lambda: behind(harness, 1))
        await eventually(lambda: behind(harness, 0))
        await harness.note(owner, "more")
        await heard(harness, owner, "last", "more")
    assert [line["event"] for line in lines if line["event"] == "consumer_interrupted"] == []


async def behind(harness: BadEventsHarness, events: int) -> bool:
    [metric] = telemetry.CONSUMER_LAG.collect()
    known = [one.value for one in metric.samples if one.labels["topic"] == harness.topic]
    return sum(known) == events


async def test_a_record_with_undecodable_headers_is_parked_by_its_offset(
    harness: BadEventsHarness,
) -> None:
    """Its partition continues, and so do the other partitions that were read with it.

    Later records of the same batch are parked, too, because the client cannot reach them.
    """
    owners = [await harness.owner() for _ in range(40)]
    partition = await partition_of(harness, owners[0])
    neighbours = [owner for owner in owners if await partition_of(harness, owner) == partition]
    assert len(neighbours) > 1
    before = neighbours[: len(neighbours) // 2]
    await nameless(harness, *neighbours)
    await nameless(harness, *neighbours)
    await harness.note(owners[0], "poison")
    for owner in owners:
        await harness.note(owner, "behind")
    counted = await harness.accounted()
    unread = 2 * (len(neighbours) - len(before))
    parked = await harness.db.find("inbox", {"state": "parked", "key": ""}, sort=[("order", 1)])
    assert [row["_id"] for row in parked] == [row["order"] for row in parked]
    assert len(parked) == unread
    assert all(row["_id"].startswith(f"{harness.topic}/{partition:05d}/") for row in parked)
    assert {row["reason"] for row in parked} == {"key or headers are not UTF-8"}
    assert (counted["parked"], counted["applied"]) == (unread + 2, 40 + 2 * len(before) + 39)
    for owner in owners:
        packed = ["packed"] * 2 if owner in before else []
        behind = ["behind"] if owner != owners[0] else []
        await heard(harness, owner, *packed, *behind)


async def test_a_retry_of_an_undecodable_record_keeps_its_reason(harness: BadEventsHarness) -> None:
    owner = await harness.owner()
    await nameless(harness, owner)
    assert (await harness.accounted())["parked"] == 1
    outside = OutsideService(harness.life, harness.put)
    parked = ParkedSequences[Transaction](harness.life.inbox)
    assert await parked.retry(outside.run, f"{harness.topic}/") == 0
    assert await harness.reasons() == {"key or headers are not UTF-8": 1}


async def test_strange_bodies_are_parked_or_take_effect_and_can_be_shown(
    harness: BadEventsHarness,
) -> None:
    owner = await harness.owner()
    parked = [
        b"\x00" * 100,
        DEEP,
        b'{"owner_ref": "a", "text": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"owner_ref": "a", "text": NaN}',
        b'{"Budi Santoso": 1}',
    ]
    parked.append(b'{"n": %b}' % (b"9" * 9_000))
    for body in parked:
        await harness.put(new_id().encode(), body)
    ref = json.dumps(owner).encode()
    for body in (
        b'{"owner_ref": "nobody", "text": "a", "owner_ref": %b, "text": "the last of two"}' % ref,
        b'{"owner_ref": %b, "text": "null byte \\u0000"}' % ref,
        b'{"owner_ref": %b, "text": "more", "deep": ' % ref + b"[" * 100 + b"]" * 100 + b"}",
        b' \n{"owner_ref": %b, "text": "spaced"} ' % ref,
    ):
        await harness.put(owner.encode(), body)
    counted = await harness.accounted()
    assert (counted["parked"], counted["applied"]) == (len(parked), 5)
    assert await harness.texts(owner) == ["the last of two", "null byte \0", "more", "spaced"]
    shown = [
        letter
        for marker in await harness.db.find("parked", {})
        for letter in await letters(harness, marker["_id"])
    ]
    assert len(shown) == len(parked)
    assert sorted(
        json.dumps(dict(letter.body), ensure_ascii=False) for letter in shown if letter.body
    ) == sorted(
        [
            '{"owner_ref": "…", "text": "…"}',
            '{"owner_ref": "…", "text": "…"}',
            '{"…": "…"}',
            '{"…": "…"}',
        ]
    )


async def letters(harness: BadEventsHarness, marker: str) -> list[ParkedEvent]:
    outside = OutsideService(harness.life, harness.put)
    parked: ParkedSequences[Transaction] = ParkedSequences(harness.life.inbox)
    return await outside.run(lambda tx: parked.events(tx, marker))


async def test_an_event_with_a_too_long_id_or_key_is_named_by_its_offset(
    harness: BadEventsHarness,
) -> None:
    owner = await harness.owner()
    await harness.note(owner, "a", id_="x" * (MAX_NAME + 1))
    await harness.put(b"k" * (MAX_NAME + 1), b"{}")
    await harness.put(b"k" * 100_000, b"{}", kind="outside.nothing-of-ours.v1")
    await harness.note(owner, "b", id_="y" * MAX_NAME)
    assert (await harness.accounted())["parked"] == 3
    assert await harness.reasons() == {"an id or a key is too long": 2, BEHIND: 1}
    outside = OutsideService(harness.life, harness.put)
    parked = ParkedSequences[Transaction](harness.life.inbox)
    for marker in await harness.db.find("parked", {}):
        assert len(marker["_id"]) < MAX_NAME
        bad, *_ = await letters(harness, marker["_id"])
        assert bad.id.startswith(harness.topic)
        await outside.run(
            lambda tx, marker=marker, bad=bad: parked.discard(
                tx, marker["_id"], bad.id, "unusable here"
            )
        )
    [left] = await harness.db.find("parked", {})
    await parked.retry(outside.run, left["_id"])
    await heard(harness, owner, "b")


async def test_of_a_header_that_comes_twice_the_last_counts(harness: BadEventsHarness) -> None:
    owner = await harness.owner()
    first = new_id()
    last = new_id()
    headers = Envelope(
        id=last, type=KIND, source="bina/outside", key=owner, time=utc_now(), sequence=1
    ).headers()
    for _ in range(2):
        await harness.producer.send_and_wait(
            harness.topic,
            json.dumps({"owner_ref": owner, "text": "a"}).encode(),
            key=owner.encode(),
            headers=[("ce_id", first.encode()), *headers],
        )
        harness.sent += 1
    counted = await harness.accounted()
    assert (counted["applied"], counted["repeated"]) == (2, 1)
    assert await harness.texts(owner) == ["a"]
    assert await harness.db.find_one("inbox", {"_id": first}) is None
