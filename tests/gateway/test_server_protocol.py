"""What a client may do with a connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.host_group import Group
from gateway.server_protocol import MAX_HEAD_BYTES, GuardedProtocol
from tests.gateway.factories import all_of, raw
from tests.gateway.harness import (
    GatewayHarness,
)

ASKED = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"


WITH_BODY = b"POST /v1/nothing HTTP/1.1\r\nhost: %s\r\ncontent-length: 100\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(ASKED, b"\r\n", id="an empty line"),
        pytest.param(WITH_BODY % b"localhost", b"x", id="the rest of a body that was refused"),
        pytest.param(WITH_BODY % b"evil.example", b"x", id="the rest of a body for another host"),
    ],
)
async def test_bytes_that_belong_to_no_request_do_not_keep_a_connection(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch, first: bytes, then: bytes
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_timeout_seconds", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    writer.write(first)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(then)
    async with asyncio.timeout(5):
        await all_of(reader)
    writer.close()


async def test_a_request_ahead_of_the_response_closes_the_connection(
    harness: GatewayHarness,
) -> None:
    release = asyncio.Event()

    async def wait(_scope: Any, _receive: Any, _send: Any) -> None:
        await release.wait()

    harness.upstream.answers["/v1/products"] = wait
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    writer.write(b"GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\n\r\n" + ASKED)
    async with asyncio.timeout(10):
        received = await all_of(reader)
    release.set()
    writer.close()
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


async def test_an_upgrade_is_ignored_and_refused_if_it_has_a_body(
    harness: GatewayHarness,
) -> None:
    wish = (
        "host: localhost\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
        "http2-settings: AAMAAABkAAQAAP__\r\n"
    )
    async with asyncio.timeout(5):
        response = await raw(
            harness, f"GET /v1/products HTTP/1.1\r\n{wish}\r\n{ASKED.decode()}", Group.SHOP
        )
        assert (response[:13], response.count("HTTP/1.1 ")) == ("HTTP/1.1 200 ", 1)
        response = await raw(
            harness,
            f"POST /v1/payments/notifications HTTP/1.1\r\n{wish}content-length: 5\r\n\r\nhello",
            Group.SHOP,
        )
        assert (response[:13], response.count("HTTP/1.1 ")) == ("HTTP/1.1 400 ", 1)


async def test_a_head_beyond_the_limit_closes_the_connection(
    harness: GatewayHarness,
) -> None:
    for head in (
        f"GET /v1/classes HTTP/1.1\r\nhost: 127.0.0.1\r\nx: {'x' * MAX_HEAD_BYTES}\r\n\r\n",
        "GET /v1/classes HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + "x" * MAX_HEAD_BYTES * 2,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
        writer.write(head.encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
    assert harness.upstream.seen == []


async def test_a_head_that_is_late_closes_the_connection(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_timeout_seconds", 0.05)
    for said in (b"", b"GET /v1/classes HTTP/1.1\r\nhost: 127.0.0.1\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
        writer.write(said)
        assert await reader.read() == b""
        writer.close()


async def test_a_later_head_that_is_late_closes_the_connection(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_timeout_seconds", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    writer.write(b"GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\n\r\n")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET /v1/products HTTP/1.1\r\nhost: shop")
    assert b"HTTP/1.1" not in await reader.read()
    writer.close()


async def test_a_second_request_on_a_connection_has_its_own_time_and_limit(
    harness: GatewayHarness,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    head = (
        f"GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\nx: {'x' * (MAX_HEAD_BYTES // 2)}\r\n"
    )
    writer.write(f"{head}\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(f"{head}connection: close\r\n\r\n".encode())
    assert b"HTTP/1.1 200 " in await reader.read()
    writer.close()
