"""Two services under load on a cluster, each in two processes.

The shop takes commands, and the reader applies its events. Not here: the faults.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psutil
from aiokafka.partitioner import murmur2  # pyright: ignore[reportUnknownVariableType]

from chassis.http.internal_tokens import InternalTokenSigner
from chassis.ids import new_id
from chassis.messaging.kafka_topics import ensure_topic
from chassis.persistence.mongo import Document, Mongo, MongoError
from ops.local import platform_checks, processes
from ops.local.state_dir import ROOT
from tests.cluster.cluster import Cluster
from tests.cluster.load import Load
from tests.cluster.member import TRAP
from tests.crash.outcome_check import Evidence, Seqs
from tests.fakes import Keys, eventually

PARTITIONS = 4
REPLICAS = 2
DRIVERS = ("motor", "pymongo")  # each service has one replica on each
READY_SECONDS = 90.0
SETTLED_SECONDS = 120.0
# Longest time without any answer, and of one command: an election takes 12 s, and MongoDB ends a
# transaction that was left open after 15 s
GAP_SECONDS = 25.0
WAIT_SECONDS = 60.0
TYPE = "shop.jar-filled.v1"


@dataclass(slots=True)
class Process:
    """One replica of a service."""

    service: str
    replica: str
    env: Mapping[str, str]
    log: Path
    port: int = field(default_factory=lambda: platform_checks.find_free_ports(1)[0])
    child: subprocess.Popen[bytes] | None = None

    @property
    def trap(self) -> Path:
        """The file that sets a trap for this process (MEMBER_TRAP)."""
        return self.log.with_suffix(".trap")

    def start(self) -> None:
        """Start the process, again on its port and with its replica id."""
        prefix = self.service.upper()
        env = {
            **self.env,
            f"{prefix}_PORT": str(self.port),
            f"{prefix}_REPLICA": self.replica,
            TRAP: str(self.trap),
        }
        self.child = processes.spawn(
            [sys.executable, "-m", "tests.cluster.member", self.service],
            self.log,
            env=env,
            cwd=ROOT,
        )

    async def ready(self) -> None:
        """Wait until /readyz succeeds."""
        async with httpx2.AsyncClient(timeout=5) as http:

            async def ready() -> bool:
                with suppress(httpx2.TransportError):
                    return (
                        await http.get(f"http://127.0.0.1:{self.port}/readyz")
                    ).status_code == 200
                return False

            await eventually(ready, seconds=READY_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL, which also ends a stopped process."""
        if self.child:
            self.child.kill()
            self.child.wait()

    def lay(self, point: str, what: str) -> None:
        """Make the process do this (kill, stop) to itself the next time it reaches the point."""
        draft = self.trap.with_suffix(".draft")
        draft.write_text(f"{point} {what}", encoding="utf-8")
        draft.rename(self.trap)

    async def frozen(self) -> None:
        """Wait until the process has stopped itself."""

        async def stopped() -> bool:
            return self._status() == psutil.STATUS_STOPPED

        await eventually(stopped, seconds=READY_SECONDS)

    async def dead(self) -> None:
        """Wait until the process has killed itself."""

        async def gone() -> bool:
            return self.child is not None and self.child.poll() == -signal.SIGKILL

        await eventually(gone, seconds=READY_SECONDS)

    def wake(self) -> None:
        """Send SIGCONT."""
        assert self.child
        self.child.send_signal(signal.SIGCONT)

    def runs(self) -> bool:
        """Return whether the process has not ended."""
        return self.child is not None and self.child.poll() is None

    def _status(self) -> str:
        assert self.child
        return psutil.Process(self.child.pid).status()


