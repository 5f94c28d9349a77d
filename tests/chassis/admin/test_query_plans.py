"""The query plans of messaging, jobs and admin on large collections, by MongoDB's profiler.

No query reads a collection without an index, and none reads far more than it returns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chassis.admin import audit_search, replay
from chassis.admin.audit_export.export import find_scope
from chassis.admin.audit_search import AuditQuery
from chassis.admin.parked_event_admin import ParkedEventAdmin
from chassis.admin.replay import ReplayRange
from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.caller import Caller
from chassis.ids import utc_now
from chassis.jobs import invariants
from chassis.jobs.audit_sealer import AuditSealer
from chassis.jobs.invariants import InvariantScan
from chassis.messaging.inbox import HEAD, InboxTransaction
from chassis.messaging.outbox_gauges import unsent
from chassis.messaging.outbox_relay import OutboxRelay
from chassis.messaging.waiting_events import EarlyEventSweeper, pending_counts
from chassis.persistence.mongo import Mongo
from tests.chassis.harness import in_memory, runner
from tests.chassis.sample_service import HANDLERS, ShopSettings, Transaction
from tests.fakes import FakeKafka, Keys

# A plan that reads a whole collection is seen from some thousand rows on. 200,000 take minutes on a
# busy machine with two cores.
ROWS = 20_000
SPAN = timedelta(days=40)
FACILITIES = 20
KEYS = 500
PARKED_KEYS = 20
PARKED_EVENTS = 50  # of each key
EARLY = 200
NOW = utc_now()
TOPIC = "outside.events"
# Documents or index entries read beyond those returned: the parts of a joined query, a page that is
# sorted, the index entries that a merge of several ranges skips.
SPARE = 500
HEX_DIGITS = 12


def times() -> dict[str, Any]:
    """Return the expression of the time of row `n`; row 0 is the oldest."""
    step_ms = int(SPAN.total_seconds() * 1000 / ROWS)
    return {"$add": [NOW - SPAN, {"$multiply": ["$n", step_ms]}]}


async def fill(db: Mongo, collection: str, rows: int, fields: dict[str, Any]) -> None:
    """Insert generated rows in the server; `n` counts from 0."""
    await db.db.command(
        {
            "aggregate": 1,
            "pipeline": [
                {"$documents": [{"n": {"$range": [0, rows]}}]},
                {"$unwind": "$n"},
                {"$project": fields},
                {"$merge": {"into": collection, "whenMatched": "fail"}},
            ],
            "cursor": {},
        }
    )


def text(prefix: str, number: Any) -> dict[str, Any]:
    return {"$concat": [prefix, {"$toString": number}]}


def remainder(divisor: int) -> dict[str, Any]:
    return {"$mod": ["$n", divisor]}


async def fill_audit(db: Mongo) -> None:
    """Insert sealed rows whose ids are ordered by time, as in production."""
    first = int((NOW - SPAN).timestamp() * 1000)
    step_ms = int(SPAN.total_seconds() * 1000 / ROWS)
    batch: list[dict[str, Any]] = []
    for number in range(ROWS):
        digits = f"{first + number * step_ms:0{HEX_DIGITS}x}"
        batch.append(
            {
                "_id": f"{digits[:8]}-{digits[8:]}-7000-8000-{number:012x}",
                "at": NOW - SPAN + timedelta(milliseconds=number * step_ms),
                "action": "jars.changed",
                "subject": f"jar-{number % 500}",
                "actor": f"officer-{number % 400}",
                "causation_id": "",
                "facility": f"facility-{number % FACILITIES}",
                "block": 1 + number // 2_000,
            }
        )
        if len(batch) == 10_000:
            await db.db["audit"].insert_many(batch, ordered=False)
            batch.clear()


async def fill_all(db: Mongo) -> None:
    await fill_audit(db)
    outbox = {
        "_id": text("event-", "$n"),
        "sent": {"$literal": True},
        "key": text("key-", remainder(KEYS)),
        "seq": {"$add": [{"$toInt": {"$floor": {"$divide": ["$n", KEYS]}}}, 1]},
        "type": {"$literal": "shop.jar-filled.v1"},
        "at": times(),
        "body": {"$literal": "{}"},
        "aggregate_version": {"$literal": 1},
    }
    await fill(db, "outbox", ROWS, outbox)
    await fill(db, "keys", KEYS, {"_id": text("key-", "$n"), "seq": {"$literal": ROWS // KEYS}})
    done = {"_id": text("done-", "$n"), "state": {"$literal": "done"}, "done_at": times()}
    await fill(db, "inbox", ROWS, done)
    parked: dict[str, Any] = {
        "_id": text("parked-", "$n"),
        "state": {"$literal": "parked"},
        "marker": text(f"{TOPIC}/key-", remainder(PARKED_KEYS)),
        "order": text("", {"$add": ["$n", ROWS]}),
        "reason": {"$literal": "jar_full"},
        "type": {"$literal": "outside.note-told.v1"},
        "topic": {"$literal": TOPIC},
        "key": text("key-", remainder(PARKED_KEYS)),
        "since": times(),
        "headers": {"$literal": []},
        "body": {"$literal": b"{}"},
    }
    await fill(db, "inbox", PARKED_KEYS * PARKED_EVENTS, parked)
    heads = {
        "_id": text(f"{TOPIC}/key-", "$n"),
        "kind": {"$literal": HEAD},
        "count": {"$literal": PARKED_EVENTS},
        "first": text("", {"$add": ["$n", ROWS]}),
        "version": {"$literal": 1},
    }
    await fill(db, "parked", PARKED_KEYS, heads)
    early = {
        "_id": text("early-", "$n"),
        "waits_for": text("owner-", "$n"),
        "marker": text(f"{TOPIC}/early-", "$n"),
        "order": text("", {"$add": ["$n", ROWS]}),
        "since": times(),
    }
    await fill(db, "early", EARLY, early)


@pytest.fixture
async def life(tmp_path: Path, mongo_url: str, database: str) -> AsyncIterator[ServiceRuntime]:
    """Give a service on large collections that does not run."""
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(
        **keys.settings("shop", mongo_url=mongo_url, database=database, kafka="", namespace="")
    )
    service = Service(
        name="shop", settings=settings, transaction=Transaction, routers=(), handlers=HANDLERS
    )
    runtime = in_memory(FakeKafka())(service)
    await runtime.prepare()
    await fill_all(runtime.db)
    yield runtime
    await runtime.db.db.command("profile", 0)
    await runtime.db.drop_collection("system.profile")
    await runtime.db.close()


async def search(query: AuditQuery, caller: Caller, tx: Transaction) -> int:
    tx.context.caller = caller
    rows, _ = await audit_search.search(tx, query, None, 50, "a test")
    return len(rows)


def searches(db: Mongo) -> dict[str, tuple[Callable[[], Awaitable[Any]], int]]:
    """Return searches by name with the number of rows that each returns."""
    hour: dict[str, Any] = {"from": NOW - timedelta(hours=3), "to": NOW - timedelta(hours=2)}
    everywhere = Caller(subject="auditor", role="auditor", claims={"facility": frozenset("*")})

    def of(facilities: Iterable[str]) -> Caller:
        claims = {"facility": frozenset(facilities)}
        return Caller(subject="auditor", role="auditor", claims=claims)

    def run(caller: Caller, **sought: Any) -> Callable[[], Awaitable[Any]]:
        return partial(runner(db), partial(search, AuditQuery(**sought), caller))

    two = of(["facility-1", "facility-2"])
    return {
        "by time": (run(everywhere, **hour), 50),
        "by time in two facilities": (run(two, **hour), 20),
        "in two facilities": (run(two), 50),
        "in a facility without rows": (run(of(["none"])), 0),
        "by time in a facility without rows": (run(of(["none"]), **hour), 0),
        "by actor": (run(everywhere, actor="officer-1"), 50),
        "by actor of another facility": (run(of(["facility-2"]), actor="officer-1"), 0),
        "by actor and time": (run(everywhere, actor="officer-1", **hour), 0),
        "by person": (run(everywhere, person="jar-1"), 40),
        "by person of another facility": (run(of(["facility-2"]), person="jar-1"), 0),
    }


def replays(db: Mongo) -> dict[str, tuple[Callable[[], Awaitable[Any]], int]]:
    def of(since: timedelta, **more: Any) -> dict[str, Any]:
        wanted = ReplayRange(**{"from": NOW - since, "to": NOW}, **more)
        return wanted.where(NOW)

    hour = of(timedelta(hours=1))
    return {
        "total of a replay": (partial(db.count, "outbox", hour), 1),
        "page of an hour": (partial(replay.page, db, hour, None, replay.PAGE), ROWS // 960),
        "page of a key": (
            partial(replay.page, db, of(timedelta(days=30), key="key-7"), None, replay.PAGE),
            ROWS // KEYS,
        ),
        "page of a month": (
            partial(replay.page, db, of(timedelta(days=30)), None, replay.PAGE),
            replay.PAGE,
        ),
        "page of unsent rows": (partial(replay.page, db, {"sent": False}, None, 50), 0),
        "audit scope of an hour": (
            partial(find_scope, db, {"_id": {"$gte": "f"}, "at": {"$gte": NOW}}),
            1,
        ),
    }


def others(life: ServiceRuntime) -> dict[str, tuple[Callable[[], Awaitable[Any]], int]]:
    run = runner(life.db)
    admin = ParkedEventAdmin(life, run)

    async def list_parked(tx: Transaction) -> None:
        await admin.describe(await admin.sequences(tx, limit=50))

    async def open_parked(tx: Transaction) -> None:
        await admin.open_sequence(f"{TOPIC}/key-1", 50, tx)

    async def load_early(tx: Transaction) -> None:
        transaction = InboxTransaction(life.inbox, tx)
        await transaction.load_early([f"{TOPIC}/early-1"], ["owner-2"])

    relay = OutboxRelay(life.db, "shop", "0", life.new_producer)
    sealer = AuditSealer("shop", b"key")
    sweeper = EarlyEventSweeper(life.engine, life.inbox)
    return {
        "waiting events": (partial(pending_counts, life.db), EARLY + PARKED_KEYS),
        "GET /parked": (partial(run, list_parked), 50 * 20),
        "GET /parked/{sequence}": (partial(run, open_parked), 50),
        "early events": (partial(run, load_early), 2),
        "unsent rows": (partial(unsent, life.db), 0),
        "a sweep": (relay.sweep, 0),
        "sealing": (partial(sealer, run), 0),
        "early events that are due": (partial(sweeper, run), EARLY),
        **{
            check.__name__: (partial(run, partial(_check, check)), PARKED_KEYS * PARKED_EVENTS)
            for check in invariants.INVARIANTS
            if check is not invariants.key_counters_match_rows  # it joins 100 rows of each key
        },
    }


async def _check(check: invariants.InvariantCheck, tx: Transaction) -> None:
    await check(tx, InvariantScan())


async def profiled(db: Mongo, query: Callable[[], Awaitable[Any]]) -> list[dict[str, Any]]:
    """Run a query and return what the profiler recorded of its reads."""
    await db.db.command("profile", 0)
    await db.drop_collection("system.profile")
    await db.db.command("profile", 2)
    await query()
    await db.db.command("profile", 0)
    own = f"{db.name}."
    operations = await db.find("system.profile", {"ns": {"$regex": f"^{own}"}})
    return [one for one in operations if "planSummary" in one and "profile" not in one["ns"]]


@pytest.mark.timeout(900)
async def test_no_query_reads_without_an_index_or_far_more_than_it_returns(
    life: ServiceRuntime,
) -> None:
    problems: list[str] = []
    queries = searches(life.db) | replays(life.db) | others(life)
    for name, (query, returned) in queries.items():
        operations = await profiled(life.db, query)
        for one in operations:
            collection = one["ns"].partition(".")[2]
            examined = max(one.get("docsExamined", 0), one.get("keysExamined", 0))
            scans = "COLLSCAN" in one["planSummary"] and collection not in SMALL
            limit = SPARE + 10 * returned
            if name == "page of a month":
                limit = ROWS  # all of its pages together read the archive once
            if scans or examined > limit:
                problems.append(f"{name}: {collection} {one['planSummary']} {examined} > {limit}")
    assert problems == []


# Collections that have a row for each lease, partition or block of 2,000 rows.
SMALL = {"leases", "offsets", "seals", "aliases"}
