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
    Stage,
    fixed,
)


async def test_a_request_reaches_its_service_with_a_token_naming_the_caller(
    stage: Stage,
) -> None:
    response = await stage.ask(
        "GET", "/v1/classes/abc?limit=5", headers=stage.bearer(facility="LP-TJP")
    )
    assert response.status == 200
    assert response.content == {"method": "GET", "path": "/v1/classes/abc", "body": 0}
    token = stage.upstream.last.headers["authorization"].removeprefix("Bearer ")
    caller = InternalTokenVerifier("training", stage.keys.directory).caller(token)
    assert caller.role == "training_officer"
    assert caller.claims == {"facility": frozenset({"LP-TJP"})}
    assert "GET /v1/classes/{class_id}" in caller.permissions


async def test_a_public_route_is_served_to_anybody_as_the_public(stage: Stage) -> None:
    response = await stage.ask("GET", "/v1/products", group=Group.SHOP)
    assert response.status == 200
    caller = InternalTokenVerifier("marketplace", stage.keys.directory).caller(
        stage.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert (caller.subject, caller.role, caller.claims) == ("public", "public", {})


async def test_a_services_own_errors_reach_the_caller_as_they_are(stage: Stage) -> None:
    problem = {
        "type": "urn:bina:problem:class_full",
        "title": "Kelas sudah penuh",
        "status": 409,
        "code": "class_full",
    }
    stage.upstream.answers["/v1/classes"] = fixed(
        409, problem, {"content-type": "application/problem+json"}
    )
    response = await stage.ask("POST", "/v1/classes", headers=stage.bearer(), json={})
    assert (response.status, response.content, response.headers["content-type"]) == (
        409,
        problem,
        "application/problem+json",
    )


async def test_a_service_without_a_listener_is_503_with_retry_after(
    tmp_path: Path,
) -> None:
    async with before(nobody(), tmp_path) as stage:
        response = await stage.ask("GET", "/v1/classes", headers=stage.bearer())
        assert (response.status, response.content["code"], response.headers["retry-after"]) == (
            503,
            "service_away",
            "1",
        )
        assert (await stage.ask("GET", "/v1/products", group=Group.SHOP)).status == 200


async def test_a_response_that_breaks_off_is_cut_off_and_never_looks_whole(stage: Stage) -> None:
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

    stage.upstream.answers["/v1/classes"] = broken
    with pytest.raises(aiohttp.ClientPayloadError):
        await stage.ask("GET", "/v1/classes", headers=stage.bearer())


async def test_a_client_that_does_not_read_holds_the_service_back(stage: Stage) -> None:
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

    stage.upstream.answers["/v1/downloads"] = flood
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, limit=1024)
    writer.write(
        (
            "GET /v1/downloads HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {stage.token()}\r\n\r\n"
        ).encode()
    )
    await reader.readline()
    await stalled.wait()
    assert sent < 32
    writer.transport.abort()


async def test_20_mib_flow_through_both_ways_whole(stage: Stage) -> None:
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

    response = await stage.ask("POST", "/v1/uploads", headers=stage.bearer(), data=file())
    assert (response.status, response.content["body"]) == (200, 20 * MIB)
    stage.upstream.answers["/v1/downloads"] = give
    response = await stage.ask("GET", "/v1/downloads", headers=stage.bearer())
    assert response.body == b"".join([piece async for piece in file()])


async def test_a_service_that_does_not_read_holds_the_client_back(stage: Stage) -> None:
    release = asyncio.Event()
    sent = 0

    async def hold(_scope: Any, _receive: Any, _send: Any) -> None:
        await release.wait()

    stage.upstream.answers["/v1/uploads"] = hold
    _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(
        (
            "POST /v1/uploads HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {stage.token()}\r\ncontent-length: {32 * MIB}\r\n\r\n"
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


async def test_a_header_of_one_route_does_not_pass_on_another(stage: Stage) -> None:
    await stage.ask("GET", "/v1/classes", headers=stage.bearer() | {"x-signature": "abc"})
    assert "x-signature" not in stage.upstream.last.headers


async def test_an_address_inside_a_service_never_shows_in_location(stage: Stage) -> None:
    stage.upstream.answers["/v1/classes"] = fixed(
        201, {}, {"location": f"{stage.upstream.url}/v1/classes/abc"}
    )
    assert (await stage.ask("POST", "/v1/classes", headers=stage.bearer(), json={})).headers[
        "location"
    ] == "/v1/classes/abc"