class ClusterHarness:
    """Two shops and two readers on a cluster, and their databases."""

    def __init__(
        self, cluster: Cluster, directory: Path, keys: Keys, *, mongo_url: str, kafka: str
    ) -> None:
        self.cluster = cluster
        self.keys = keys
        self.directory = directory
        self.name = f"test_{new_id()[-12:]}"
        self.topic = f"{self.name}.shop.events"
        self.owners = [
            next(id_ for id_ in iter(new_id, "") if partition_of(id_) == number)
            for number in range(PARTITIONS)
        ]  # each reader is assigned some
        self.dbs = {
            service: Mongo(cluster.mongo_url, f"{self.name}_{service}", "pymongo")
            for service in ("shop", "reader")
        }
        self._mongo_url = mongo_url
        self._kafka = kafka
        self.shops = [self.process("shop", at) for at in range(REPLICAS)]
        self.readers = [self.process("reader", at) for at in range(REPLICAS)]
        self.also: list[Process] = []

    def process(self, service: str, at: int) -> Process:
        """Return a replica of a service, not yet started."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BINA_", "SHOP_", "READER_"))
        }
        base = self.keys.settings(
            service, mongo_url=self._mongo_url, database=f"{self.name}_{service}", kafka=self._kafka
        )
        own = {
            "MONGO_URL": base["mongo_url"],
            "SIGNING_KEY": base["signing_key"],
            "TRUSTED_KEYS": str(base["trusted_keys"]),
            "AUDIT_KEY": base["audit_key"],
        }
        own |= {"NAMESPACE": f"{self.name}.", "LOG_LEVEL": "info"}
        shared = {
            "BINA_ENVIRONMENT": "development",
            "BINA_KAFKA": self._kafka,
            "BINA_MONGO_DRIVER": DRIVERS[at % len(DRIVERS)],
        }
        env = clean | shared | {f"{service.upper()}_{name}": value for name, value in own.items()}
        return Process(service, str(at), env, self.directory / f"{service}-{at}.log")

    async def start(self) -> None:
        """Start all four processes and wait until each is ready."""
        await ensure_topic(self.cluster.kafka, self.topic, partitions=PARTITIONS)
        await ensure_topic(self.cluster.kafka, f"{self.name}.reader.events", partitions=1)
        for process in (*self.shops, *self.readers):
            process.start()
        await asyncio.gather(*(process.ready() for process in (*self.shops, *self.readers)))

    async def end(self) -> None:
        """Kill the processes that still run."""
        for process in (*self.shops, *self.readers, *self.also):
            process.kill()
        for db in self.dbs.values():
            await db.close()

    @asynccontextmanager
    async def load(self) -> AsyncGenerator[Load]:
        """Run clients of both shops for the length of the block."""
        async with Load(
            [process.port for process in self.shops],
            InternalTokenSigner("gateway", self.keys.private["gateway"]),
            self.owners,
        ).going_on() as load:
            yield load

    async def find(
        self, service: str, collection: str, where: Mapping[str, Any], **more: Any
    ) -> list[Document]:
        """Read a service's database; repeat on errors, such as an election of a primary."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while True:
                with suppress(MongoError):
                    return await self.dbs[service].find(collection, where, **more)

    async def leader(self) -> Process:
        """Wait until a shop holds the relay's lease and return its process."""

        async def held() -> list[Process]:
            rows = await self.find("shop", "leases", {"_id": "relay"})
            holders = {row["holder"] for row in rows}
            return [process for process in self.shops if f"shop/{process.replica}" in holders]

        return (await eventually(held))[0]

    async def caught_up(self, seconds: float = SETTLED_SECONDS) -> None:
        """Wait until all present commits took effect and every owner has a newer one."""
        before = await self.committed()
        await eventually(partial(self._effects_reach, before), seconds=seconds)

        async def more() -> bool:
            return all(
                len(seqs) > len(before[owner]) for owner, seqs in (await self.committed()).items()
            )

        await eventually(more, seconds=seconds)

    async def _effects_reach(self, wanted: Seqs) -> bool:
        effects = await self.effects()
        return all(len(effects.get(owner, [])) >= len(seqs) for owner, seqs in wanted.items())

    async def committed(self) -> Seqs:
        """Return the sequence numbers of each owner's events in the outbox."""
        rows = await self.find(
            "shop",
            "outbox",
            {"type": TYPE},
            sort=[("key", 1), ("seq", 1)],
            fields={"key": 1, "seq": 1},
        )
        return {owner: [row["seq"] for row in rows if row["key"] == owner] for owner in self.owners}

    async def effects(self) -> Seqs:
        """Return each owner's sequence numbers in the order in which they took effect."""
        return {
            note["_id"]: [int(text) for text in note["texts"]]
            for note in await self.find("reader", "notes", {})
        }

    async def _all_marked(self) -> bool:
        return await self.find("shop", "outbox", {"sent": False}) == []

    async def exactly(self, load: Load) -> dict[str, Any]:
        """Wait until all events took effect, assert each promise, and return the figures."""
        committed = await self.committed()
        with suppress(AssertionError):  # the assertions below name what is missing
            await eventually(partial(self._effects_reach, committed), seconds=SETTLED_SECONDS)
        published: Seqs = defaultdict(list)
        ids: set[str] = set()
        for record in await self.cluster.records(self.topic):
            headers = {name: value.decode() for name, value in record.headers}
            ids.add(headers["ce_id"])
            if headers["ce_type"] == TYPE:
                published[(record.key or b"").decode()].append(int(headers["ce_sequence"]))
        seen = Evidence(committed, published, await self.effects())
        times = {
            "longest_gap_s": round(load.longest_gap, 1),
            "longest_wait_s": round(load.longest_wait, 1),
        }
        figures = {**seen.figures(), **times, "tries": dict(sorted(load.tries.items()))}
        assert {owner: len(seqs) for owner, seqs in committed.items()} == dict(load.answered), (
            figures
        )
        assert seen.broken == {}, figures
        assert (
            sorted(
                ids
                - {row["_id"] for row in await self.find("shop", "outbox", {}, fields={"_id": 1})}
            )
            == []
        ), figures
        assert await self.find("reader", "parked", {}) == [], figures
        await eventually(self._all_marked, seconds=SETTLED_SECONDS)
        assert load.longest_gap < GAP_SECONDS, figures
        assert load.longest_wait < WAIT_SECONDS, figures
        return figures


@asynccontextmanager
async def running(
    cluster: Cluster, directory: Path, *, mongo_url: str = "", kafka: str = ""
) -> AsyncGenerator[ClusterHarness]:
    """Run the four processes for the length of the block.

    `mongo_url` and `kafka` replace the cluster's own addresses.
    """
    keys = Keys.make(directory, ("gateway", "shop", "reader"))
    harness = ClusterHarness(
        cluster,
        directory,
        keys,
        mongo_url=mongo_url or cluster.mongo_url,
        kafka=kafka or cluster.kafka,
    )
    try:
        await harness.start()
        yield harness
    finally:
        await harness.end()


def partition_of(key: str) -> int:
    """Return the partition that Kafka's clients choose for a key."""
    return (int(murmur2(key.encode())) & 0x7FFFFFFF) % PARTITIONS
