"""Relay, consumer, leases and gauges of a running service.

Blocked keys, lost fetches, gauges that return to zero, and two processes with one replica id.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis import telemetry
from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.ids import new_id
from chassis.jobs.runner import Job, JobLoop
from chassis.messaging import consumer
from chassis.messaging.kafka_ports import Partition
from chassis.messaging.outbox_relay import LOOK_SECONDS, OutboxRelay
from chassis.messaging.parked_events import ParkedSequences
from chassis.messaging.waiting_events import pending_counts
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from tests.chassis.harness import Harness, runner
from tests.chassis.sample_service import Jar, JarFilled, ShopSettings, Transaction, fill_jar
from tests.fakes import FakeKafka, Keys, eventually


async def jar_of(harness: Harness, owner: str, *marbles: int) -> Jar:
    """Create a jar for this owner and fill in these marbles, one event for each number."""
    jar = await harness.run()(
        lambda tx: _added(tx, Jar(id=new_id(), owner_ref=owner, room="north", capacity=1_000))
    )
    for number in marbles:
        await harness.run()(partial(fill_jar, jar.id, number))
    return jar


async def _added(tx: Transaction, jar: Jar) -> Jar:
    return tx.jars.add(jar)


async def test_a_refused_row_blocks_only_its_key_until_an_operator_retries(
    harness: Harness,
) -> None:
    stuck = new_id()
    free = new_id()
    harness.fake.refuses = lambda value: stuck.encode() in value
    await jar_of(harness, stuck, 1, 2)
    await jar_of(harness, free, 3, 4)
    topic = harness.life.relay.topic

    async def published() -> list[tuple[str, bytes]]:
        answer = [
            ((record.key or b"").decode(), dict(record.headers)["ce_sequence"])
            for record in harness.fake.records(topic)
        ]
        return sorted(
            one for one in answer if one[0] in {stuck, free}
        )  # the topic also has the audit's anchors

    await harness.becomes(published, sorted((free, number) for number in (b"1", b"2")), seconds=10)
    marker = await eventually(lambda: harness.db.find_one("parked", {"_id": f"outbox/{stuck}"}))
    [first, _] = await harness.db.find("outbox", {"key": stuck, "sent": False}, sort=[("seq", 1)])
    assert (marker["kind"], marker["key"], marker["first"]) == ("outbox", stuck, first["_id"])
    await jar_of(harness, free, 5)
    await harness.becomes(
        published, sorted((free, number) for number in (b"1", b"2", b"3")), seconds=10
    )
    harness.fake.refuses = lambda _: False
    await ParkedSequences(harness.life.inbox).retry(harness.run(), f"outbox/{stuck}")
    await harness.becomes(
        published,
        sorted(
            [
                *((free, number) for number in (b"1", b"2", b"3")),
                *((stuck, number) for number in (b"1", b"2")),
            ]
        ),
        seconds=30,
    )  # the relay reads an operator's release every few seconds
    assert [
        dict(record.headers)["ce_sequence"]
        for record in harness.fake.records(topic)
        if record.key == stuck.encode()
    ] == [b"1", b"2"]


async def test_a_lost_first_fetch_of_a_partition_is_read_again(
    harness: Harness,
) -> None:
    owner = new_id()
    async with harness.one_batch():
        await harness.tell("asked", owner, owner_ref=owner, what="first")
        await harness.tell("asked", owner, owner_ref=owner, what="second")
        [member] = harness.fake.members
        await member.seek(harness.fake.partition(harness.life.inbox.topics[0], owner.encode()), 1)
    await harness.becomes(lambda: harness.texts(owner), ["first", "second"])


async def test_a_fetch_that_is_lost_repeatedly_is_read_until_it_comes(
    harness: Harness,
) -> None:
    owner = new_id()
    fake = harness.fake
    fake.losing = [
        True,
        False,
        True,
        False,
        True,
    ]  # whenever the next batch shows the gap, the repeated fetch is lost too

    async def left() -> int:
        return len(fake.losing)

    for what, losses_left in (("one", 4), ("two", 2), ("three", 0)):
        await harness.tell("asked", owner, owner_ref=owner, what=what)
        await harness.becomes(left, losses_left)
    await harness.tell("asked", owner, owner_ref=owner, what="four")
    await harness.becomes(lambda: harness.texts(owner), ["one", "two", "three", "four"])


def records_gone() -> float:
    [family] = telemetry.RECORDS_GONE.collect()
    return next(one.value for one in family.samples if one.name.endswith("_total"))


@pytest.mark.parametrize("hole", ["forgotten before it was read", "in the middle"])
async def test_lost_records_are_logged_and_later_ones_take_effect(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, hole: str
) -> None:
    monkeypatch.setattr(consumer, "STALL_SECONDS", 0.2)
    owner = new_id()
    where = harness.fake.partition(harness.life.inbox.topics[0], owner.encode())
    await harness.tell("asked", owner, owner_ref=owner, what="one")
    await harness.becomes(lambda: harness.texts(owner), ["one"])
    gone_before = records_gone()
    with capture_logs() as lines:
        async with harness.one_batch():
            await harness.tell("asked", owner, owner_ref=owner, what="two")
            await harness.tell("asked", owner, owner_ref=owner, what="three")
            if hole == "in the middle":
                del harness.fake.logs[where][1]
            else:
                harness.fake.forget(where, 2)
        await harness.becomes(lambda: harness.texts(owner), ["one", "three"])
    assert [
        (line["first"], line["before"]) for line in lines if line["event"] == "records_gone"
    ] == [(1, 2)]
    assert records_gone() == gone_before + 1


async def test_records_lost_at_the_end_of_a_partition_are_logged_and_skipped(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 0.05)
    owner = new_id()
    where = harness.fake.partition(harness.life.inbox.topics[0], owner.encode())
    await harness.tell("asked", owner, owner_ref=owner, what="one")
    await harness.becomes(lambda: harness.texts(owner), ["one"])

    async def answer() -> list[tuple[str, int | None, int | None]]:
        return [
            (line["event"], line.get("first"), line.get("before"))
            for line in lines
            if line["event"] in {"records_gone", "consumer_interrupted"}
        ]

    with capture_logs() as lines:
        async with harness.one_batch():
            await harness.tell("asked", owner, owner_ref=owner, what="two")
            harness.fake.forget(where, 2)
        await harness.becomes(answer, [("records_gone", 1, 2)], seconds=10)
        await harness.tell("asked", owner, owner_ref=owner, what="three")
        await harness.becomes(lambda: harness.texts(owner), ["one", "three"])
    assert await answer() == [("records_gone", 1, 2)]


# Gauges


def shown(gauge: Any) -> float:
    return sum(sample.value for family in gauge.collect() for sample in family.samples)


async def test_the_outbox_gauges_show_rows_until_they_are_sent(
    harness: Harness,
) -> None:
    harness.fake.away = True
    await jar_of(harness, new_id(), 1, 2)

    async def waits() -> bool:
        return (
            shown(telemetry.OUTBOX_UNSENT) >= 2 and shown(telemetry.OUTBOX_AGE) > 0
        )  # the audit's anchor may be unsent, too

    async def waits_no_longer() -> bool:
        return shown(telemetry.OUTBOX_UNSENT) == shown(telemetry.OUTBOX_AGE) == 0

    await eventually(waits, seconds=3 * LOOK_SECONDS + 6)
    harness.fake.away = False
    await eventually(waits_no_longer, seconds=3 * LOOK_SECONDS + 6)


async def test_the_gauges_show_parked_and_early_events_until_they_are_settled(
    harness: Harness,
) -> None:
    key = new_id()
    subject = new_id()
    bad = await harness.tell("asked", key, owner_ref=key, what="refuse")
    await harness.tell("asked", key, owner_ref=key, what="plain")
    early = await harness.tell("note-told", new_id(), owner_ref=subject, text="early")
    await harness.becomes(lambda: harness.state(bad), "parked")
    await harness.becomes(lambda: harness.state(early), "early")
    await pending_counts(harness.db)
    assert [
        shown(gauge) for gauge in (telemetry.PARKED, telemetry.PARKED_KEYS, telemetry.EARLY)
    ] == [2, 1, 1]
    assert shown(telemetry.EARLY_AGE) > 0
    [marker] = await harness.db.find("parked", {})
    parked = ParkedSequences(harness.life.inbox)
    await harness.run()(lambda tx: parked.discard(tx, marker["_id"], bad, "tested here"))
    await parked.retry(harness.run(), marker["_id"])
    await harness.tell("owner-admitted", subject, owner_ref=subject)
    await harness.becomes(lambda: harness.texts(subject), ["early"])
    await pending_counts(harness.db)
    assert [
        shown(gauge)
        for gauge in (telemetry.PARKED, telemetry.PARKED_KEYS, telemetry.EARLY, telemetry.EARLY_AGE)
    ] == [0, 0, 0, 0]


async def test_the_lag_falls_with_reading_and_is_zero_after_a_revocation(
    harness: Harness,
) -> None:
    topic = harness.life.inbox.topics[0]
    key = new_id()
    partition = harness.fake.partition(topic, key.encode())
    gauge = telemetry.CONSUMER_LAG.labels(*map(str, partition))
    await harness.tell("asked", key, owner_ref=key, what="read")
    await harness.becomes(lambda: harness.texts(key), ["read"])

    async def lag(wanted: float) -> bool:
        return shown(gauge) == wanted

    gauge.set(7)
    await eventually(lambda: lag(0), seconds=12)  # the gauge is refreshed every five seconds
    gauge.set(7)
    other = harness.fake.consumer("shop", [topic])
    theirs: set[Partition] = set()

    async def taken(partitions: set[Partition]) -> dict[Partition, int | None]:
        theirs.update(partitions)
        return dict.fromkeys(partitions)

    async def given_back(partitions: set[Partition]) -> None:
        theirs.difference_update(partitions)

    await other.start(taken, given_back)
    assert theirs
    assert await lag(0)
    await other.stop()


# Two processes with one replica id


@pytest.fixture
def lives(
    tmp_path: Path, mongo_url: str, kafka: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> list[ServiceRuntime]:
    """Return two processes with one replica id; the second is the younger one."""
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(
        **keys.settings(
            "shop", mongo_url=mongo_url, database=database, kafka=kafka, namespace=f"{new_id()}."
        )
    )
    service = Service(
        name="shop", settings=settings, transaction=Transaction, routers=(), published=(JarFilled,)
    )
    monkeypatch.setattr("chassis.app.lifespan.REPLICA_LEASE_RENEWAL_SECONDS", 0.3)
    monkeypatch.setattr("chassis.app.lifespan.REPLICA_LEASE_SECONDS", 1.2)
    made = [ServiceRuntime(service), ServiceRuntime(service)]
    for life, process in zip(made, ("1", "2"), strict=True):
        # One interpreter plays both replicas.
        life._replica_lease.process = process  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return made


async def test_of_two_processes_with_one_replica_id_the_older_ends_and_says_why(
    lives: list[ServiceRuntime],
) -> None:
    older, younger = lives

    async def fatal() -> bool:
        return bool(older.fatal)

    async with older.lifespan(None):
        await older.prepared.wait()
        await eventually(lambda: older.db.find_one("leases", {"_id": "replica/0", "process": "1"}))
        async with younger.lifespan(None):
            await eventually(fatal, seconds=10)
            assert "replica 0" in older.fatal
            assert younger.fatal == ""
            assert (await younger.db.find_one("leases", {"_id": "replica/0"}) or {})[
                "process"
            ] == "2"


async def test_a_relay_and_a_job_that_end_give_their_leases_back_at_once(db: Mongo) -> None:
    fake = FakeKafka()
    worked = asyncio.Event()

    async def work(_run: Runner[Any]) -> bool:
        worked.set()
        return False

    relay = OutboxRelay(db, "shop", "a", fake.producer, lease_seconds=600)
    job = JobLoop(TransactionManager(db, Transaction), Job("long", work, every=600), "shop", "a")
    tasks = [asyncio.create_task(relay.run()), asyncio.create_task(job.run())]
    await worked.wait()
    await eventually(lambda: db.find_one("leases", {"_id": "relay", "holder": "shop/a"}))
    others = [Lease(db, "relay", "shop/b", 600), Lease(db, "job/long", "shop/b", 600)]
    assert [await other.take() for other in others] == [False, False]
    relay.stop()
    job.stop()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    assert [await other.take() for other in others] == [True, True]
    assert await runner(db)(lambda tx: tx.jars.count({})) == 0
