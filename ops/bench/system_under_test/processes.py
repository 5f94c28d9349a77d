"""Starts the writing and the reading process and a gateway before them, and measures them.

Not here: how the figures are summarized.
"""

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

from chassis.http.internal_tokens import InternalTokenSigner
from gateway.authn.dev_issuer import issue_development_token
from ops.bench.system_under_test import environment, process
from ops.bench.system_under_test.domain import BENCH_CALLER
from ops.bench.system_under_test.service import make_command
from ops.errors import OperatorError
from ops.local import mongo_users, platform_checks, processes, secret_files, topology

START_SECONDS = 60.0
_TOO_BUSY = {429, 503}
SETTLE_SECONDS = 20.0
POLL_SECONDS = 0.05
GATEWAY_PORT_COUNT = 10


@dataclass(slots=True, kw_only=True)
class ServicePair:
    """Both processes, ready. Consecutive commands have different keys.

    `next_number` is the number of the next command, which gives its key.
    """

    writing_url: str
    reading_url: str
    signer: InternalTokenSigner
    http: aiohttp.ClientSession
    next_number: int = 0

    async def measure_effects(self, per_second: float, seconds: float) -> list[float]:
        """Return milliseconds from each command's commit to the commit of its effect."""
        burst = {"per_second": per_second, "seconds": seconds, "first": self.next_number}
        self.next_number += int(per_second * seconds)
        url = f"{self.writing_url}/v1/bursts"
        committed = await self._request("training", "POST", url, burst)
        seen: dict[str, int] = {}
        deadline = time.monotonic() + SETTLE_SECONDS
        while not committed.keys() <= seen.keys():
            if time.monotonic() > deadline:
                raise OperatorError(
                    "Ada peristiwa yang belum berefek setelah 20 detik.",
                    "Some events had no effect within 20 seconds.",
                )
            await asyncio.sleep(POLL_SECONDS)
            seen |= await self._request("certification", "GET", f"{self.reading_url}/v1/effects")
        return [(seen[id_] - moment) / 1e6 for id_, moment in committed.items()]

    async def measure_commands(
        self, gateway_url: str, bearer: str, per_second: float, seconds: float
    ) -> list[float]:
        """Send commands through the gateway at a steady rate; return milliseconds of each.

        A command that was refused because the machine is too busy is left out.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        running: list[asyncio.Task[float | None]] = []
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
            running.append(
                asyncio.create_task(
                    self._send_command(gateway_url, bearer, self.next_number + number)
                )
            )
        self.next_number += len(running)
        answers = await asyncio.gather(*running)
        return [milliseconds for milliseconds in answers if milliseconds is not None]

    async def _send_command(self, gateway_url: str, bearer: str, number: int) -> float | None:
        """Return milliseconds until the answer; None if the machine was too busy for it."""
        body = make_command(number).model_dump(mode="json")
        began = time.perf_counter()
        async with self.http.post(
            f"{gateway_url}/v1/completions",
            json=body,
            headers={"authorization": f"Bearer {bearer}"},
        ) as answer:
            text = await answer.text()
            if answer.status in _TOO_BUSY:
                return None
            if answer.status != 201:  # noqa: PLR2004 - created
                raise OperatorError(
                    f"Perintah dijawab {answer.status}: {text}",
                    f"A command was answered {answer.status}: {text}",
                )
        return (time.perf_counter() - began) * 1e3

    async def _request(
        self, service: str, method: str, url: str, body: Any = None
    ) -> dict[str, int]:
        headers = {"authorization": f"Bearer {self.signer.for_caller(service, BENCH_CALLER)}"}
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            if not answer.ok:
                why = await answer.text()
                raise OperatorError(
                    f"Bench tidak dapat dilanjutkan, mesin ini terlalu sibuk untuk lajunya: {why}",
                    f"The bench cannot continue, this machine is too busy for its rate: {why}",
                )
            return await answer.json()


@asynccontextmanager
async def start_pair(
    mongo_url: str, kafka: str, directory: Path, driver: str
) -> AsyncGenerator[ServicePair]:
    """Start both services on databases and topics of their own; end them afterwards."""
    namespace = f"bench-{uuid.uuid4().hex[:8]}."
    ports = platform_checks.find_free_ports(2)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        starting: list[Awaitable[None]] = []
        for service, role, port in (
            (environment.WRITING, "writing", ports[0]),
            (environment.READING, "reading", ports[1]),
        ):
            database = await stack.enter_async_context(_temporary_database(mongo_url))
            url = environment.database_url(mongo_url, database)
            env = environment.build_environment(
                service,
                directory,
                mongo_url=url,
                kafka=kafka,
                driver=driver,
                namespace=namespace,
                port=port,
            )
            log = directory / f"{namespace}{role}.log"
            starting.append(
                _wait_until_ready(
                    stack.enter_context(_run_process(role, env, log)), http, port, log
                )
            )
        await asyncio.gather(*starting)
        signer = InternalTokenSigner(
            "gateway", (directory / "secrets" / "gateway" / "gateway_signing_key").read_text()
        )
        yield ServicePair(
            writing_url=f"http://{platform_checks.LOOPBACK}:{ports[0]}",
            reading_url=f"http://{platform_checks.LOOPBACK}:{ports[1]}",
            signer=signer,
            http=http,
        )


@asynccontextmanager
async def start_gateway(
    mongo_url: str, kafka: str, directory: Path, writing_url: str
) -> AsyncGenerator[tuple[str, str]]:
    """Start a gateway before the writing process; yield its address and a bearer token."""
    port = platform_checks.find_free_port_range(GATEWAY_PORT_COUNT)
    routes = directory / "routes.toml"
    secret_files.write_private(routes, process.ROUTES)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url = environment.database_url(
            mongo_url, await stack.enter_async_context(_temporary_database(mongo_url))
        )
        env = environment.build_environment(
            topology.GATEWAY,
            directory,
            mongo_url=url,
            kafka=kafka,
            driver="motor",
            namespace="",
            port=port,
        )
        env |= {"GATEWAY_ROUTES_FILE": str(routes), "GATEWAY_TRAINING_URL": writing_url}
        log = directory / "gateway.log"
        await _wait_until_ready(
            stack.enter_context(_run_process("gateway", env, log)),
            http,
            port + topology.GATEWAY.probe_offset,
            log,
        )
        key = (directory / "secrets" / "gateway" / "gateway_development_key").read_text()
        yield (
            f"http://{platform_checks.LOOPBACK}:{port}",
            issue_development_token(key, process.ROLE, {"facility": "LP-TJP"}),
        )


@asynccontextmanager
async def _temporary_database(mongo_url: str) -> AsyncGenerator[str]:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    try:
        yield name
    finally:
        async with mongo_users.open_admin_database(mongo_url) as mongo:
            await mongo.client.drop_database(name)


@contextmanager
def _run_process(
    role: str, env: Mapping[str, str], log: Path
) -> Generator[subprocess.Popen[bytes]]:
    child = processes.spawn(
        [sys.executable, "-m", "ops.bench.system_under_test.process", role], log, env=env
    )
    try:
        yield child
    finally:
        processes.end(child)


async def _wait_until_ready(
    child: subprocess.Popen[bytes], http: aiohttp.ClientSession, probe: int, log: Path
) -> None:
    """Wait until the process is ready. Raises OperatorError."""
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        try:
            async with http.get(f"http://{platform_checks.LOOPBACK}:{probe}/readyz") as answer:
                if answer.ok:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(POLL_SECONDS)
    raise OperatorError(
        f"Proses bench tidak siap. Baris terakhir:\n{processes.tail(log)}",
        f"A process of the bench did not become ready. Last lines:\n{processes.tail(log)}",
    )
