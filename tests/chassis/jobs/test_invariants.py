"""The job that checks invariants of stored events.

Each test breaks an invariant in MongoDB, and the job reports it; correct rows are never reported.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis import telemetry
from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.jobs import invariants
from chassis.jobs.audit_sealer import AuditSealer
from chassis.jobs.invariants import INVARIANTS, Invariants
from chassis.messaging.batch_processor import BatchProcessor
from chassis.messaging.events import Envelope
from chassis.messaging.kafka_ports import Record
from chassis.messaging.received_events import Inbox, ReceivedEvent
from chassis.persistence.mongo import Document, Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.harness import Asked, Harness, on_asked
from tests.chassis.sample_service import HANDLERS, Jar, Transaction, fill_jar, make_jar
from tests.fakes import eventually


class InvariantsHarness:
    """The shop's stored events, and the job that checks them, run by run. Nothing else runs."""

    def __init__(self, db: Mongo) -> None:
        self.db = db
        self.engine = TransactionManager(db, Transaction)
        self.inbox: Inbox[Transaction] = Inbox(
            "shop", HANDLERS | {"outside.events": {**HANDLERS["outside.events"], Asked: on_asked}}
        )
        self.job = Invariants()
        self.sequence = 0

    def run(self) -> Runner[Transaction]:
        return Runner(self.engine, OperationContext(caller=system("shop"), correlation_id=new_id()))

    async def hear(self, *answer: tuple[str, str, dict[str, Any]]) -> None:
        """Process events with these types, keys and bodies as one batch of one partition."""
        arrivals: list[ReceivedEvent] = []
        for name, key, data in answer:
            self.sequence += 1
            envelope = Envelope(
                id=new_id(),
                type=f"outside.{name}.v1",
                source="bina/outside",
                key=key,
                time=utc_now(),
                sequence=self.sequence,
            )
            arrivals.append(
                self.inbox.receive(
                    Record(
                        "outside.events",
                        0,
                        self.sequence,
                        key.encode(),
                        json.dumps(data).encode(),
                        tuple(envelope.headers()),
                        0,
                    )
                )
            )
        await BatchProcessor(self.engine, self.inbox).process(arrivals)

    async def look(self) -> dict[str, list[str]]:
        """Run the job once; return the ids that it reports by invariant and check the gauges."""
        with capture_logs() as lines:
            assert await self.job(self.run()) is False
        broken = [line for line in lines if line["event"] == "invariant_broken"]
        assert {name: count for name, count in gauges().items() if count} == {
            line["invariant"]: line["found"] for line in broken
        }
        return {line["invariant"]: sorted(line["ids"]) for line in broken}

    def later(self, **time: float) -> None:
        self.engine.clock = lambda: utc_now() + timedelta(**time)


def gauges() -> dict[str, float]:
    return {
        sample.labels["invariant"]: sample.value
        for metric in telemetry.INVARIANT_BROKEN.collect()
        for sample in metric.samples
    }


@pytest.fixture
async def job_harness(db: Mongo) -> InvariantsHarness:
    """Store two jars filled three times each, a parked sequence of two, and an early event."""
    job_harness = InvariantsHarness(db)
    for owner in (new_id(), new_id()):
        jar = await job_harness.run()(
            partial(make_jar, Jar(id=new_id(), owner_ref=owner, room="north"))
        )
        for _ in range(3):
            await job_harness.run()(partial(fill_jar, jar.id, 1))
    key = new_id()
    other = new_id()
    poison = [("asked", key, {"owner_ref": key, "what": what}) for what in ("refuse", "behind")]
    await job_harness.hear(*poison, ("note-told", other, {"owner_ref": other, "text": "early"}))
    await AuditSealer("shop", b"key")(job_harness.run())
    await db.update("audit", {}, {"$set": {"block": 1}}, many=True)
    await db.update("outbox", {}, {"$set": {"sent": True}}, many=True)
    assert (await db.count("inbox", {"state": "parked"}), await db.count("early", {})) == (2, 1)
    return job_harness


async def first(job_harness: InvariantsHarness, collection: str, **where: Any) -> Document:
    [found, *_] = await job_harness.db.find(collection, where, sort=[("_id", 1)])
    return found


async def test_what_is_right_is_named_by_no_invariant_and_the_look_is_dated(
    job_harness: InvariantsHarness,
) -> None:
    assert await job_harness.look() == {}
    assert gauges().keys() >= {look.__name__ for look in INVARIANTS}
    [dated] = [
        sample.value
        for metric in telemetry.INVARIANTS_CHECKED.collect()
        for sample in metric.samples
    ]
    assert utc_now().timestamp() - dated < 60


async def a_row_is_gone(job_harness: InvariantsHarness, seq: int) -> str:
    row = await first(job_harness, "outbox", type="shop.jar-filled.v1", seq=seq)
    await job_harness.db.delete("outbox", {"_id": row["_id"]})
    return row["key"]


async def the_counter_ran_ahead(job_harness: InvariantsHarness) -> str:
    row = await first(job_harness, "outbox", type="shop.jar-filled.v1", seq=3)
    await job_harness.db.update("keys", {"_id": row["key"]}, {"$inc": {"seq": 1}})
    return row["key"]


async def all_rows_are_gone(job_harness: InvariantsHarness) -> str:
    key = await a_row_is_gone(job_harness, 1)
    await job_harness.db.delete("outbox", {"key": key})
    return key


async def a_row_was_never_sent(job_harness: InvariantsHarness) -> str:
    row = await first(job_harness, "outbox", type="shop.jar-filled.v1")
    await job_harness.db.update(
        "outbox",
        {"_id": row["_id"]},
        {"$set": {"sent": False, "at": utc_now() - timedelta(minutes=11)}},
    )
    return row["_id"]


