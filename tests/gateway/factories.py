"""Services, ASGI scopes and raw requests that several tests need. Not here: tests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.host_group import Group
from gateway.request_context import RequestContext
from gateway.routing import parser
from tests.gateway.harness import (
    ROUTES,
    RULES,
    GatewayHarness,
    answer,
    running_gateway,
)


@asynccontextmanager
async def before(url: str, directory: Path) -> AsyncGenerator[GatewayHarness]:
    """Start a gateway whose training service has this URL."""
    async with running_gateway(directory, training_url=url) as harness:
        yield harness


def nobody() -> str:
    """Return a URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def breaking(failures: int, half: bytes = b"") -> AsyncGenerator[tuple[str, list[bytes]]]:
    """Run a service that closes its first connections after the request.

    Before it closes one it sends `half`. Yields its URL and the requests that it read.
    """
    read: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            ),
            0,
        )
        body = await reader.readexactly(length)
        if b"chunked" in head.lower():
            body = await reader.readuntil(b"0\r\n\r\n")
        read.append(head.split(b"\r\n")[0] + b"|" + body)
        if len(read) > failures:
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
                b"connection: close\r\n\r\n{}"
            )
        else:
            writer.write(half)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", read


async def nothing(*_: Any) -> Any:
    return {"type": "http.request", "body": b""}


def repeatable_scope(path: str = "/v1/classes") -> dict[str, Any]:
    """Return the ASGI scope of a GET with a route."""
    found = parser.parse_routes(ROUTES, RULES).match(Group.STAFF, path)
    assert found
    return {
        "type": "http",
        "headers": [],
        "request_context": RequestContext(
            group=Group.STAFF, started_at=0.0, address="", route=found["GET"]
        ),
    }


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def pieces(count: int, size: int = 4096) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def held(harness: GatewayHarness, path: str) -> tuple[asyncio.Event, asyncio.Semaphore]:
    """Let the service hold requests of this path until the event is set.

    The semaphore counts the requests that have arrived.
    """
    release = asyncio.Event()
    arrived = asyncio.Semaphore(0)

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        arrived.release()
        await release.wait()
        await answer(send, 200, {})

    harness.upstream.answers[path] = wait
    return release, arrived


async def raw(harness: GatewayHarness, request: str, group: Group = Group.STAFF) -> str:
    """Send exactly these bytes and return the whole response."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", harness.port + list(Group).index(group)
    )
    writer.write(request.encode())
    response = await reader.read()
    writer.close()
    return response.decode()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends, also by a reset."""
    response = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            response += piece
    return bytes(response)
