"""The gateway as a process: ports, limits of the machine, start and end."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

import gateway.__main__ as started
from gateway.authn import issue_development_token
from gateway.host_group import Group
from gateway.routing import parser
from gateway.settings import INTERNAL_PORT_OFFSET
from ops.local import platform_checks
from tests.fakes import Keys, eventually
from tests.gateway.harness import (
    MIB,
    ROUTES,
    RULES,
    SmallUpstream,
    answer,
    free_ports,
    new_key,
    served,
    settings,
)

ROUTE_COUNT = len(parser.parse_routes(ROUTES, RULES).routes)


@dataclass
class GatewayProcess:
    """A gateway process."""

    process: asyncio.subprocess.Process
    port: int
    client: aiohttp.ClientSession
    bearer: dict[str, str]
    upstream: SmallUpstream

    def url(self, path: str, offset: int = 0) -> str:
        """Return the URL of a path at the port base + offset."""
        return f"http://127.0.0.1:{self.port + offset}{path}"

    def most_memory(self) -> int:
        """Return the process's peak resident memory, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


START = "from gateway.__main__ import main; from tests.gateway.harness import RULES; main(RULES)"


def environment(
    directory: Path,
    upstream: str,
    port: int,
    mongo_url: str = "mongodb://127.0.0.1:9/",
    database: str = "gateway",
) -> dict[str, str]:
    """Return the environment of a gateway process; Kafka is unreachable."""
    keys = Keys.make(directory)
    issuer_key = new_key()
    (directory / "routes.toml").write_text(ROUTES)
    gateway_settings = keys.settings(
        "gateway", mongo_url=mongo_url, database=database, kafka="127.0.0.1:9"
    )
    own = {
        f"GATEWAY_{name.upper()}": str(value)
        for name, value in gateway_settings.items()
        if name not in {"environment", "kafka", "mongo_driver", "port"}
    }
    urls = {
        f"GATEWAY_{service.upper()}_URL": upstream
        for service in ("training", "certification", "marketplace", "manpower")
    }
    more = {
        "BINA_ENVIRONMENT": "development",
        "BINA_KAFKA": "127.0.0.1:9",
        "GATEWAY_PORT": str(port),
        "GATEWAY_ROUTES_FILE": str(directory / "routes.toml"),
        "GATEWAY_DEVELOPMENT_KEY": issuer_key,
        "GATEWAY_LOG_LEVEL": "warning",
        "GATEWAY_DRAIN_SECONDS": "5",
    }
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())} | own | urls | more


async def ready(found: GatewayProcess) -> bool:
    """Return whether /readyz succeeds."""
    assert found.process.returncode is None, "the process ended"
    try:
        async with found.client.get(found.url("/readyz")) as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


@asynccontextmanager
async def running(
    directory: Path, mongo_url: str, database: str, **more: str
) -> AsyncGenerator[GatewayProcess]:
    """Run a gateway process in front of a small upstream; `more` are further variables."""
    upstream = SmallUpstream()
    [own] = free_ports(1)
    upstream.url = f"http://127.0.0.1:{own.getsockname()[1]}"
    port = platform_checks.find_free_port_range(INTERNAL_PORT_OFFSET + 1)
    environ = environment(directory, upstream.url, port, mongo_url, database) | more
    async with (
        served(upstream, [own]),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client,
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", START, env=environ, stdout=asyncio.subprocess.DEVNULL
        )
        key = environ["GATEWAY_DEVELOPMENT_KEY"]
        token = issue_development_token(key, "training_officer", {"facility": "LP-TJP"})
        bearer = {"authorization": f"Bearer {token}"}
        found = GatewayProcess(process, port, client, bearer, upstream)
        try:
            await eventually(lambda: ready(found), seconds=60)
            yield found
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


SIZE = 100 * MIB