async def a_letter_is_gone(job_harness: InvariantsHarness) -> str:
    letters = await job_harness.db.find("inbox", {"state": "parked"}, sort=[("order", 1)])
    await job_harness.db.delete("inbox", {"_id": letters[1]["_id"]})
    return letters[0]["order"]


async def the_marker_names_another_first(job_harness: InvariantsHarness) -> str:
    letters = await job_harness.db.find("inbox", {"state": "parked"}, sort=[("order", 1)])
    await job_harness.db.update("parked", {}, {"$set": {"first": letters[1]["order"]}})
    return letters[1]["order"]


async def the_marker_is_gone(job_harness: InvariantsHarness) -> list[str]:
    await job_harness.db.delete("parked", {})
    return sorted(
        letter["_id"] for letter in await job_harness.db.find("inbox", {"state": "parked"})
    )


async def a_fact_is_a_day_old(job_harness: InvariantsHarness) -> str:
    await job_harness.db.update("early", {}, {"$set": {"since": utc_now() - timedelta(hours=25)}})
    return (await first(job_harness, "early"))["_id"]


async def a_row_never_expires(job_harness: InvariantsHarness) -> str:
    id_ = new_id()
    await job_harness.db.insert(
        "inbox", [{"_id": id_, "state": "done", "done_at": utc_now() - timedelta(days=47)}]
    )
    return id_


async def an_audit_row_is_not_sealed(job_harness: InvariantsHarness) -> str:
    row = await first(job_harness, "audit")
    await job_harness.db.update(
        "audit",
        {"_id": row["_id"]},
        {"$set": {"block": None, "at": utc_now() - timedelta(minutes=2)}},
    )
    return row["_id"]


BROKEN: list[tuple[str, Callable[[InvariantsHarness], Awaitable[Any]]]] = [
    ("key_counters_match_rows", lambda job_harness: a_row_is_gone(job_harness, 1)),
    ("key_counters_match_rows", lambda job_harness: a_row_is_gone(job_harness, 2)),
    ("key_counters_match_rows", lambda job_harness: a_row_is_gone(job_harness, 3)),
    ("key_counters_match_rows", the_counter_ran_ahead),
    ("key_counters_match_rows", all_rows_are_gone),
    ("rows_are_sent_in_time", a_row_was_never_sent),
    ("parked_heads_match_events", a_letter_is_gone),
    ("parked_heads_match_events", the_marker_names_another_first),
    ("parked_events_have_head", the_marker_is_gone),
    ("early_events_are_recent", a_fact_is_a_day_old),
    ("inbox_rows_expire", a_row_never_expires),
    ("audit_is_sealed", an_audit_row_is_not_sealed),
]


@pytest.mark.parametrize(("invariant", "breaking"), BROKEN)
async def test_what_is_broken_by_hand_is_named_in_every_look(
    job_harness: InvariantsHarness,
    invariant: str,
    breaking: Callable[[InvariantsHarness], Awaitable[Any]],
) -> None:
    broken = await breaking(job_harness)
    for _ in range(2):
        assert await job_harness.look() == {
            invariant: broken if isinstance(broken, list) else [broken]
        }


async def test_an_early_event_with_a_known_subject_is_named_after_ten_minutes(
    job_harness: InvariantsHarness,
) -> None:
    fact = await first(job_harness, "early")
    await job_harness.db.insert("aliases", [{"_id": fact["waits_for"], "into": new_id()}])
    assert await job_harness.look() == {}
    job_harness.later(minutes=9)
    assert await job_harness.look() == {}
    job_harness.later(minutes=11)
    assert (await job_harness.look())["early_events_applied_when_known"] == [fact["_id"]]
    await job_harness.db.delete("early", {})
    assert await job_harness.look() == {}


async def test_what_waits_behind_a_stopped_key_is_not_late(job_harness: InvariantsHarness) -> None:
    id_ = await a_row_was_never_sent(job_harness)
    key = (await first(job_harness, "outbox", _id=id_))["key"]
    await job_harness.db.insert(
        "parked",
        [
            {
                "_id": f"outbox/{key}",
                "kind": "outbox",
                "topic": "shop.events",
                "key": key,
                "first": id_,
                "count": 1,
            }
        ],
    )
    assert await job_harness.look() == {}


async def test_a_scan_pages_on_and_checks_violations_until_they_are_repaired(
    job_harness: InvariantsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "PAGE", 1)
    keys = sorted(key["_id"] for key in await job_harness.db.find("keys", {}))
    await job_harness.db.update("keys", {"_id": keys[1]}, {"$inc": {"seq": 1}})
    looks = [await job_harness.look() for _ in range(2 * len(keys))]
    assert looks == [{}] + [{"key_counters_match_rows": [keys[1]]}] * (2 * len(keys) - 1)
    await job_harness.db.update("keys", {"_id": keys[1]}, {"$inc": {"seq": -1}})
    assert await job_harness.look() == {}


async def test_a_key_of_many_rows_is_whole_though_only_its_newest_are_looked_at(
    job_harness: InvariantsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "NEWEST", 2)
    assert await job_harness.look() == {}
    key = await a_row_is_gone(job_harness, 2)
    assert await job_harness.look() == {"key_counters_match_rows": [key]}


async def test_a_service_checks_at_its_start_and_its_status_names_violations(
    harness: Harness,
) -> None:
    life = harness.life
    row = {"_id": new_id(), "state": "done", "done_at": utc_now() - timedelta(days=47)}
    await harness.db.insert("inbox", [row])
    life.jobs["invariants"].wake()

    async def named() -> bool:
        return (await life.status())["invariants_broken"] == {"inbox_rows_expire": 1}

    await eventually(named)
