"""Bad events through the whole consumer on a real broker.

Each is parked with its reason, or ignored and counted. No record is lost, and no partition stops.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from chassis import telemetry
from chassis.app.factory import create_app
from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.received_events import BEHIND
from tests.chassis.harness import Asked, on_asked
from tests.chassis.sample_service import HANDLERS, ShopSettings, Transaction
from tests.fakes import Keys, eventually, running

KIND = "outside.note-told.v1"
BIG = 1_000_000
NEEDED = ("ce_id", "ce_type", "ce_source", "ce_time", "ce_sequence")
METRICS = {
    "applied": telemetry.EVENTS_APPLIED,
    "parked": telemetry.EVENTS_PARKED,
    "ignored": telemetry.EVENTS_IGNORED,
    "repeated": telemetry.EVENTS_REPEATED,
    "early": telemetry.EVENTS_EARLY,
}


def counter_value(metric: Any) -> float:
    """Return the sum of a counter over all its labels."""
    samples = [one for family in metric.collect() for one in family.samples]
    return sum(one.value for one in samples if one.name.endswith("_total"))


class BadEventsHarness:
    """Good and bad records from outside, and the outcome of each."""

    def __init__(self, life: ServiceRuntime, producer: Any) -> None:
        self.life = life
        self.db = life.db
        self.producer = producer
        self.sent = 0
        self.topic = life.inbox.topics[0]
        self.before = self._counted()

    def _counted(self) -> dict[str, float]:
        return {name: counter_value(metric) for name, metric in METRICS.items()}

    def counted(self) -> dict[str, float]:
        """Return how many records had each outcome since this harness was opened."""
        return {name: value - self.before[name] for name, value in self._counted().items()}

    async def put(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        kind: str = KIND,
        id_: str = "",
        drop: str = "",
        time: datetime | None = None,
        **headers: bytes | None,
    ) -> str:
        """Send a record with a valid envelope, except for these arguments."""
        envelope = Envelope(
            id=id_ or new_id(),
            type=kind,
            source="bina/outside",
            key=(key or b"").decode(errors="replace"),
            time=time or utc_now(),
            sequence=1,
        )
        made = {name: text for name, text in envelope.headers() if name != drop} | headers
        await self.producer.send_and_wait(self.topic, value, key=key, headers=list(made.items()))
        self.sent += 1
        return envelope.id

    async def owner(self) -> str:
        """Publish the admission of a new owner and return the owner."""
        owner = new_id()
        await self.put(
            owner.encode(),
            json.dumps({"owner_ref": owner}).encode(),
            kind="outside.owner-admitted.v1",
        )
        return owner

    async def note(self, owner: str, text: str, **more: Any) -> str:
        return await self.put(
            owner.encode(), json.dumps({"owner_ref": owner, "text": text}).encode(), **more
        )

    async def accounted(self) -> dict[str, float]:
        """Wait until every record has an outcome, and return the counts.

        The stored positions are then behind the last record that is not ignored.
        """

        async def all_of_them() -> bool:
            counted = self.counted()
            stand = sum(row["next"] for row in await self.db.find("offsets", {}))
            return (
                sum(counted.values()) == self.sent
                and self.sent - counted["ignored"] <= stand <= self.sent
            )  # positions behind ignored records are stored seldom

        try:
            await eventually(all_of_them, seconds=40)
        except AssertionError:
            raise AssertionError(f"{self.sent} sent, {self.counted()}") from None
        return self.counted()

    async def reasons(self) -> Counter[str]:
        return Counter([row["reason"] for row in await self.db.find("inbox", {"state": "parked"})])

    async def texts(self, owner: str) -> list[str]:
        note = await self.db.find_one("notes", {"_id": owner})
        return note["texts"] if note else []


@asynccontextmanager
async def opened(
    tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncGenerator[BadEventsHarness]:
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(
        **keys.settings(
            "shop",
            mongo_url=mongo_url,
            database=database,
            kafka=kafka,
            namespace=f"{new_id()}.",
            driver="pymongo",
        )
    )
    handlers = {"outside.events": {**HANDLERS["outside.events"], Asked: on_asked}}
    app = create_app(
        Service(
            name="shop", settings=settings, transaction=Transaction, routers=(), handlers=handlers
        )
    )
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=2_000_000)
    async with running(app, keys, "shop"):
        await producer.start()
        try:
            yield BadEventsHarness(app.state.life, producer)
        finally:
            await producer.stop()


@pytest.fixture
async def harness(
    tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncIterator[BadEventsHarness]:
    async with opened(tmp_path, mongo_url, kafka, database) as one:
        yield one


@pytest.mark.scenario("T16/parked")
@pytest.mark.scenario("T16/ignored")
async def test_each_kind_of_bad_record_is_parked_for_its_own_reason(
    harness: BadEventsHarness,
) -> None:
    async def bad(reason: str, value: bytes | None = b"{}", **how: Any) -> None:
        wanted[reason] += 1
        await harness.put(how.pop("key", new_id().encode()), value, **how)

    wanted: Counter[str] = Counter()
    for name in NEEDED:
        await bad(f"header missing: {name}", drop=name)
    await bad("ce_specversion is not 1.0", drop="ce_specversion")
    await bad("ce_specversion is not 1.0", ce_specversion=b"2.0")
    await bad("ce_subject differs from the record's key", ce_subject=b"somebody else")
    for header, value in (
        ("ce_sequence", b"first"),
        ("ce_time", b"yesterday"),
        ("ce_aggregateversion", b"two"),
    ):
        await bad(
            "a header has the wrong form: ce_time, ce_sequence or ce_aggregateversion",
            **{header: value},
        )
    await bad("ce_time has no zone", ce_time=b"2026-01-01T00:00:00")
    await bad("key or headers are not UTF-8", ce_actorrole=b"\xff\xfe")
    await bad("key or headers are not UTF-8", key=b"\xff\xfe")
    await bad("the record has no key", key=None, drop="ce_subject")
    await bad("the record has no body", None)
    for body in (b"", b"{", b"\xff\xfe", b"not JSON"):
        await bad("the body is not JSON", body)
    for body in (b"[]", b"null", b'"text"', b"1"):
        await bad("the body is not a JSON object", body)
    await bad(
        "version not known here: outside.note-told.v9",
        b'{"owner_ref": "a", "text": "b"}',
        kind="outside.note-told.v9",
    )
    await bad("fields that do not fit: owner_ref: missing, text: missing")
    await bad(
        "fields that do not fit: text: string_type", b'{"owner_ref": "a", "text": {"deep": 1}}'
    )
    unread = [
        await harness.put(new_id().encode(), b"{", kind=kind)
        for kind in ("outside.nothing-of-ours.v1", "outside.note-taken.v1", "text/html")
    ]
    owners = [await harness.owner() for _ in range(6)]
    for owner in owners:
        await harness.note(owner, "flows")
    counted = await harness.accounted()
    assert await harness.reasons() == wanted
    assert (counted["parked"], counted["ignored"], counted["applied"]) == (
        wanted.total(),
        len(unread),
        12,
    )
    for owner in owners:
        assert await harness.texts(owner) == ["flows"]


async def test_a_body_of_a_megabyte_and_a_wrong_clock_take_effect(
    harness: BadEventsHarness,
) -> None:
    owner = await harness.owner()
    await harness.note(owner, "x" * BIG)
    await harness.note(owner, "old", time=datetime(1970, 1, 1, tzinfo=UTC))
    await harness.note(owner, "to come", time=datetime(9999, 1, 1, tzinfo=UTC))
    assert (await harness.accounted())["applied"] == 4
    assert [text[:7] for text in await harness.texts(owner)] == ["x" * 7, "old", "to come"]


async def test_an_unreadable_megabyte_is_parked_and_shown_without_its_texts(
    harness: BadEventsHarness,
) -> None:
    owner = await harness.owner()
    await harness.put(owner.encode(), b'{"owner_ref": "' + b"x" * BIG)
    await harness.note(owner, "behind")
    counted = await harness.accounted()
    assert counted["parked"] == 2
    assert await harness.reasons() == {"the body is not JSON": 1, BEHIND: 1}


async def test_with_failing_handlers_each_event_is_counted_and_keys_keep_order(
    harness: BadEventsHarness,
) -> None:
    owners = [await harness.owner() for _ in range(40)]
    poisoned: dict[str, int] = {}
    repeated: list[tuple[str, str, str]] = []
    for number in range(25):
        for index, owner in enumerate(owners):
            bad = (number * len(owners) + index) % 100 == 57
            if bad:
                poisoned.setdefault(owner, number)
            id_ = await harness.note(owner, "poison" if bad else str(number))
            if index == number:
                repeated.append((owner, "poison" if bad else str(number), id_))
    for owner, text, id_ in repeated:
        await harness.note(owner, text, id_=id_)
    early = [
        await harness.put(
            new_id().encode(), json.dumps({"owner_ref": new_id(), "text": "early"}).encode()
        )
        for _ in range(5)
    ]
    ignored = [
        await harness.put(owner.encode(), b"{}", kind="outside.nothing-of-ours.v1")
        for owner in owners[:7]
    ]
    assert len(poisoned) > 1
    counted = await harness.accounted()
    behind = sum(25 - number for number in poisoned.values())
    assert counted == {
        "applied": 40 + 1_000 - behind,
        "parked": behind,
        "ignored": len(ignored),
        "repeated": len(repeated),
        "early": len(early),
    }
    reasons = await harness.reasons()
    assert (reasons["jar_full"], reasons[BEHIND], reasons.total()) == (
        len(poisoned),
        behind - len(poisoned),
        behind,
    )
    for owner in owners:
        assert await harness.texts(owner) == [
            str(number) for number in range(poisoned.get(owner, 25))
        ]