async def refused(gateway: GatewayProcess) -> bool:
    """Return whether new connections are refused."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    except (ConnectionRefusedError, ConnectionResetError):  # reset: the listener closed meanwhile
        return True
    writer.close()
    return False


async def test_one_process_serves_the_host_groups_and_the_internal_port(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    async with running(tmp_path, mongo_url, database) as gateway:
        for offset, path in enumerate(("/v1/classes", "/v1/products", "/V/ABC", "/v1/classes")):
            async with gateway.client.get(
                gateway.url(path, offset), headers=gateway.bearer if offset in {0, 3} else {}
            ) as response:
                assert response.status == 200
                assert "server" not in response.headers
        async with gateway.client.get(gateway.url("/metrics", 9)) as response:
            metrics = await response.text()
        labels = 'group="certificate",method="GET",route="/V/{token}",status="200"'
        assert f"gateway_request_seconds_count{{{labels}}} 1.0" in metrics
        assert "ABC" not in metrics
        async with (
            gateway.client.get(gateway.url("/readyz", 9)) as inside,
            gateway.client.get(gateway.url("/readyz")) as outside,
        ):
            assert (inside.status, outside.status) == (200, 200)
            assert await outside.text() == "{}"
        async with gateway.client.get(gateway.url("/statusz", 9)) as response:
            assert (await response.json())["routes"] == {
                "generation": 1,
                "count": ROUTE_COUNT,
                "problems": [],
            }
        async with gateway.client.get(gateway.url("/health/services", 9)) as response:
            assert (response.status, (await response.json())["ready"]) == (200, True)
        async with gateway.client.put(
            gateway.url("/internal/users", 9), json={"issuer": "a", "external": "b"}
        ) as response:
            assert response.status == 401


async def test_100_mib_up_and_down_cost_the_process_less_than_64_mib(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    async def file() -> AsyncIterator[bytes]:
        for _ in range(SIZE // MIB):
            yield b"x" * MIB

    async def give(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for piece in file():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with running(tmp_path, mongo_url, database) as gateway:
        file_of_routes = tmp_path / "routes.toml"
        file_of_routes.write_text(file_of_routes.read_text().replace("32 MiB", "128 MiB"))
        gateway.upstream.answers["/v1/downloads"] = give

        async def uploaded() -> bool:
            async with gateway.client.post(
                gateway.url("/v1/uploads"), headers=gateway.bearer, data=file()
            ) as response:
                return response.status == 200 and (await response.json())["body"] == SIZE

        async with gateway.client.get(
            gateway.url("/v1/classes"), headers=gateway.bearer
        ) as response:
            assert response.status == 200
        before = gateway.most_memory()
        await eventually(uploaded)
        got = 0
        async with gateway.client.get(
            gateway.url("/v1/downloads"), headers=gateway.bearer
        ) as response:
            async for piece in response.content.iter_any():
                got += len(piece)
        assert got == SIZE
        assert gateway.most_memory() - before < 64 * MIB


async def test_the_first_signal_lets_work_finish_and_ends_streams(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    release = asyncio.Event()
    arrived = asyncio.Semaphore(0)

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        arrived.release()
        await release.wait()
        await answer(send, 200, {"done": True})

    async def flow(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        gateway.upstream.gone["/v1/stream"].set()

    async with running(tmp_path, mongo_url, database) as gateway:
        gateway.upstream.answers |= {"/v1/classes": wait, "/v1/stream": flow}

        async def ask() -> Any:
            async with gateway.client.get(
                gateway.url("/v1/classes"), headers=gateway.bearer
            ) as response:
                return await response.json()

        asking = asyncio.create_task(ask())
        await arrived.acquire()
        async with gateway.client.get(gateway.url("/v1/stream"), headers=gateway.bearer) as stream:
            assert await stream.content.readany() == b"data: 1\n\n"
            gateway.process.send_signal(signal.SIGTERM)
            with pytest.raises(aiohttp.ClientPayloadError):
                await stream.content.read()
        await gateway.upstream.gone["/v1/stream"].wait()
        await eventually(lambda: refused(gateway))
        release.set()
        assert await asking == {"done": True}
        async with asyncio.timeout(10):
            assert (
                await gateway.process.wait() == -signal.SIGTERM
            )  # uvicorn ends by the signal itself, after its clean-up


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"GATEWAY_TRAINING_URL": None, "GATEWAY_PORT": "x"},
            ("GATEWAY_TRAINING_URL", "GATEWAY_PORT"),
        ),
        ({"BINA_ENVIRONMENT": "production"}, ("GATEWAY_DEVELOPMENT_KEY", "GATEWAY_STAFF_HOSTS")),
    ],
)
async def test_settings_that_cannot_be_used_are_all_named_and_no_secret_is_shown(
    tmp_path: Path, changed: dict[str, str | None], said: tuple[str, ...]
) -> None:
    environ = {
        name: value
        for name, value in (environment(tmp_path, "http://127.0.0.1:9", 9) | changed).items()
        if value is not None
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert [name for name in said if name not in errors.decode()] == [], errors.decode()
    assert "PRIVATE KEY" not in errors.decode()


async def test_an_invalid_routes_file_ends_the_start_with_its_mistakes(
    tmp_path: Path,
) -> None:
    environ = environment(tmp_path, "http://127.0.0.1:9", 9)
    (tmp_path / "routes.toml").write_text(ROUTES.replace("/v1/rare", "/rare"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "routes.toml cannot be used" in errors.decode()
    assert "/rare" in errors.decode()


def test_as_many_connections_are_held_as_the_machine_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
        started.raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_client_that_reads_nothing_of_a_response_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(started, "TCP_USER_TIMEOUT_MILLISECONDS", 500)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Exception | None] = loop.create_future()

    class FloodingProtocol(asyncio.Protocol):
        """Sends more than a client reads."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            cast("asyncio.Transport", transport).write(b"x" * 32 * MIB)
            transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            ended.set_result(exc)

    gateway_settings = settings(
        Keys.make(tmp_path),
        new_key(),
        "http://127.0.0.1:9",
        0,
        tmp_path,
        environment="development",
        host="127.0.0.1",
    )
    monkeypatch.setattr(type(gateway_settings), "ports", {0: Group.STAFF})
    [listening, *others] = started.open_sockets(gateway_settings)
    server = await loop.create_server(FloodingProtocol, sock=listening)
    with socket.create_connection(listening.getsockname()[:2]):
        async with asyncio.timeout(20):
            assert isinstance(await ended, TimeoutError)
    server.close()
    for other in others:
        other.close()
