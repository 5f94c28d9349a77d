"""What reaches a service, and how its response reaches the caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chassis.http.internal_tokens import InternalTokenVerifier
from gateway.host_group import Group
from tests.gateway.factories import before, nobody
from tests.gateway.harness import (
    MIB,
    GatewayHarness,
    fixed,
)


async def test_a_request_reaches_its_service_with_a_token_naming_the_caller(
    harness: GatewayHarness,
) -> None:
    response = await harness.ask(
        "GET", "/v1/classes/abc?limit=5", headers=harness.bearer(facility="LP-TJP")
    )
    assert response.status == 200
    assert response.content == {"method": "GET", "path": "/v1/classes/abc", "body": 0}
    token = harness.upstream.last.headers["authorization"].removeprefix("Bearer ")
    caller = InternalTokenVerifier("training", harness.keys.directory).caller(token)
    assert caller.role == "training_officer"
    assert caller.claims == {"facility": frozenset({"LP-TJP"})}
    assert "GET /v1/classes/{class_id}" in caller.permissions


async def test_a_public_route_is_served_to_anybody_as_the_public(harness: GatewayHarness) -> None:
    response = await harness.ask("GET", "/v1/products", group=Group.SHOP)
    assert response.status == 200
    caller = InternalTokenVerifier("marketplace", harness.keys.directory).caller(
        harness.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert (caller.subject, caller.role, caller.claims) == ("public", "public", {})


async def test_a_services_own_errors_reach_the_caller_as_they_are(harness: GatewayHarness) -> None:
    problem = {
        "type": "urn:bina:problem:class_full",
        "title": "Kelas sudah penuh",
        "status": 409,
        "code": "class_full",
    }
    harness.upstream.answers["/v1/classes"] = fixed(
        409, problem, {"content-type": "application/problem+json"}
    )
    response = await harness.ask("POST", "/v1/classes", headers=harness.bearer(), json={})
    assert (response.status, response.content, response.headers["content-type"]) == (
        409,
        problem,
        "application/problem+json",
    )


async def test_a_service_without_a_listener_is_503_with_retry_after(
    tmp_path: Path,
) -> None:
    async with before(nobody(), tmp_path) as harness:
        response = await harness.ask("GET", "/v1/classes", headers=harness.bearer())
        assert (response.status, response.content["code"], response.headers["retry-after"]) == (
            503,
            "service_away",
            "1",
        )
        assert (await harness.ask("GET", "/v1/products", group=Group.SHOP)).status == 200


async def test_a_response_that_breaks_off_is_cut_off_and_never_looks_whole(
    harness: GatewayHarness,
) -> None:
    async def broken(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": b'{"items": [', "more_body": True})
        raise ConnectionResetError

    harness.upstream.answers["/v1/classes"] = broken
    with pytest.raises(aiohttp.ClientPayloadError):
        await harness.ask("GET", "/v1/classes", headers=harness.bearer())


async def test_a_client_that_does_not_read_holds_the_service_back(harness: GatewayHarness) -> None:
    sent = 0
    stalled = asyncio.Event()

    async def flood(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64):
            try:
                async with asyncio.timeout(1):
                    await send(
                        {"type": "http.response.body", "body": b"x" * MIB, "more_body": True}
                    )
            except TimeoutError:
                stalled.set()
                return
            sent += 1

    harness.upstream.answers["/v1/downloads"] = flood
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port, limit=1024)
    writer.write(
        (
            "GET /v1/downloads HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {harness.token()}\r\n\r\n"
        ).encode()
    )
    await reader.readline()
    await stalled.wait()
    assert sent < 32
    writer.transport.abort()


async def test_20_mib_flow_through_both_ways_whole(harness: GatewayHarness) -> None:
    async def file() -> AsyncIterator[bytes]:
        for number in range(20):
            yield bytes([number]) * MIB

    async def give(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", str(20 * MIB).encode())],
            }
        )
        async for piece in file():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    response = await harness.ask("POST", "/v1/uploads", headers=harness.bearer(), data=file())
    assert (response.status, response.content["body"]) == (200, 20 * MIB)
    harness.upstream.answers["/v1/downloads"] = give
    response = await harness.ask("GET", "/v1/downloads", headers=harness.bearer())
    assert response.body == b"".join([piece async for piece in file()])


async def test_a_service_that_does_not_read_holds_the_client_back(harness: GatewayHarness) -> None:
    release = asyncio.Event()
    sent = 0

    async def hold(_scope: Any, _receive: Any, _send: Any) -> None:
        await release.wait()

    harness.upstream.answers["/v1/uploads"] = hold
    _, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    writer.write(
        (
            "POST /v1/uploads HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {harness.token()}\r\ncontent-length: {32 * MIB}\r\n\r\n"
        ).encode()
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


async def test_a_header_of_one_route_does_not_pass_on_another(harness: GatewayHarness) -> None:
    await harness.ask("GET", "/v1/classes", headers=harness.bearer() | {"x-signature": "abc"})
    assert "x-signature" not in harness.upstream.last.headers


async def test_an_address_inside_a_service_never_shows_in_location(harness: GatewayHarness) -> None:
    harness.upstream.answers["/v1/classes"] = fixed(
        201, {}, {"location": f"{harness.upstream.url}/v1/classes/abc"}
    )
    assert (await harness.ask("POST", "/v1/classes", headers=harness.bearer(), json={})).headers[
        "location"
    ] == "/v1/classes/abc"
