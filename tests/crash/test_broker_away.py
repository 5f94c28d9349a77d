"""Kafka is killed, frozen or stopped under load.

Commands are answered, the outbox grows in bounded memory, and afterwards it drains in order.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chassis.caller import Caller
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.ids import new_id
from chassis.messaging.kafka_topics import ensure_topic
from chassis.persistence.mongo import Mongo
from ops.local import platform_checks, processes
from tests.chassis.harness import added, runner
from tests.chassis.sample_service import Jar
from tests.crash.outcome_check import Evidence, gathered
from tests.crash.sample_service import TOPIC
from tests.fakes import Keys, eventually
from tests.restartable_kafka import RestartableKafka

ROOT = Path(__file__).resolve().parent.parent.parent
FILLING = "/v1/jars/{jar_id}/fillings"
# RATE is commands a second; each command has a deadline
OWNERS = 60
RATE = 60
DEADLINE_SECONDS = 10.0
# Commands in flight: on a slow machine the load slows down instead of exceeding the deadlines
CLIENTS = 20
ROWS = 2_500
SECONDS = 45
SOAK_SECONDS = 600
# Limits of memory growth. It must not depend on the number of unsent rows; draining needs whole
# pages, fetches and batches of 500.
AWAY_MIB = 36
DRAIN_MIB = 128
SHARED = {
    "kafka": "BINA_KAFKA",
    "environment": "BINA_ENVIRONMENT",
    "mongo_driver": "BINA_MONGO_DRIVER",
}


@dataclass(slots=True)
class Observations:
    """Times and statuses of commands and probes, and the memory used."""

    seconds: list[float] = field(default_factory=list[float])
    statuses: set[int] = field(default_factory=set[int])
    alive: set[int] = field(default_factory=set[int])
    ready: set[int] = field(default_factory=set[int])
    mib: list[float] = field(default_factory=list[float])


class ShopHarness:
    """The shop's process, its clients and its probes."""

    def __init__(self, port: int, pid: int, keys: Keys, db: Mongo) -> None:
        self.pid = pid
        self.db = db
        self.jars = list[str]()
        self._signer = InternalTokenSigner("gateway", keys.private["gateway"])
        self._caller = Caller(
            subject="load",
            role="load",
            permissions=frozenset({f"POST {FILLING}"}),
            claims={"facility": frozenset("*")},
        )
        self.http = httpx2.AsyncClient(
            base_url=f"http://{platform_checks.LOOPBACK}:{port}", timeout=2 * DEADLINE_SECONDS
        )

    async def command(self, jar: str, seen: Observations) -> None:
        """Fill a jar; record the time taken and the status."""
        began = time.monotonic()
        headers = {
            "authorization": f"Bearer {self._signer.for_caller('shop', self._caller)}",
            "x-request-deadline": str(int((time.time() + DEADLINE_SECONDS) * 1000)),
        }
        answer = await self.http.post(
            FILLING.format(jar_id=jar), json={"marbles": 1}, headers=headers
        )
        seen.statuses.add(answer.status_code)
        seen.seconds.append(time.monotonic() - began)

    async def look(self, seen: Observations) -> None:
        """Record the responses of both probes and the memory used."""
        seen.alive.add((await self.http.get("/livez")).status_code)
        seen.ready.add((await self.http.get("/readyz")).status_code)
        seen.mib.append(processes.resident_bytes(self.pid) / platform_checks.MIB)

    async def load(self, seconds: float, commands: int = 0) -> Observations:
        """Send commands at RATE for that long, and until that many were sent.

        At most CLIENTS commands are in flight; all are awaited at the end.
        """
        seen = Observations()
        clients = asyncio.Semaphore(CLIENTS)

        async def send(jar: str) -> None:
            try:
                await self.command(jar, seen)
            finally:
                clients.release()

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in count():
                late = time.monotonic() - began
                if late >= seconds and number >= commands:
                    return seen
                await clients.acquire()
                group.create_task(send(self.jars[number % OWNERS]))
                if number % RATE == 0:
                    group.create_task(self.look(seen))
                await asyncio.sleep(max(0.0, number / RATE - late))
        return seen

    async def is_ready(self) -> bool:
        try:
            return (await self.http.get("/readyz")).is_success
        except httpx2.TransportError:
            return False

    async def gauges(self) -> dict[str, float]:
        """Return the metrics that have no label."""
        lines = (await self.http.get("/metrics")).text.splitlines()
        samples = [line.split() for line in lines if not line.startswith("#") and "{" not in line]
        return {name: float(value) for name, value, *_ in samples}

    async def waiting_rows(self) -> int:
        return (await self.http.get("/statusz")).json()["outbox"]["unsent"]


