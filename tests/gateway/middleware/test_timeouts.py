"""The deadline of a request."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.gateway.factories import held
from tests.gateway.harness import GatewayHarness


async def test_a_slow_service_is_504_at_the_deadline_that_it_received(
    harness: GatewayHarness,
) -> None:
    _, arrived = await held(harness, "/v1/slow")
    began = time.time()
    response = await harness.ask("GET", "/v1/slow", headers=harness.bearer())
    assert (response.status, response.content["code"]) == (504, "deadline_passed")
    await arrived.acquire()
    deadline = int(harness.upstream.last.headers["x-request-deadline"]) / 1000
    assert began < deadline < began + 1


async def test_a_body_that_is_incomplete_at_the_deadline_is_408(harness: GatewayHarness) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    writer.write(
        (
            "POST /v1/slow HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {harness.token()}\r\ncontent-length: 10\r\n\r\nx"
        ).encode()
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_an_open_ended_response_may_outlast_the_deadline(harness: GatewayHarness) -> None:
    release = asyncio.Event()
    file = harness.routes_file
    file.write_text(
        file.read_text().replace("streaming = true", "streaming = true\ndeadline = 0.2")
    )
    assert harness.gateway.route_reloader.refresh()

    async def flow(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await release.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    harness.upstream.answers["/v1/stream"] = flow
    async with harness.client.get(harness.url("/v1/stream"), headers=harness.bearer()) as response:
        assert await response.content.readany() == b"data: 1\n\n"
        asyncio.get_running_loop().call_later(0.3, release.set)
        assert await response.content.read() == b"data: 2\n\n"
