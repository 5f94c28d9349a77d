"""A service whose process is killed while a request body is written to it."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ops.local import platform_checks
from tests.gateway.test_process import GatewayProcess, running

PIECE = b"x" * 65_536
SERVICE = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
print("ready", flush=True)
connection, _ = listener.accept()
print("received" if connection.recv(1) else "ended", flush=True)
while sys.argv[1] == "reads":
    connection.recv(65536)
sys.stdin.read()
"""


@asynccontextmanager
async def service(habit: str, port: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a service that accepts one connection at this port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVICE,
        habit,
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await _said(process, b"ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _said(process: asyncio.subprocess.Process, line: bytes) -> None:
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == line


async def upload(
    gateway: GatewayProcess, process: asyncio.subprocess.Process, pieces: int
) -> tuple[int, str]:
    """Upload; kill the service after `pieces` further pieces. Return status and code."""

    async def body() -> AsyncIterator[bytes]:
        yield PIECE
        await _said(process, b"received")
        for _ in range(pieces):
            yield PIECE
        process.kill()
        for _ in range(64):
            yield PIECE

    async with gateway.client.post(
        gateway.url("/v1/uploads"), headers=gateway.bearer, data=body()
    ) as response:
        return response.status, (await response.json(content_type=None))["code"]


async def test_a_service_killed_in_an_upload_is_502(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    """The service reads the body, or leaves it in the buffers of its socket."""
    port = platform_checks.find_free_port_range(1)
    url = f"http://127.0.0.1:{port}"
    async with running(tmp_path, mongo_url, database, GATEWAY_TRAINING_URL=url) as gateway:
        for habit, pieces in itertools.product(("reads", "waits"), (0, 1, 4, 12)):
            async with service(habit, port) as process:
                response = await upload(gateway, process, pieces)
            assert response == (502, "service_broke"), (habit, pieces)
