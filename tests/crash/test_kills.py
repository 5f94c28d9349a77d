"""SIGKILL before and after each step, under load: nothing lost, doubled or out of order.

The steps are commit, relay read, publish, acknowledgement, mark, poll, effect and position. Two
replicas share one database, one consumer group and one outbox; while one is dead or restarts, the
other takes over. Each run draws new kill points; every third process first commits a backlog. The
service consumes its own events: relay and consumer are the same code in all services.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.messaging.kafka_topics import ensure_topic
from chassis.persistence.mongo import Mongo
from ops.local import ephemeral_servers, processes
from tests.crash.outcome_check import gathered
from tests.crash.sample_service import TOPIC
from tests.fakes import Keys

ROOT = Path(__file__).resolve().parent.parent.parent
NTH = {
    "commit": 60,
    "relay_read": 10,
    "publish": 20,
    "acknowledged": 20,
    "marked": 10,
    "polled": 10,
    "effect": 20,
    "position": 1,
}  # by kill point: the highest count at which a kill comes
REPLICAS = 2
OWNERS = 24
NEW_OWNERS = 4
KILLS = 3
SECONDS_PER_KILL = 30
TRANSACTION_SECONDS = (
    3  # after which MongoDB ends the transaction of a killed process; 15 in installations
)


class Slot:
    """Runs the processes of one replica id, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log

    async def begin(self, report: dict[str, Any]) -> None:
        """Start the next process."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(report).encode() + b"\n")
        await self._process.stdin.drain()

    async def end(self) -> int:
        """Wait until the started process ends and return its exit code."""
        assert self._process.stdout
        return int(await self._process.stdout.readline())


@asynccontextmanager
async def running_slot(log: Path) -> AsyncGenerator[Slot]:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.crash.process_forker",
        str(log),
        cwd=ROOT,
        stdin=pipe,
        stdout=pipe,
        start_new_session=True,
    )
    try:
        yield Slot(child, log)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


@pytest.fixture
async def own_mongo_url(tmp_path: Path) -> AsyncIterator[str]:
    """Start a mongod for one test.

    It aborts the transactions of a killed process after TRANSACTION_SECONDS.
    """
    async with ephemeral_servers.running_mongod(tmp_path / "mongod") as url:
        db = Mongo(url, "admin")
        await db.client.admin.command(
            "setParameter", 1, transactionLifetimeLimitSeconds=TRANSACTION_SECONDS
        )
        await db.close()
        yield url


def plan(rounds: int, chance: random.Random, owners: Sequence[str]) -> list[dict[str, Any]]:
    """Return the input of each process: its kill point, count, backlog and owners.

    Each round has every point once, in random order, with a random count. Each process replaces
    some owners of the one before, so that no owner is in all of them.
    """
    lives: list[dict[str, Any]] = []
    for point in (point for _ in range(rounds) for point in chance.sample(list(NTH), len(NTH))):
        number = len(lives)
        backlog = chance.randint(40, 160) if chance.random() < 1 / 3 else 0
        lives.append(
            {
                "point": point,
                "nth": chance.randint(1, NTH[point]),
                "backlog": backlog,
                "owners": owners[number * NEW_OWNERS :][:OWNERS],
            }
        )
    return lives


@pytest.mark.scenario("M18/kills")
@pytest.mark.scenario("T31/kills")
@pytest.mark.timeout(0)  # limited inside: the time grows with the number of kills
async def test_after_a_kill_at_any_point_effects_are_what_was_committed(
    tmp_path: Path,
    own_mongo_url: str,
    kafka: str,
    request: pytest.FixtureRequest,
    record_property: Any,
) -> None:
    rounds = request.config.getoption("--crash") or KILLS
    seed = secrets.randbelow(1_000_000)
    began = time.monotonic()
    kills = rounds * len(NTH)
    database = f"crash_{new_id()[-12:]}"
    answered = tmp_path / "answered"
    settings = Keys.make(tmp_path, ("gateway", "shop")).settings(
        "shop", mongo_url=own_mongo_url, database=database, kafka=kafka
    ) | {"trusted_keys": str(tmp_path)}
    topic = settings["namespace"] + TOPIC
    await ensure_topic(kafka, topic, partitions=4)
    owners = [new_id() for _ in range(kills * NEW_OWNERS + OWNERS)]
    # The seed determines when a kill comes.
    waiting = deque(plan(rounds, random.Random(seed), owners))  # noqa: S311

    async def deaths(slot: Slot, report: dict[str, Any]) -> None:
        while waiting:
            life = waiting.popleft()
            await slot.begin(report | life)
            assert await slot.end() == -signal.SIGKILL, (
                f"seed {seed}, {life['point']}: {processes.tail(slot.log, 20)}"
            )

    db = Mongo(settings["mongo_url"], database)
    try:
        async with (
            asyncio.timeout(90 + kills * SECONDS_PER_KILL),
            running_slot(tmp_path / "0.log") as first,
            running_slot(tmp_path / "1.log") as second,
        ):
            replicas = [
                (
                    slot,
                    {"settings": settings | {"replica": str(number)}, "answered": str(answered)},
                )
                for number, slot in enumerate((first, second))
            ]
            async with asyncio.TaskGroup() as dying:
                for slot, report in replicas:
                    dying.create_task(deaths(slot, report))
            killing = time.monotonic() - began
            for slot, report in replicas:
                await slot.begin(report | {"point": "", "nth": 0, "backlog": 0, "owners": []})
            evidence = await gathered(db, kafka, topic)
        jars = {jar["_id"]: jar["marbles"] for jar in await db.find("jars", {})}
    finally:
        await db.close()
    report = [
        (owner, int(marbles))
        for owner, marbles in (line.split() for line in answered.read_text().splitlines())
    ]
    figures = {
        "kills": kills,
        **evidence.figures(),
        "commands_answered": len(report),
        "seconds": round(time.monotonic() - began),
        "killing_seconds": round(killing),
        "seed": seed,
    }
    record_property("figures", figures)

    assert evidence.broken == {}
    assert jars == {
        owner: len(seqs) for owner, seqs in evidence.committed.items()
    }  # state and events of a command are committed together
    assert [
        f"{owner}/{marbles}" for owner, marbles in report if marbles > jars.get(owner, 0)
    ] == []  # all answered commands are committed
    assert len(set(report)) == len(report)
    assert len(report) > kills * 5  # there was a load
