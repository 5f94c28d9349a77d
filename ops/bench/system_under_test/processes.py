"""Two processes of the measured service, one that takes commands and one that reads its events, and a gateway before them. Not here: what is made of the figures."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from chassis.http.internal_tokens import Signer
from gateway.authn.dev_issuer import development_token
from ops.bench.system_under_test import environment, process
from ops.bench.system_under_test.domain import EVERYBODY
from ops.bench.system_under_test.service import command
from ops.errors import Trouble
from ops.local import mongo_users, platform_checks, processes, secret_files, topology

START_SECONDS, SETTLE_SECONDS, LOOK_SECONDS = 60.0, 20.0, 0.05
DOOR_PORTS = 10


@dataclass(slots=True, kw_only=True)
class Pair:
    """Both processes, ready. Commands are numbered on, so that neighbours in time have different keys."""

    writing: str
    reading: str
    signer: Signer
    http: aiohttp.ClientSession
    number: int = 0

    async def effects(self, per_second: float, seconds: float) -> list[float]:
        """Milliseconds from each command's commit in one process to the commit of its effect in the other."""
        told_to = {"per_second": per_second, "seconds": seconds, "first": self.number}
        self.number += int(per_second * seconds)
        committed = await self._ask("training", "POST", f"{self.writing}/v1/bursts", told_to)
        seen: dict[str, int] = {}
        deadline = time.monotonic() + SETTLE_SECONDS
        while not committed.keys() <= seen.keys():
            if time.monotonic() > deadline:
                raise Trouble(
                    "Ada peristiwa yang belum berefek setelah 20 detik.",
                    "Some events had no effect after 20 seconds.",
                )
            await asyncio.sleep(LOOK_SECONDS)
            seen |= await self._ask("certification", "GET", f"{self.reading}/v1/effects")
        return [(seen[id_] - moment) / 1e6 for id_, moment in committed.items()]

    async def commands(
        self, door: str, bearer: str, per_second: float, seconds: float
    ) -> list[float]:
        """Milliseconds that each command took over HTTP through the gateway, sent at a steady rate however long each takes."""
        loop = asyncio.get_running_loop()
        began, running = loop.time(), list[asyncio.Task[float]]()
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
            running.append(asyncio.create_task(self._command(door, bearer, self.number + number)))
        self.number += len(running)
        return list(await asyncio.gather(*running))

    async def _command(self, door: str, bearer: str, number: int) -> float:
        body = command(number).model_dump(mode="json")
        began = time.perf_counter()
        async with self.http.post(
            f"{door}/v1/completions", json=body, headers={"authorization": f"Bearer {bearer}"}
        ) as answer:
            text = await answer.text()
            if answer.status != 201:  # noqa: PLR2004 - created
                raise Trouble(
                    f"Perintah dijawab {answer.status}: {text}",
                    f"A command was answered {answer.status}, see above.",
                )
        return (time.perf_counter() - began) * 1e3

    async def _ask(self, service: str, method: str, url: str, body: Any = None) -> dict[str, int]:
        headers = {"authorization": f"Bearer {self.signer.for_caller(service, EVERYBODY)}"}
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            if not answer.ok:
                why = await answer.text()
                raise Trouble(
                    f"Bench tidak dapat dilanjutkan, mesin ini terlalu sibuk untuk lajunya: {why}",
                    "The bench cannot go on, this machine is too busy for its rate; see above.",
                )
            return await answer.json()


@asynccontextmanager
async def pair(mongo_url: str, kafka: str, place: Path, driver: str) -> AsyncGenerator[Pair]:
    """Start both on databases and topics of their own, and end them."""
    namespace = f"bench-{uuid.uuid4().hex[:8]}."
    ports = platform_checks.free_ports(2)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        starting: list[Awaitable[None]] = []
        for service, role, port in (
            (environment.WRITING, "writing", ports[0]),
            (environment.READING, "reading", ports[1]),
        ):
            database = await stack.enter_async_context(_database(mongo_url))
            url = environment.url_of(mongo_url, database)
            env = environment.environment(
                service,
                place,
                mongo_url=url,
                kafka=kafka,
                driver=driver,
                namespace=namespace,
                port=port,
            )
            log = place / f"{namespace}{role}.log"
            starting.append(_ready(stack.enter_context(_process(role, env, log)), http, port, log))
        await asyncio.gather(*starting)
        signer = Signer(
            "gateway", (place / "secrets" / "gateway" / "gateway_signing_key").read_text()
        )
        yield Pair(
            writing=f"http://{platform_checks.LOOPBACK}:{ports[0]}",
            reading=f"http://{platform_checks.LOOPBACK}:{ports[1]}",
            signer=signer,
            http=http,
        )


@asynccontextmanager
async def door(
    mongo_url: str, kafka: str, place: Path, writing: str
) -> AsyncGenerator[tuple[str, str]]:
    """A gateway before the writing process: its address, and a bearer token."""
    port = _free_row(DOOR_PORTS)
    routes = place / "routes.toml"
    secret_files.write(routes, process.ROUTES)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url = environment.url_of(mongo_url, await stack.enter_async_context(_database(mongo_url)))
        env = environment.environment(
            topology.GATEWAY,
            place,
            mongo_url=url,
            kafka=kafka,
            driver="motor",
            namespace="",
            port=port,
        )
        env |= {"GATEWAY_ROUTES_FILE": str(routes), "GATEWAY_TRAINING_URL": writing}
        log = place / "gateway.log"
        await _ready(
            stack.enter_context(_process("gateway", env, log)),
            http,
            port + topology.GATEWAY.probes,
            log,
        )
        key = (place / "secrets" / "gateway" / "gateway_development_key").read_text()
        yield (
            f"http://{platform_checks.LOOPBACK}:{port}",
            development_token(key, process.ROLE, {"facility": "LP-TJP"}),
        )


@asynccontextmanager
async def _database(mongo_url: str) -> AsyncGenerator[str]:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    try:
        yield name
    finally:
        async with mongo_users.administering(mongo_url) as mongo:
            await mongo.client.drop_database(name)


@contextmanager
def _process(role: str, env: Mapping[str, str], log: Path) -> Generator[subprocess.Popen[bytes]]:
    child = processes.spawn(
        [sys.executable, "-m", "ops.bench.system_under_test.process", role], log, env=env
    )
    try:
        yield child
    finally:
        processes.end(child)


async def _ready(
    child: subprocess.Popen[bytes], http: aiohttp.ClientSession, probe: int, log: Path
) -> None:
    """Return when the process says that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        try:
            async with http.get(f"http://{platform_checks.LOOPBACK}:{probe}/readyz") as answer:
                if answer.ok:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(LOOK_SECONDS)
    raise Trouble(
        f"Proses bench tidak siap. Baris terakhir:\n{processes.tail(log)}",
        "A process of the bench did not become ready; its last lines stand above.",
    )


def _free_row(count: int) -> int:
    """The first of so many neighbouring ports that are free."""
    while True:
        [first] = platform_checks.free_ports(1)
        try:
            for port in range(first, first + count):
                platform_checks.require_port(port, "bench", "")
        except Trouble:
            continue
        return first
