"""The outbox relay: pages, failed sends, wakes, another replica. MongoDB and the fake Kafka."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.messaging import outbox_relay
from chassis.messaging.outbox_relay import REPLICAS, OutboxRelay
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Filter, Mongo, Session
from chassis.persistence.unit_of_work import OUTBOX
from tests.chassis.harness import runner
from tests.chassis.messaging.relay_shop import (
    LONG_LEASE_SECONDS,
    ReadRecordingMongo,
    RelayHarness,
    received,
    relaying,
)
from tests.chassis.sample_service import Jar, Transaction, fill_jar, make_jar
from tests.fakes import FakeKafka, eventually

JARS = 7
FILLS = 5


async def create_backlog(db: Mongo) -> int:
    """Commit rows of JARS keys, one more than FILLS each; return how many."""
    for number in range(JARS):
        jar = Jar(id=new_id(), owner_ref=f"owner-{number}", room="north")
        await runner(db)(partial(make_jar, jar))
        for _ in range(FILLS):
            await runner(db)(partial(fill_jar, jar.id, 1))
    return await db.count(OUTBOX, {})


async def make_and_fill(owner: str, tx: Transaction) -> Jar:
    jar = await make_jar(Jar(id=new_id(), owner_ref=owner, room="north"), tx)
    return await fill_jar(jar.id, 1, tx)


def all_sent(db: Mongo) -> Callable[[], Awaitable[bool]]:
    async def has_none_unsent() -> bool:
        return await db.count(OUTBOX, {"sent": False}) == 0

    return has_none_unsent


def holds_lease(db: Mongo) -> Callable[[], Awaitable[Any]]:
    return lambda: db.find_one("leases", {"_id": "relay", "holder": "shop/0"})


def sequences(fake: FakeKafka) -> dict[str, list[int]]:
    """Return the sequence numbers of each key in the order of the topic."""
    numbers: dict[str, list[int]] = {}
    for record in fake.records("shop.events"):
        key = (record.key or b"").decode()
        numbers.setdefault(key, []).append(int(dict(record.headers)["ce_sequence"]))
    return numbers


def assert_first_occurrences_in_order(fake: FakeKafka) -> None:
    for seqs in sequences(fake).values():
        firsts = list(dict.fromkeys(seqs))
        assert firsts == list(range(1, len(firsts) + 1)), seqs


async def test_a_backlog_of_many_pages_is_sent_once_and_in_order(
    db: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages end within a key."""
    monkeypatch.setattr(outbox_relay, "PAGE", 4)
    rows = await create_backlog(db)
    fake = FakeKafka()
    relay = OutboxRelay(db, "shop", "0", fake.producer, lease_seconds=LONG_LEASE_SECONDS)
    async with relaying(relay):
        await eventually(all_sent(db))
    sent = sequences(fake)
    assert sum(map(len, sent.values())) == rows
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in sent.values()), sent


