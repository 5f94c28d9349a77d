"""Open-ended answers: what ends them, and what they must not hold up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.middleware import circuit_breaker
from gateway.middleware.circuit_breaker import OPEN_SECONDS, PROBES, CircuitBreaker
from tests.fakes import eventually
from tests.gateway.harness import Stage, answer
from tests.gateway.test_faults import Clock, nothing, opened, repeatable_scope


@asynccontextmanager
async def streaming(stage: Stage) -> AsyncGenerator[aiohttp.ClientResponse]:
    """An open-ended answer whose first piece has come."""

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
        stage.upstream.gone["/v1/stream"].set()

    stage.upstream.answers["/v1/stream"] = flow
    async with stage.client.get(
        stage.url("/v1/stream"), headers=stage.bearer(subject="officer")
    ) as response:
        assert await response.content.readany() == b"data: 1\n\n"
        yield response


async def test_a_stream_ends_when_its_caller_is_revoked_and_others_flow_on(stage: Stage) -> None:
    async with streaming(stage) as response:
        stage.withdrawn.replace_all([], [("somebody else", 2e9)])
        stage.door.open_streams.cancel_revoked(time.time())
        assert len(stage.door.open_streams.cancellers) == 1
        stage.withdrawn.replace_all([], [("officer", 2e9)])
        stage.door.open_streams.cancel_revoked(time.time())
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
    await stage.upstream.gone["/v1/stream"].wait()
    assert not stage.door.open_streams.cancellers


async def test_draining_ends_streams_and_lets_the_rest_finish(stage: Stage) -> None:
    release, arrived = asyncio.Event(), asyncio.Event()

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        arrived.set()
        await release.wait()
        await answer(send, 200, {})

    stage.upstream.answers["/v1/classes"] = wait
    asking = asyncio.create_task(stage.ask("GET", "/v1/classes", headers=stage.bearer()))
    await arrived.wait()
    async with streaming(stage) as response:
        stage.door.open_streams.cancel_all()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
        told = await stage.ask("GET", "/v1/stream", headers=stage.bearer())
        assert (told.status, told.content["code"]) == (503, "service_away"), "none begins any more"
    release.set()
    assert (await asking).status == 200


async def test_answers_that_flow_for_hours_do_not_hold_up_the_probes_of_others() -> None:
    clock, flowing = Clock(), asyncio.Event()

    async def flow(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await flowing.wait()

    layer = circuit_breaker.CircuitBreakers(flow, ("training",), clock)
    layer.breakers["training"] = opened(clock)
    clock.now += OPEN_SECONDS
    streams = [
        asyncio.create_task(layer(repeatable_scope("/v1/stream"), nothing, nothing))
        for _ in range(PROBES)
    ]
    await eventually(lambda: _closed(layer.breakers["training"]), seconds=3)
    flowing.set()
    await asyncio.gather(*streams)
    assert not layer.breakers["training"].is_open


async def _closed(breaker: CircuitBreaker) -> bool:
    return not breaker.is_open
