"""The order in which processes start does not matter.

Our processes start before MongoDB and Kafka, wait for them, and continue after an outage of either
without a restart.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from subprocess import Popen

import pymongo
import pytest

from chassis.ids import new_id
from ops.demo import prison
from ops.demo.context import DemoContext
from ops.local import (
    http_probe,
    kafka_broker,
    mongo_users,
    mongod,
    platform_checks,
    processes,
    secrets,
    topology,
)
from ops.local.gateway_client import GatewayClient
from ops.local.state_dir import ROOT
from tests.fakes import eventually
from tests.installation import free_block

PATIENCE = 60.0
ADMITTED = 380  # the people in the snapshot of the demo


class StartOrderHarness:
    """Our processes on free ports, with servers that may run or not."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_block()
        self.password = new_id()
        self.running: dict[str, Popen[bytes]] = {}

    @property
    def administrator(self) -> str:
        return mongo_users.administrator_url(
            f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}", self.password
        )

    async def install(self) -> None:
        """Create secrets and users, as an installation that was shut down has them."""
        secrets.make_secrets(self.home / "secrets")
        await self.start("mongod")
        for service in topology.PROCESSES:
            url = await mongo_users.make_user(
                self.administrator,
                service.name,
                secrets.mongo_password(self.home / "secrets", service.name),
            )
            secrets.write_mongo_url(self.home / "secrets", service.name, url)
            for name in service.directories:
                (self.home / service.name / name).mkdir(parents=True)
        await self.stop("mongod")

    async def start(self, part: str) -> None:
        log = self.home / f"{part}.log"
        match part:
            case "mongod":
                self.running[part] = (
                    await mongod.start(self.home / part, topology.MONGOD.port, self.password, log)
                ).process
            case "kafka":
                self.running[part] = (
                    await kafka_broker.start(
                        self.home / part, topology.KAFKA.port, topology.KAFKA_CONTROLLER.port, log
                    )
                ).process
            case _:
                [service] = [one for one in topology.PROCESSES if one.name == part]
                env = os.environ | topology.build_environment(
                    service, self.home, f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}"
                )
                self.running[part] = processes.spawn(
                    [sys.executable, "-m", service.module], log, env=env, cwd=ROOT
                )

    async def stop(self, part: str) -> None:
        await asyncio.to_thread(processes.end, self.running.pop(part))

    async def until(self, *, ready: bool, missing: str = "") -> None:
        """Wait until /readyz of every process of ours gives this answer; assert that none ended."""

        async def so() -> bool:
            answers = [
                (await http_probe.get(service.probe_port, "/readyz"))
                for service in topology.PROCESSES
            ]
            return all(
                (status == 200) is ready and (not missing or missing in answer.get("missing", ()))
                for status, answer in answers
            )

        await eventually(so, seconds=PATIENCE)
        assert [part for part, process in self.running.items() if process.poll() is not None] == []

    async def heard(self, reader: str, kind: str, count: int) -> None:
        """Wait until `count` events of this type have taken effect at the reader."""
        with pymongo.MongoClient[dict[str, object]](self.administrator) as client:

            def done() -> int:
                report = client["training"]["outbox"].distinct("_id", {"type": kind})
                return client[reader]["inbox"].count_documents(
                    {"_id": {"$in": report}, "state": "done"}
                )

            async def so() -> bool:
                return await asyncio.to_thread(done) == count

            await eventually(so, seconds=PATIENCE)


@pytest.fixture
async def harness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[StartOrderHarness]:
    harness = StartOrderHarness(tmp_path)
    monkeypatch.setenv("BINA_DIR", str(tmp_path))
    monkeypatch.setenv("BINA_PORT", str(harness.port))
    try:
        yield harness
    finally:
        for parts_of in ([service.name for service in topology.PROCESSES], ["mongod", "kafka"]):
            await asyncio.gather(
                *(harness.stop(part) for part in parts_of if part in harness.running)
            )


@pytest.mark.timeout(300)
async def test_any_process_may_start_first_stop_and_return(harness: StartOrderHarness) -> None:
    await harness.install()
    for service in reversed(topology.PROCESSES):
        await harness.start(service.name)
    await harness.until(ready=False, missing="mongodb")
    await harness.start("kafka")
    await harness.start("mongod")
    await harness.until(ready=True)
    async with GatewayClient() as client:
        story = DemoContext(client)
        await prison.open_facility(story)
        assert (await prison.import_snapshot(story))["admitted"] == ADMITTED
        for reader in ("marketplace", "manpower"):
            await harness.heard(reader, "training.participant-admitted.v1", ADMITTED)

        await harness.stop("mongod")
        await harness.until(ready=False, missing="mongodb")
        await harness.stop("kafka")
        await harness.start("mongod")
        await harness.stop("training")
        await harness.start("training")
        await harness.start("kafka")
        await harness.until(ready=True)
        await prison.open_class(story)
        await harness.heard("training", "training.class-opened.v1", 1)
