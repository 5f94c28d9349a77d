"""The outbox relay after a refusal and without its lease. MongoDB and the fake Kafka."""

from __future__ import annotations

import gc
from functools import partial

import pytest
from prometheus_client import REGISTRY

from chassis.ids import new_id
from chassis.messaging import outbox_relay
from chassis.messaging.kafka_ports import SendFailed
from chassis.messaging.outbox_relay import OutboxRelay
from chassis.persistence.mongo import Mongo
from chassis.persistence.unit_of_work import OUTBOX
from tests.chassis.harness import runner
from tests.chassis.messaging.relay_shop import LONG_LEASE_SECONDS, relaying
from tests.chassis.sample_service import Jar, Transaction, fill_jar, make_jar
from tests.fakes import FakeKafka, eventually

REFUSED = "refused"


async def fill_once(owner: str, tx: Transaction) -> None:
    jar = await make_jar(Jar(id=new_id(), owner_ref=owner, room="north"), tx)
    await fill_jar(jar.id, 1, tx)


@pytest.fixture
async def fake(db: Mongo) -> FakeKafka:
    """Give a broker that refuses the first row of one key; five rows of three keys wait."""
    for owner in ("a", REFUSED, REFUSED, "z", "z"):
        await runner(db)(partial(fill_once, owner))
    [first] = await db.find(OUTBOX, {"key": REFUSED, "seq": 1})
    fake = FakeKafka(partitions=1)
    fake.refuses = lambda value: value == first["body"].encode()
    return fake


def new_relay(db: Mongo, fake: FakeKafka) -> OutboxRelay:
    return OutboxRelay(db, "shop", "0", fake.producer, lease_seconds=LONG_LEASE_SECONDS)


def keys(fake: FakeKafka) -> list[str]:
    return sorted((record.key or b"").decode() for record in fake.records("shop.events"))


async def test_a_refused_row_in_a_page_stops_no_other_key(db: Mongo, fake: FakeKafka) -> None:
    """The producer that met the refusal is discarded, or it would fail all others, too."""
    async with relaying(new_relay(db, fake)):
        await eventually(lambda: [key for key in keys(fake) if key != REFUSED] == ["a", "z", "z"])


async def test_a_row_behind_a_refused_row_of_its_page_is_not_sent(
    db: Mongo, fake: FakeKafka
) -> None:
    async with relaying(new_relay(db, fake)):
        await eventually(lambda: db.find_one("parked", {"key": REFUSED}))
        await eventually(lambda: {"a", "z"} <= set(keys(fake)))
    assert REFUSED not in keys(fake)


async def test_a_relay_without_its_lease_marks_nothing(db: Mongo) -> None:
    """The next holder sends these rows again; they become late duplicates."""
    await runner(db)(partial(fill_once, "a"))
    fake = FakeKafka()
    relay = new_relay(db, fake)
    await relay.sweep()
    await relay._mark()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    assert keys(fake) == ["a"]
    assert await db.count(OUTBOX, {"sent": False}) == 1


def count_failures() -> float:
    return REGISTRY.get_sample_value("bina_relay_failures_total") or 0


def left_failures() -> set[int]:
    return {id(one) for one in gc.get_objects() if type(one) is SendFailed}


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("fault", ["start", "send"])
async def test_failed_sends_leave_nothing_to_the_garbage_collector(
    db: Mongo, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """A failure that is left refers to the frames of its sweep, and thereby to a page of rows."""
    monkeypatch.setattr(outbox_relay, "RETRY_SECONDS", 0.01)
    await runner(db)(partial(fill_once, "a"))
    fake = FakeKafka(away=fault == "start", fails=lambda _: fault == "send")
    left = left_failures()
    failed = count_failures()
    async with relaying(new_relay(db, fake)):
        await eventually(lambda: count_failures() >= failed + 5)
    assert left_failures() <= left