@asynccontextmanager
async def shop(
    directory: Path, mongo_url: str, database: str, kafka: str
) -> AsyncGenerator[ShopHarness]:
    keys = Keys.make(directory, ("gateway", "shop"))
    [port] = platform_checks.find_free_ports(1)
    settings = keys.settings(
        "shop", mongo_url=mongo_url, database=database, kafka=kafka, port=port, log_level="error"
    )
    await ensure_topic(kafka, settings["namespace"] + TOPIC, partitions=4)
    env = os.environ | {
        SHARED.get(name, f"SHOP_{name.upper()}"): str(value) for name, value in settings.items()
    }
    process = processes.spawn(
        [sys.executable, "-m", "tests.crash.http_process"],
        directory / "shop.log",
        env=env,
        cwd=ROOT,
    )
    one = ShopHarness(port, process.pid, keys, Mongo(settings["mongo_url"], database))
    try:
        await eventually(one.is_ready, seconds=60)
        for _ in range(OWNERS):
            jar = await runner(one.db)(
                lambda tx: added(
                    tx, Jar(id=new_id(), owner_ref=new_id(), room="north", capacity=1_000_000)
                )
            )
            one.jars.append(jar.id)
        yield one
    finally:
        await one.http.aclose()
        await one.db.close()
        await asyncio.to_thread(processes.end, process)


@pytest.mark.scenario("M18/broker-away")
@pytest.mark.scenario("T31/broker-away")
@pytest.mark.timeout(0)  # limited inside: the time depends on the options of the run
@pytest.mark.parametrize(
    ("how", "seconds", "rows"),
    [(signal.SIGKILL, SECONDS, ROWS), (signal.SIGSTOP, 25, 1_000), (signal.SIGTERM, 15, 500)],
    ids=["killed", "frozen", "stopped in order"],
)
async def test_commands_are_answered_in_bounded_memory_without_a_broker(
    tmp_path: Path,
    mongo_url: str,
    database: str,
    request: pytest.FixtureRequest,
    record_property: Any,
    how: signal.Signals,
    seconds: float,
    rows: int,
) -> None:
    if request.config.getoption("--soak") and how == signal.SIGKILL:
        seconds = SOAK_SECONDS
    kafka = RestartableKafka(tmp_path / "kafka")
    try:
        async with asyncio.timeout(300 + 3 * seconds):
            await kafka.come()
            async with shop(tmp_path, mongo_url, database, kafka.bootstrap) as one:
                before = await one.load(5)
                await kafka.go(how)
                away = await one.load(seconds, rows)
                waiting = await one.waiting_rows()
                gauges = await one.gauges()
                returned = time.monotonic()
                await kafka.come()
                after = await one.load(5)
                evidence: Evidence = await gathered(one.db, kafka.bootstrap, f"{database}.{TOPIC}")
                drained = time.monotonic() - returned
                await one.look(after)
    finally:
        await kafka.end()
    phases = (before, away, after)
    slowest = [round(max(seen.seconds), 3) for seen in phases]
    grown = [round(max(seen.mib) - max(before.mib), 1) for seen in (away, after)]
    figures = {
        "away_seconds": seconds,
        "rows_waiting": waiting,
        **evidence.figures(),
        "slowest_seconds": slowest,
        "grown_mib": grown,
    }
    record_property(
        "figures",
        figures | {"rss_mib": round(max(before.mib)), "drained_seconds": round(drained, 1)},
    )

    assert evidence.broken == {}
    assert before.statuses | away.statuses | after.statuses == {200}
    assert evidence.events == sum(len(seen.seconds) for seen in phases)
    assert max(slowest) < DEADLINE_SECONDS
    assert waiting >= rows
    # measured at most some seconds ago, by a process that is busy
    assert gauges["bina_outbox_age_seconds"] > seconds / 2
    assert gauges["bina_outbox_unsent_rows"] > waiting / 2
    assert gauges["bina_relay_leader"] == 0
    assert gauges["bina_relay_failures_total"] > 0
    assert away.alive | after.alive == {200}  # a restart of the service would not help
    assert away.ready | after.ready == {200}  # commands still succeed
    assert grown[0] < AWAY_MIB
    assert grown[1] < DRAIN_MIB
