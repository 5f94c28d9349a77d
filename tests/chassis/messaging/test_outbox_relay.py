"""The relay with a backlog of many pages, with sends that fail between them, beside another replica. Real MongoDB, both drivers; the fake Kafka."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
from tests.chassis.sample_service import Jar, Transaction, fill_jar, make_jar
from tests.fakes import FakeKafka, eventually

JARS, TIMES = 7, 5
LONG = 600.0  # seconds of a lease: within a test nothing but a wake makes its holder sweep


class Listening(Mongo):
    """A database that remembers how often its inserts were listened to."""

    opened = 0

    async def inserts(self, collection: str, field: str) -> AsyncIterator[list[Any]]:
        self.opened += 1
        async for told in super().inserts(collection, field):
            yield told


@asynccontextmanager
async def relaying(relay: OutboxRelay) -> AsyncGenerator[None]:
    running = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        await running


async def backlog(db: Mongo) -> int:
    """Rows of JARS keys, TIMES of each; how many."""
    for number in range(JARS):
        jar = Jar(id=new_id(), owner_ref=f"owner-{number}", room="north")
        await runner(db)(partial(make_jar, jar))
        for _ in range(TIMES):
            await runner(db)(partial(fill_jar, jar.id, 1))
    return await db.count(OUTBOX, {})


def all_sent(db: Mongo) -> Callable[[], Awaitable[bool]]:
    async def none_left() -> bool:
        return await db.count(OUTBOX, {"sent": False}) == 0

    return none_left


def told_to(fake: FakeKafka, count: int) -> Callable[[], Awaitable[bool]]:
    async def so_many() -> bool:
        return len(fake.records("shop.events")) >= count

    return so_many


def sequences(fake: FakeKafka) -> dict[str, list[int]]:
    """What the topic holds of each key, as it came."""
    found: dict[str, list[int]] = {}
    for record in fake.records("shop.events"):
        found.setdefault((record.key or b"").decode(), []).append(
            int(dict(record.headers)["ce_sequence"])
        )
    return found


async def test_a_backlog_of_many_pages_is_sent_once_in_each_keys_order_though_pages_end_within_a_key(
    db: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "PAGE", 4)
    rows, fake = await backlog(db), FakeKafka()
    async with relaying(OutboxRelay(db, "shop", "0", fake.producer, lease_seconds=LONG)):
        await eventually(all_sent(db))
    told = sequences(fake)
    assert sum(map(len, told.values())) == rows
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in told.values()), told


@pytest.mark.parametrize("failing", [1, 6, 17, 30])
async def test_a_send_that_fails_while_the_next_page_is_read_is_passed_by_none_of_its_key(
    db: Mongo, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    monkeypatch.setattr(outbox_relay, "PAGE", 4)
    rows, fake, sends = await backlog(db), FakeKafka(), 0

    def fails(_value: bytes) -> bool:
        nonlocal sends
        sends += 1
        return sends == failing

    fake.fails = fails
    async with relaying(OutboxRelay(db, "shop", "0", fake.producer, lease_seconds=LONG)):
        await eventually(all_sent(db))
    assert sends > rows
    for seqs in sequences(fake).values():
        firsts = list(dict.fromkeys(seqs))
        assert firsts == list(range(1, len(firsts) + 1)), seqs


class Marked(Mongo):
    """A database that remembers how many rows each mark covered."""

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
        self.marks += [count] if collection == OUTBOX else []
        return count


async def test_rows_that_come_one_by_one_are_sent_at_once_and_once_and_marked_together(
    db: Mongo, mongo_url: str
) -> None:
    fake, marked = FakeKafka(), Marked(mongo_url, db.name, db.driver)
    marked.marks = []
    async with relaying(
        relay := OutboxRelay(marked, "shop", "0", fake.producer, lease_seconds=LONG)
    ):
        await eventually(lambda: db.find_one("leases", {"_id": "relay", "holder": "shop/0"}))
        for number in range(1, TIMES * JARS + 1):
            await runner(db)(partial(make_and_fill, f"owner-{number}"))
            relay.wake()
            await eventually(told_to(fake, number))
        await eventually(all_sent(db))
    assert len(fake.records("shop.events")) == sum(marked.marks) == TIMES * JARS
    assert len(marked.marks) < TIMES * JARS / 2
    await marked.close()


class Counting(Mongo):
    """A database that remembers for which keys the outbox was read; "" = for all."""

    looked: list[Any]

    async def find(self, collection: str, where: Filter, **more: Any) -> list[dict[str, Any]]:
        if collection == OUTBOX and "key" in where:
            self.looked.append(where["key"].get("$in", ""))
        return await super().find(collection, where, **more)


class Shop:
    """A process with a relay: what it commits is handed over, as the life of a service does, or kept from its relay as what another process commits."""

    def __init__(self, db: Mongo, counting: Counting, fake: FakeKafka) -> None:
        self.db, self.counting, self.fake = db, counting, fake
        self.relay = OutboxRelay(counting, "shop", "0", fake.producer, lease_seconds=LONG)
        self.jars: dict[str, str] = {}

    async def tell(
        self, owner: str, marbles: int = 1, *, handed: bool = True
    ) -> list[dict[str, Any]]:
        """Commit one event of this key."""
        told: list[dict[str, Any]] = []

        async def filled(tx: Transaction) -> None:
            if owner not in self.jars:
                self.jars[owner] = (
                    await make_jar(
                        Jar(id=new_id(), owner_ref=owner, room="north", capacity=100), tx
                    )
                ).id
            await fill_jar(self.jars[owner], marbles, tx)
            told[:] = tx.outbox_rows

        await runner(self.db)(filled)
        if handed:
            self.relay.hand(told)
        return told

    async def told(self, count: int) -> None:
        """So many records have come, once each."""
        await eventually(told_to(self.fake, count))
        assert len(self.fake.records("shop.events")) == count


@pytest.fixture
async def shop(db: Mongo, mongo_url: str) -> AsyncGenerator[Shop]:
    """Its relay runs, has looked at everything once, and will not by itself again."""
    counting = Counting(mongo_url, db.name, db.driver)
    counting.looked = []
    shop = Shop(db, counting, FakeKafka())
    async with relaying(shop.relay):
        await eventually(lambda: asyncio.sleep(0, "" in counting.looked))
        counting.looked.clear()
        yield shop
    await counting.close()


async def test_what_a_process_commits_is_sent_without_being_read_again(shop: Shop) -> None:
    for _ in range(TIMES):
        for owner in ("a", "b"):
            await shop.tell(owner)
    await shop.told(2 * TIMES)
    assert shop.counting.looked == []
    assert sequences(shop.fake) == {owner: list(range(1, TIMES + 1)) for owner in ("a", "b")}


async def test_a_row_behind_one_that_another_process_committed_is_sent_behind_it_and_only_its_key_is_read(
    shop: Shop,
) -> None:
    await shop.tell("a")
    await shop.told(1)
    await shop.tell("a", handed=False)
    await shop.tell("b", handed=False)
    await shop.tell("a")
    await shop.told(3)
    await shop.tell("a")
    await shop.told(4)
    assert sequences(shop.fake) == {"a": [1, 2, 3, 4]}
    assert shop.counting.looked == [["a"]]
    shop.relay.wake(["b", "none"])
    await shop.told(5)
    assert shop.counting.looked == [["a"], ["b", "none"]]


async def test_when_many_keys_are_named_or_none_everything_is_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "NAMED_KEYS", 2)
    for owner in "abc":
        await shop.tell(owner, handed=False)
    shop.relay.wake(["x", "y"])
    shop.relay.wake(["z"])
    await shop.told(3)
    await shop.tell("d", handed=False)
    shop.relay.wake()
    await shop.told(4)
    assert shop.counting.looked == ["", ""]


@pytest.mark.parametrize("bound", ["PAGE", "KNOWN_KEYS"])
async def test_a_relay_that_is_handed_more_than_it_can_remember_reads_it_and_passes_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(outbox_relay, bound, 3)
    shop.fake.away = True
    for _ in range(TIMES):
        for number in range(JARS):
            await shop.tell(f"owner-{number}")
    shop.fake.away = False
    await eventually(all_sent(shop.db))
    for seqs in sequences(shop.fake).values():
        assert list(dict.fromkeys(seqs)) == list(range(1, TIMES + 1)), seqs


async def test_a_relay_that_is_busy_keeps_no_more_than_a_page_of_what_it_is_handed(
    db: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "PAGE", 3)
    relay = OutboxRelay(db, "shop", "0", FakeKafka().producer, lease_seconds=LONG)
    assert await relay._lease.take()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    for seq in range(1, 40):
        relay.hand([{"_id": f"{seq}", "key": "a", "seq": seq}])
        assert len(relay._handed) <= 3  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


async def test_nothing_of_a_key_that_the_broker_refused_passes_it_until_it_is_let_go_though_it_was_handed_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.tell("a")
    await shop.told(1)
    [told], behind = await shop.tell("a", 2, handed=False), await shop.tell("a", handed=False)
    refusing = True

    def refuses(value: bytes) -> bool:
        if not refusing or value != told["body"].encode():
            return False
        shop.relay.hand(behind)  # while the one before it is on its way
        return True

    shop.fake.refuses = refuses
    shop.relay.hand([told])
    await eventually(lambda: shop.db.find_one("parked", {"key": "a"}))
    await shop.tell("b")
    await shop.told(2)
    assert sequences(shop.fake) == {"a": [1], "b": [1]}
    refusing = False
    await shop.db.delete("parked", {"key": "a"})
    monkeypatch.setattr(outbox_relay, "LOOK_SECONDS", 0)
    await shop.relay._refresh_gauges()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - what it does every five seconds
    await shop.tell("a")
    await shop.told(5)
    assert sequences(shop.fake) == {"a": [1, 2, 3, 4], "b": [1]}


@pytest.mark.parametrize("seed", range(6))
async def test_while_sends_fail_and_pages_end_within_keys_and_others_commit_too_none_is_passed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    monkeypatch.setattr(outbox_relay, "PAGE", 4)
    shop.fake.fails = lambda _value: chance.random() < 1 / 12
    rows = 0
    for _ in range(60):
        handed = chance.random() < 2 / 3
        owner = f"owner-{chance.randrange(JARS)}"
        rows += len(await shop.tell(owner, handed=handed))
        if not handed and chance.random() < 1 / 2:
            shop.relay.wake([owner])
    await eventually(lambda: _sent_in_spite(shop), seconds=40)
    told = sequences(shop.fake)
    assert sum(len(set(seqs)) for seqs in told.values()) == rows
    for seqs in told.values():
        firsts = list(dict.fromkeys(seqs))
        assert firsts == list(range(1, len(firsts) + 1)), seqs


async def _sent_in_spite(shop: Shop) -> bool:
    shop.relay.wake()
    return await shop.db.count(OUTBOX, {"sent": False}) == 0


async def test_a_relay_that_ends_marks_what_was_acknowledged(db: Mongo) -> None:
    fake = FakeKafka()
    rows = await backlog(db)
    async with relaying(OutboxRelay(db, "shop", "0", fake.producer, lease_seconds=LONG)):
        await eventually(told_to(fake, rows))
    assert await db.count(OUTBOX, {"sent": True}) == rows


async def test_what_is_acknowledged_is_marked_when_nobody_wakes_the_relay_though_its_clock_says_that_it_is_not_quite_due(
    db: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: OutboxRelay) -> bool:
        return False

    monkeypatch.setattr(OutboxRelay, "_due", never)
    await runner(db)(partial(make_and_fill, "owner"))
    async with relaying(OutboxRelay(db, "shop", "0", FakeKafka().producer, lease_seconds=LONG)):
        await eventually(all_sent(db), seconds=5)


@pytest.mark.parametrize("replicas", [1, 2])
async def test_what_another_replica_commits_is_sent_at_once_and_only_who_has_the_lease_listens_and_only_when_there_is_another(
    db: Mongo, mongo_url: str, replicas: int
) -> None:
    fake = FakeKafka()
    listening = [Listening(mongo_url, db.name, db.driver) for _ in range(2)]
    holder, other = (
        OutboxRelay(one, "shop", str(number), fake.producer, lease_seconds=LONG)
        for number, one in enumerate(listening)
    )
    for number in range(replicas):
        assert await Lease(db, f"{REPLICAS}{number}", "shop", LONG).take()
    assert await Lease(db, f"{REPLICAS}gone", "shop", 0).take()
    async with relaying(holder):
        await eventually(lambda: db.find_one("leases", {"_id": "relay", "holder": "shop/0"}))
        async with relaying(other):
            for number in range(3):
                await runner(db)(partial(make_and_fill, f"owner-{number}"))
                if replicas == 1:
                    holder.wake()  # as the life of a service does after each commit of its own
                await eventually(all_sent(db), seconds=5)
    for one in listening:
        await one.close()
    assert [one.opened for one in listening] == [replicas - 1, 0]


async def make_and_fill(owner: str, tx: Transaction) -> Jar:
    jar = await make_jar(Jar(id=new_id(), owner_ref=owner, room="north"), tx)
    return await fill_jar(jar.id, 1, tx)
