"""What an attacker does with a connection itself, and what the gateway holds for one that asks nothing or takes nothing."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

import gateway.__main__ as started
from gateway.host_group import Group
from gateway.server_protocol import GuardedProtocol
from tests.fakes import Keys
from tests.gateway.harness import MIB, Stage, new_key, settings
from tests.gateway.test_hosts import raw

ASKED = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
WITH_BODY = b"POST /v1/nothing HTTP/1.1\r\nhost: %s\r\ncontent-length: 100\r\n\r\n"


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, also by a reset."""
    told = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            told += piece
    return bytes(told)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(ASKED, b"\r\n", id="an empty line"),
        pytest.param(WITH_BODY % b"localhost", b"x", id="the rest of a body that was refused"),
        pytest.param(WITH_BODY % b"evil.example", b"x", id="the rest of a body for another host"),
    ],
)
async def test_bytes_that_belong_to_no_request_do_not_keep_a_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, first: bytes, then: bytes
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_timeout_seconds", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(first)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(then)
    async with asyncio.timeout(5):
        await all_of(reader)
    writer.close()


async def test_a_request_sent_ahead_of_the_answer_closes_the_connection(stage: Stage) -> None:
    release = asyncio.Event()

    async def wait(_scope: Any, _receive: Any, _send: Any) -> None:
        await release.wait()

    stage.upstream.answers["/v1/products"] = wait
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(b"GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\n\r\n" + ASKED)
    async with asyncio.timeout(10):
        received = await all_of(reader)
    release.set()
    writer.close()
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


async def test_another_protocol_is_not_spoken_and_a_body_behind_the_wish_for_it_is_refused_at_once(
    stage: Stage,
) -> None:
    wish = "host: localhost\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
    async with asyncio.timeout(5):
        told = await raw(
            stage, f"GET /v1/products HTTP/1.1\r\n{wish}\r\n{ASKED.decode()}", Group.SHOP
        )
        assert (told[:13], told.count("HTTP/1.1 ")) == ("HTTP/1.1 200 ", 1)
        told = await raw(
            stage,
            f"POST /v1/payments/notifications HTTP/1.1\r\n{wish}content-length: 5\r\n\r\nhello",
            Group.SHOP,
        )
        assert (told[:13], told.count("HTTP/1.1 ")) == ("HTTP/1.1 400 ", 1)


async def test_a_service_that_does_not_read_holds_the_client_back(stage: Stage) -> None:
    release, sent = asyncio.Event(), 0

    async def hold(_scope: Any, _receive: Any, _send: Any) -> None:
        await release.wait()

    stage.upstream.answers["/v1/uploads"] = hold
    _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(
        f"POST /v1/uploads HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {stage.token()}\r\ncontent-length: {32 * MIB}\r\n\r\n".encode()
    )
    with suppress(TimeoutError):
        while sent < 32:
            async with asyncio.timeout(1):
                writer.write(b"x" * MIB)
                await writer.drain()
            sent += 1
    assert sent < 24
    release.set()
    writer.transport.abort()


def test_as_many_connections_are_held_as_the_machine_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
        started.raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_whoever_takes_nothing_of_an_answer_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(started, "TCP_USER_TIMEOUT_MILLISECONDS", 500)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Exception | None] = loop.create_future()

    class Generous(asyncio.Protocol):
        """Gives much to whoever comes."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            cast("asyncio.Transport", transport).write(b"x" * 32 * MIB)
            transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            ended.set_result(exc)

    told = settings(
        Keys.make(tmp_path),
        new_key(),
        "http://127.0.0.1:9",
        0,
        tmp_path,
        environment="development",
        host="127.0.0.1",
    )
    monkeypatch.setattr(type(told), "ports", {0: Group.STAFF})
    [listening, *others] = started.open_sockets(told)
    server = await loop.create_server(Generous, sock=listening)
    with socket.create_connection(listening.getsockname()[:2]):
        async with asyncio.timeout(20):
            assert isinstance(await ended, TimeoutError)
    server.close()
    for other in others:
        other.close()
