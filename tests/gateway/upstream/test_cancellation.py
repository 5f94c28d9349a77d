"""What ends a request: the client leaves, the caller is revoked, the gateway drains."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.gateway.harness import GatewayHarness, answer


@asynccontextmanager
async def streaming(harness: GatewayHarness) -> AsyncGenerator[aiohttp.ClientResponse]:
    """Request an endless response and yield it once its first chunk has arrived."""

    async def flow(_scope: Any, receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        harness.upstream.gone["/v1/stream"].set()

    harness.upstream.answers["/v1/stream"] = flow
    async with harness.client.get(
        harness.url("/v1/stream"), headers=harness.bearer(subject="officer")
    ) as response:
        assert await response.content.readany() == b"data: 1\n\n"
        yield response


async def test_a_client_that_leaves_ends_the_request_at_the_service(
    harness: GatewayHarness,
) -> None:
    arrived = asyncio.Event()
    left = asyncio.Event()

    async def wait(_scope: Any, receive: Any, _send: Any) -> None:
        arrived.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    harness.upstream.answers["/v1/classes"] = wait
    asking = asyncio.create_task(harness.ask("GET", "/v1/classes", headers=harness.bearer()))
    await arrived.wait()
    asking.cancel()
    await left.wait()


async def test_a_client_that_leaves_its_upload_ends_it_at_the_service(
    harness: GatewayHarness,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    del reader
    writer.write(
        (
            "POST /v1/uploads HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {harness.token()}\r\ncontent-length: 1000000\r\n\r\n"
        ).encode()
        + b"x" * 100_000
    )
    await writer.drain()
    writer.transport.abort()
    await harness.upstream.gone["/v1/uploads"].wait()


async def test_a_stream_ends_when_its_caller_is_revoked_and_others_continue(
    harness: GatewayHarness,
) -> None:
    async with streaming(harness) as response:
        harness.withdrawn.replace_all([], [("somebody else", 2e9)])
        harness.gateway.open_streams.cancel_revoked(time.time())
        assert len(harness.gateway.open_streams.cancellers) == 1
        harness.withdrawn.replace_all([], [("officer", 2e9)])
        harness.gateway.open_streams.cancel_revoked(time.time())
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
    await harness.upstream.gone["/v1/stream"].wait()
    assert not harness.gateway.open_streams.cancellers


async def test_draining_ends_streams_and_lets_the_rest_finish(harness: GatewayHarness) -> None:
    release = asyncio.Event()
    arrived = asyncio.Event()

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        arrived.set()
        await release.wait()
        await answer(send, 200, {})

    harness.upstream.answers["/v1/classes"] = wait
    asking = asyncio.create_task(harness.ask("GET", "/v1/classes", headers=harness.bearer()))
    await arrived.wait()
    async with streaming(harness) as response:
        harness.gateway.open_streams.cancel_all()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
        refusal = await harness.ask("GET", "/v1/stream", headers=harness.bearer())
        assert (refusal.status, refusal.content["code"]) == (503, "service_away"), (
            "none begins any more"
        )
    release.set()
    assert (await asking).status == 200
