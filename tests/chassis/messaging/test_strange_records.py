"""Records as no producer of ours makes them, on a real broker.

Packed, in transactions, with what the client cannot read. None may stop a partition, none is
dropped in silence.
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
from tests.chassis.messaging.test_bad_events import KIND, Street, opened
from tests.chassis.messaging.test_pipeline import Outside
from tests.chassis.sample_service import Transaction
from tests.fakes import eventually

# where a record batch keeps its checksum, and from where it is reckoned
CRC_AT = 17
CRC_FROM = 21
NAME = b"NAME-OF-A-HEADER"
NO_TEXT = b"\xff\xfe\xfd\xfc" * 4
DEEP = b'{"owner_ref": ' + b"[" * 500_000


@pytest.fixture
async def street(
    tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncIterator[Street]:
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


async def write_note(street: Street, producer: Any, owner: str, text: str) -> None:
    envelope = Envelope(
        id=new_id(), type=KIND, source="bina/outside", key=owner, time=utc_now(), sequence=1
    )
    await producer.send_and_wait(
        street.topic,
        json.dumps({"owner_ref": owner, "text": text}).encode(),
        key=owner.encode(),
        headers=envelope.headers(),
    )


async def heard(street: Street, owner: str, *texts: str, seconds: float = 15) -> None:
    async def so() -> bool:
        return await street.texts(owner) == list(texts)

    try:
        await eventually(so, seconds=seconds)
    except AssertionError:
        raise AssertionError(f"{texts} wanted, {await street.texts(owner)}") from None


async def partition_of(street: Street, key: str) -> int:
    partitions = sorted(await street.producer.partitions_for(street.topic))
    choose: Any = DefaultPartitioner()
    return int(choose(key.encode(), partitions, partitions))


async def nameless(street: Street, *owners: str) -> None:
    """Send one batch with a note of each owner (all of one partition).

    The record in its middle has a header whose name is not UTF-8.
    """
    batch = street.producer.create_batch()
    for place, owner in enumerate(owners):
        envelope = Envelope(
            id=new_id(), type=KIND, source="bina/outside", key=owner, time=utc_now(), sequence=1
        )
        strange = [(NAME.decode(), b"x")] if place == len(owners) // 2 else []
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
        await street.producer.send_batch(
            batch, street.topic, partition=await partition_of(street, owners[0])
        )
    )
    street.sent += len(owners)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_record_is_read_however_its_producer_or_the_broker_packs_it(
    street: Street, kafka: str, codec: str
) -> None:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC, street.topic, configs={"compression.type": codec}
                )
            ]
        )
    finally:
        await admin.close()
    owner = await street.owner()
    await street.note(owner, "x" * 1_000)
    await heard(street, owner, "x" * 1_000)


async def test_records_of_a_kafka_transaction_take_effect_only_if_committed(
    street: Street, kafka: str
) -> None:
    owner = await street.owner()
    for text in ("one", "given up", "two"):
        async with transactional(kafka) as producer:
            await producer.begin_transaction()
            await write_note(street, producer, owner, text)
            await (
                producer.abort_transaction()
                if text == "given up"
                else producer.commit_transaction()
            )
    await street.note(owner, "three")
    await heard(street, owner, "one", "two", "three")


async def test_a_transaction_marker_at_the_end_of_a_partition_is_no_stall(
    street: Street, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "STALL_SECONDS", 1.0)
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 0.1)
    owner = await street.owner()

    with capture_logs() as lines:
        async with transactional(kafka) as producer:
            await producer.begin_transaction()
            await write_note(street, producer, owner, "last")
            await producer.commit_transaction()
        await heard(street, owner, "last")
        await eventually(lambda: behind(street, 1))
        await eventually(lambda: behind(street, 0))
        await street.note(owner, "more")
        await heard(street, owner, "last", "more")
    assert [line["event"] for line in lines if line["event"] == "consumer_interrupted"] == []


async def behind(street: Street, events: int) -> bool:
    [metric] = telemetry.CONSUMER_LAG.collect()
    known = [one.value for one in metric.samples if one.labels["topic"] == street.topic]
    return sum(known) == events


async def test_a_record_with_undecodable_headers_is_parked_by_its_offset(street: Street) -> None:
    """Its partition goes on, and so do the other partitions that were read with it.

    The records behind it in the same batch are parked, too: the client cannot reach them.
    """
    owners = [await street.owner() for _ in range(40)]
    partition = await partition_of(street, owners[0])
    neighbours = [owner for owner in owners if await partition_of(street, owner) == partition]
    assert len(neighbours) > 1
    before = neighbours[: len(neighbours) // 2]
    await nameless(street, *neighbours)
    await nameless(street, *neighbours)
    await street.note(owners[0], "poison")
    for owner in owners:
        await street.note(owner, "behind")
    counted = await street.accounted()
    unread = 2 * (len(neighbours) - len(before))
    parked = await street.db.find("inbox", {"state": "parked", "key": ""}, sort=[("order", 1)])
    assert [row["_id"] for row in parked] == [row["order"] for row in parked]
    assert len(parked) == unread
    assert all(row["_id"].startswith(f"{street.topic}/{partition:05d}/") for row in parked)
    assert {row["reason"] for row in parked} == {"key or headers are not UTF-8"}
    assert (counted["parked"], counted["applied"]) == (unread + 2, 40 + 2 * len(before) + 39)
    for owner in owners:
        packed = ["packed"] * 2 if owner in before else []
        behind = ["behind"] if owner != owners[0] else []
        await heard(street, owner, *packed, *behind)


async def test_a_retry_of_an_undecodable_record_keeps_its_reason(street: Street) -> None:
    owner = await street.owner()
    await nameless(street, owner)
    assert (await street.accounted())["parked"] == 1
    outside = Outside(street.life, street.put)
    parked = ParkedSequences[Transaction](street.life.inbox)
    assert await parked.retry(outside.run, f"{street.topic}/") == 0
    assert await street.reasons() == {"key or headers are not UTF-8": 1}


async def test_strange_bodies_are_parked_or_take_effect_and_can_be_shown(
    street: Street,
) -> None:
    owner = await street.owner()
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
        await street.put(new_id().encode(), body)
    ref = json.dumps(owner).encode()
    for body in (
        b'{"owner_ref": "nobody", "text": "a", "owner_ref": %b, "text": "the last of two"}' % ref,
        b'{"owner_ref": %b, "text": "null byte \\u0000"}' % ref,
        b'{"owner_ref": %b, "text": "more", "deep": ' % ref + b"[" * 100 + b"]" * 100 + b"}",
        b' \n{"owner_ref": %b, "text": "spaced"} ' % ref,
    ):
        await street.put(owner.encode(), body)
    counted = await street.accounted()
    assert (counted["parked"], counted["applied"]) == (len(parked), 5)
    assert await street.texts(owner) == ["the last of two", "null byte \0", "more", "spaced"]
    shown = [
        letter
        for marker in await street.db.find("parked", {})
        for letter in await letters(street, marker["_id"])
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


async def letters(street: Street, marker: str) -> list[ParkedEvent]:
    outside = Outside(street.life, street.put)
    parked: ParkedSequences[Transaction] = ParkedSequences(street.life.inbox)
    return await outside.run(lambda tx: parked.events(tx, marker))


async def test_an_event_with_a_too_long_id_or_key_is_named_by_its_offset(
    street: Street,
) -> None:
    owner = await street.owner()
    await street.note(owner, "a", id_="x" * (MAX_NAME + 1))
    await street.put(b"k" * (MAX_NAME + 1), b"{}")
    await street.put(b"k" * 100_000, b"{}", kind="outside.nothing-of-ours.v1")
    await street.note(owner, "b", id_="y" * MAX_NAME)
    assert (await street.accounted())["parked"] == 3
    assert await street.reasons() == {"an id or a key is too long": 2, BEHIND: 1}
    outside = Outside(street.life, street.put)
    parked = ParkedSequences[Transaction](street.life.inbox)
    for marker in await street.db.find("parked", {}):
        assert len(marker["_id"]) < MAX_NAME
        bad, *_ = await letters(street, marker["_id"])
        assert bad.id.startswith(street.topic)
        await outside.run(
            lambda tx, marker=marker, bad=bad: parked.discard(tx, marker["_id"], bad.id, "unusable")
        )
    [left] = await street.db.find("parked", {})
    await parked.retry(outside.run, left["_id"])
    await heard(street, owner, "b")


async def test_of_a_header_that_comes_twice_the_last_counts(street: Street) -> None:
    owner = await street.owner()
    first = new_id()
    last = new_id()
    headers = Envelope(
        id=last, type=KIND, source="bina/outside", key=owner, time=utc_now(), sequence=1
    ).headers()
    for _ in range(2):
        await street.producer.send_and_wait(
            street.topic,
            json.dumps({"owner_ref": owner, "text": "a"}).encode(),
            key=owner.encode(),
            headers=[("ce_id", first.encode()), *headers],
        )
        street.sent += 1
    counted = await street.accounted()
    assert (counted["applied"], counted["repeated"]) == (2, 1)
    assert await street.texts(owner) == ["a"]
    assert await street.db.find_one("inbox", {"_id": first}) is None