@pytest.mark.parametrize("failing", [1, 6, 17, 30])
async def test_no_row_passes_a_failed_send_of_its_key(
    db: Mongo, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The send fails while the next page is read."""
    monkeypatch.setattr(outbox_relay, "PAGE", 4)
    rows = await create_backlog(db)
    fake = FakeKafka()
    sends = 0

    def fails(_value: bytes) -> bool:
        nonlocal sends
        sends += 1
        return sends == failing

    fake.fails = fails
    relay = OutboxRelay(db, "shop", "0", fake.producer, lease_seconds=LONG_LEASE_SECONDS)
    async with relaying(relay):
        await eventually(all_sent(db))
    assert sends > rows
    assert_first_occurrences_in_order(fake)


class MarkCountingMongo(Mongo):
    """A database that records how many rows each mark covered."""

    marks: list[int]

    async def update(
        self,
        collection: str,
        where: Filter,
        update: Any,
        *,
        upsert: bool = False,
        many: bool = False,
        session: Session = None,
    ) -> int:
        count = await super().update(
            collection, where, update, upsert=upsert, many=many, session=session
        )
        if collection == OUTBOX:
            self.marks.append(count)
        return count


async def test_single_rows_are_sent_at_once_and_marked_together(db: Mongo, mongo_url: str) -> None:
    fake = FakeKafka()
    counting = MarkCountingMongo(mongo_url, db.name, db.driver)
    counting.marks = []
    relay = OutboxRelay(counting, "shop", "0", fake.producer, lease_seconds=LONG_LEASE_SECONDS)
    async with relaying(relay):
        await eventually(holds_lease(db))
        for number in range(1, FILLS * JARS + 1):
            await runner(db)(partial(make_and_fill, f"owner-{number}"))
            relay.wake()
            await eventually(received(fake, number))
        await eventually(all_sent(db))
    assert len(fake.records("shop.events")) == sum(counting.marks) == FILLS * JARS
    assert len(counting.marks) < FILLS * JARS / 2
    await counting.close()


@pytest.fixture
async def shop(db: Mongo, mongo_url: str) -> AsyncGenerator[RelayHarness]:
    """Start a relay that has swept all keys once and does not sweep again by itself."""
    recording = ReadRecordingMongo(mongo_url, db.name, db.driver)
    recording.reads = []
    shop = RelayHarness(db, recording, FakeKafka())
    async with relaying(shop.relay):
        await eventually(lambda: "" in recording.reads)
        recording.reads.clear()
        yield shop
    await recording.close()


async def test_a_commit_of_its_process_makes_the_relay_read_its_keys_only(
    shop: RelayHarness,
) -> None:
    for number in range(FILLS):
        for owner in ("a", "b"):
            await shop.commit(owner)
        await shop.receives(2 * (number + 1))
    read_keys = {key for keys in shop.recording.reads for key in keys}
    assert "" not in shop.recording.reads
    assert read_keys == {"a", "b"}
    assert sequences(shop.fake) == {owner: list(range(1, FILLS + 1)) for owner in ("a", "b")}


async def test_a_row_of_another_process_is_sent_before_a_later_row_of_its_key(
    shop: RelayHarness,
) -> None:
    await shop.commit("a")
    await shop.receives(1)
    await shop.commit("a", wakes=False)
    await shop.commit("b", wakes=False)
    await shop.commit("a")
    await shop.receives(3)
    await shop.commit("a")
    await shop.receives(4)
    assert sequences(shop.fake) == {"a": [1, 2, 3, 4]}
    assert shop.recording.reads == [["a"], ["a"], ["a"]]
    shop.relay.wake(["b", "none"])
    await shop.receives(5)
    assert shop.recording.reads[-1] == ["b", "none"]


async def test_all_keys_are_read_when_many_are_named_or_none(
    shop: RelayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "NAMED_KEYS", 2)
    for owner in "abc":
        await shop.commit(owner, wakes=False)
    shop.relay.wake(["x", "y"])
    shop.relay.wake(["z"])
    await shop.receives(3)
    await shop.commit("d", wakes=False)
    shop.relay.wake()
    await shop.receives(4)
    assert shop.recording.reads == ["", ""]


async def test_rows_committed_while_the_broker_is_away_are_sent_in_order(
    shop: RelayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "PAGE", 3)
    shop.fake.away = True
    for _ in range(FILLS):
        for number in range(JARS):
            await shop.commit(f"owner-{number}")
    shop.fake.away = False
    await eventually(all_sent(shop.db))
    for seqs in sequences(shop.fake).values():
        assert list(dict.fromkeys(seqs)) == list(range(1, FILLS + 1)), seqs


def test_a_busy_relay_remembers_a_bounded_number_of_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox_relay, "NAMED_KEYS", 3)
    db: Any = None
    relay = OutboxRelay(db, "shop", "0", FakeKafka().producer)
    relay._named_keys = set()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    for number in range(40):
        relay.wake([f"key-{number}"])
        named = relay._named_keys  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        assert len(named or ()) <= 3


async def test_a_refused_row_blocks_its_key_until_it_is_released(
    shop: RelayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wake for the key while the refused row is being sent changes nothing."""
    await shop.commit("a")
    await shop.receives(1)
    refused = await shop.commit("a", 2, wakes=False)
    await shop.commit("a", wakes=False)
    is_refusing = True

    def refuses(value: bytes) -> bool:
        if not is_refusing or value != refused["body"].encode():
            return False
        shop.relay.wake(["a"])
        return True

    shop.fake.refuses = refuses
    shop.relay.wake(["a"])
    await eventually(lambda: shop.db.find_one("parked", {"key": "a"}))
    await shop.commit("b")
    await shop.receives(2)
    assert sequences(shop.fake) == {"a": [1], "b": [1]}
    is_refusing = False
    await shop.db.delete("parked", {"key": "a"})
    monkeypatch.setattr(outbox_relay, "LOOK_SECONDS", 0)
    # The relay does this every five seconds.
    await shop.relay._read_blocked_keys()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    await shop.commit("a")
    await shop.receives(5)
    assert sequences(shop.fake) == {"a": [1, 2, 3, 4], "b": [1]}


@pytest.mark.parametrize("seed", range(6))
async def test_first_occurrences_stay_in_order_under_random_failures(
    shop: RelayHarness, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Sends fail, pages end within keys, and another process commits, too."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    monkeypatch.setattr(outbox_relay, "PAGE", 4)
    shop.fake.fails = lambda _value: chance.random() < 1 / 12
    rows = 60
    for _ in range(rows):
        wakes = chance.random() < 2 / 3
        owner = f"owner-{chance.randrange(JARS)}"
        await shop.commit(owner, wakes=wakes)
        if not wakes and chance.random() < 1 / 2:
            shop.relay.wake([owner])

    async def is_all_sent() -> bool:
        shop.relay.wake()
        return await shop.db.count(OUTBOX, {"sent": False}) == 0

    await eventually(is_all_sent, seconds=40)
    assert sum(len(set(seqs)) for seqs in sequences(shop.fake).values()) == rows
    assert_first_occurrences_in_order(shop.fake)


async def test_a_relay_that_ends_marks_what_was_acknowledged(db: Mongo) -> None:
    fake = FakeKafka()
    rows = await create_backlog(db)
    relay = OutboxRelay(db, "shop", "0", fake.producer, lease_seconds=LONG_LEASE_SECONDS)
    async with relaying(relay):
        await eventually(received(fake, rows))
    assert await db.count(OUTBOX, {"sent": True}) == rows


async def test_acknowledged_rows_are_marked_without_another_wake(
    db: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark also comes when the clock's resolution makes it seem not quite due."""

    def never(_: OutboxRelay) -> bool:
        return False

    monkeypatch.setattr(OutboxRelay, "_is_mark_due", never)
    await runner(db)(partial(make_and_fill, "owner"))
    relay = OutboxRelay(db, "shop", "0", FakeKafka().producer, lease_seconds=LONG_LEASE_SECONDS)
    async with relaying(relay):
        await eventually(all_sent(db), seconds=5)


class StreamCountingMongo(Mongo):
    """A database that counts how often a change stream of inserts was opened."""

    streams = 0

    async def inserts(self, collection: str, field: str) -> AsyncIterator[list[Any]]:
        self.streams += 1
        async for values in super().inserts(collection, field):
            yield values


@pytest.mark.parametrize("replicas", [1, 2])
async def test_only_a_leader_beside_other_replicas_opens_a_change_stream(
    db: Mongo, mongo_url: str, replicas: int
) -> None:
    """With the stream, the leader sends at once what another replica commits."""
    fake = FakeKafka()
    databases = [StreamCountingMongo(mongo_url, db.name, db.driver) for _ in range(2)]
    holder, other = (
        OutboxRelay(database, "shop", str(number), fake.producer, lease_seconds=LONG_LEASE_SECONDS)
        for number, database in enumerate(databases)
    )
    for number in range(replicas):
        assert await Lease(db, f"{REPLICAS}{number}", "shop", LONG_LEASE_SECONDS).take()
    assert await Lease(db, f"{REPLICAS}gone", "shop", 0).take()
    async with relaying(holder):
        await eventually(holds_lease(db))
        async with relaying(other):
            for number in range(3):
                await runner(db)(partial(make_and_fill, f"owner-{number}"))
                if replicas == 1:
                    holder.wake()  # as ServiceRuntime does after each commit
                await eventually(all_sent(db), seconds=5)
    for database in databases:
        await database.close()
    assert [database.streams for database in databases] == [replicas - 1, 0]
