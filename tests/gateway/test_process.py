"""The gateway as a process of its own: what it listens on, how much it holds, how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.authn import issue_development_token
from gateway.routing import parser
from gateway.server_protocol import MAX_HEAD_BYTES, GuardedProtocol
from tests.fakes import Keys, eventually
from tests.gateway.harness import (
    MIB,
    ROUTES,
    RULES,
    SmallUpstream,
    Stage,
    answer,
    free_ports,
    new_key,
    served,
)

START = "from gateway.__main__ import main; from tests.gateway.harness import RULES; main(RULES)"
SIZE = 100 * MIB
ROUTE_COUNT = len(parser.parse_routes(ROUTES, RULES).routes)


@dataclass
class Running:
    """A gateway process."""

    process: asyncio.subprocess.Process
    port: int
    client: aiohttp.ClientSession
    bearer: dict[str, str]
    upstream: SmallUpstream

    def url(self, path: str, offset: int = 0) -> str:
        """The address of a path at the port base + offset."""
        return f"http://127.0.0.1:{self.port + offset}{path}"

    def most_memory(self) -> int:
        """The most bytes the process ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


def environment(
    directory: Path,
    upstream: str,
    port: int,
    mongo_url: str = "mongodb://127.0.0.1:9/",
    database: str = "gateway",
) -> dict[str, str]:
    """What a gateway process is told; Kafka is out of reach."""
    keys, issuer_key = Keys.make(directory), new_key()
    (directory / "routes.toml").write_text(ROUTES)
    told = keys.settings("gateway", mongo_url=mongo_url, database=database, kafka="127.0.0.1:9")
    own = {
        f"GATEWAY_{name.upper()}": str(value)
        for name, value in told.items()
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


@asynccontextmanager
async def running(directory: Path, mongo_url: str, database: str) -> AsyncGenerator[Running]:
    """A process before a small upstream."""
    upstream = SmallUpstream()
    [own] = free_ports(1)
    upstream.url = f"http://127.0.0.1:{own.getsockname()[1]}"
    taken = free_ports(10)
    port = taken[0].getsockname()[1]
    for one in taken:
        one.close()
    told = environment(directory, upstream.url, port, mongo_url, database)
    async with (
        served(upstream, [own]),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client,
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", START, env=told, stdout=asyncio.subprocess.DEVNULL
        )
        bearer = {
            "authorization": f"Bearer {issue_development_token(told['GATEWAY_DEVELOPMENT_KEY'], 'training_officer', {'facility': 'LP-TJP'})}"
        }
        found = Running(process, port, client, bearer, upstream)
        try:
            await eventually(lambda: ready(found), seconds=60)
            yield found
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def ready(found: Running) -> bool:
    """Whether it is open."""
    assert found.process.returncode is None, "the process ended"
    try:
        async with found.client.get(found.url("/readyz")) as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def test_one_process_serves_the_host_groups_and_its_internal_side_at_their_ports(
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
        assert (
            'gateway_request_seconds_count{group="certificate",method="GET",route="/V/{token}",status="200"} 1.0'
            in metrics
        )
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


async def test_the_first_signal_lets_work_finish_ends_streams_and_takes_no_more(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    release, arrived = asyncio.Event(), asyncio.Semaphore(0)

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
            )  # as uvicorn ends: by the signal itself, once all is done


async def refused(gateway: Running) -> bool:
    """Whether new connections are refused."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


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
    told = {
        name: value
        for name, value in (environment(tmp_path, "http://127.0.0.1:9", 9) | changed).items()
        if value is not None
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=told, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert [name for name in said if name not in errors.decode()] == [], errors.decode()
    assert "PRIVATE KEY" not in errors.decode()


async def test_a_routes_file_that_cannot_be_used_at_the_start_ends_the_process_with_its_mistakes(
    tmp_path: Path,
) -> None:
    told = environment(tmp_path, "http://127.0.0.1:9", 9)
    (tmp_path / "routes.toml").write_text(ROUTES.replace("/v1/rare", "/rare"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=told, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "routes.toml cannot be used" in errors.decode()
    assert "/rare" in errors.decode()


# The protocol's own limits


async def test_a_request_head_beyond_the_limit_closes_the_connection_however_it_comes(
    stage: Stage,
) -> None:
    for head in (
        f"GET /v1/classes HTTP/1.1\r\nhost: 127.0.0.1\r\nx: {'x' * MAX_HEAD_BYTES}\r\n\r\n",
        "GET /v1/classes HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + "x" * MAX_HEAD_BYTES * 2,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(head.encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
    assert stage.upstream.seen == []


async def test_a_head_that_does_not_come_in_time_closes_the_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_timeout_seconds", 0.05)
    for said in (b"", b"GET /v1/classes HTTP/1.1\r\nhost: 127.0.0.1\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(said)
        assert await reader.read() == b""
        writer.close()


async def test_a_later_head_that_does_not_come_in_time_closes_its_connection_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_timeout_seconds", 0.05)
    whole, begun = (
        b"GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\n\r\n",
        b"GET /v1/products HTTP/1.1\r\nhost: shop",
    )
    for first, second in ((whole, begun), (whole + begun, b"")):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(first)
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(second)
        assert b"HTTP/1.1" not in await reader.read()
        writer.close()


async def test_a_second_request_on_a_connection_has_its_own_time_and_limit(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    head = (
        f"GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\nx: {'x' * (MAX_HEAD_BYTES // 2)}\r\n"
    )
    writer.write(f"{head}\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(f"{head}connection: close\r\n\r\n".encode())
    assert b"HTTP/1.1 200 " in await reader.read()
    writer.close()


class Wire(asyncio.Transport):
    """What is written to a connection, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


async def test_an_answers_head_leaves_with_its_body_but_does_not_wait_for_a_late_one() -> None:
    late = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
        )
        if scope["path"] == "/late":
            await late.wait()
        await send({"type": "http.response.body", "body": b"ok"})

    async def written(count: int) -> bool:
        return len(wire.written) == count

    config, wire = uvicorn.Config(app, lifespan="off", log_config=None), Wire()
    config.load()
    protocol = GuardedProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await eventually(lambda: written(1))
    assert wire.written[0].startswith(b"HTTP/1.1 200 ")
    assert wire.written[0].endswith(b"\r\n\r\nok")
    protocol.data_received(b"GET /late HTTP/1.1\r\nhost: x\r\n\r\n")
    await eventually(lambda: written(2))
    assert wire.written[1].endswith(b"\r\n\r\n")
    late.set()
    await eventually(lambda: written(3))
    protocol.data_received(b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    await eventually(lambda: written(4))
    assert wire.closed
    assert wire.written[2] == b"ok"
    assert wire.written[3].endswith(b"connection: close\r\n\r\n")
    protocol.connection_lost(None)
