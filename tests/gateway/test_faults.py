"""Services that are away, slow or broken, and clients that leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY

from gateway.host_group import Group
from gateway.middleware import circuit_breaker, retries
from gateway.middleware.circuit_breaker import (
    MIN_VOLUME,
    OPEN_SECONDS,
    PROBES,
    WINDOW_SECONDS,
    CircuitBreaker,
    CircuitBreakerOpen,
    CircuitBreakers,
)
from gateway.problems import UpstreamUnavailable
from gateway.request_context import RequestContext
from gateway.routing import parser
from tests.fakes import eventually
from tests.gateway.harness import MIB, ROUTES, RULES, Stage, fixed, staged


@asynccontextmanager
async def breaking(failures: int, half: bytes = b"") -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A service that closes the first so many connections after it has read the request, without an answer or with half of one; gives its address and what it read."""
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
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
            )
        else:
            writer.write(half)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", read


@asynccontextmanager
async def before(url: str, directory: Path) -> AsyncGenerator[Stage]:
    """A gateway before a training service at this address."""
    async with staged(directory, training_url=url) as stage:
        yield stage


def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


async def test_a_service_that_is_not_there_is_503_with_the_time_to_come_back(
    tmp_path: Path,
) -> None:
    async with before(nobody(), tmp_path) as stage:
        told = await stage.ask("GET", "/v1/classes", headers=stage.bearer())
        assert (told.status, told.content["code"], told.headers["retry-after"]) == (
            503,
            "service_away",
            "1",
        )
        assert (await stage.ask("GET", "/v1/products", group=Group.SHOP)).status == 200


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("GET", {}),
        ("PUT", {"data": b"body"}),
        ("DELETE", {}),
        ("POST", {"data": b"body", "headers": {"idempotency-key": "k-1"}}),
    ],
)
async def test_what_may_be_repeated_is_tried_again_with_the_same_body(
    tmp_path: Path, method: str, more: dict[str, Any]
) -> None:
    async with breaking(2) as (url, read), before(url, tmp_path) as stage:
        path = "/v1/classes" if method == "POST" else "/v1/classes/a"
        told = await stage.ask(
            method, path, **(more | {"headers": stage.bearer() | more.get("headers", {})})
        )
        assert told.status == 200
        assert len(read) == 3
        assert len(set(read)) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_must_not_be_repeated_is_never_tried_again(tmp_path: Path, method: str) -> None:
    async with breaking(1) as (url, read), before(url, tmp_path) as stage:
        path = "/v1/classes" if method == "POST" else "/v1/classes/a"
        told = await stage.ask(method, path, headers=stage.bearer(), data=b"body")
        assert (told.status, told.content["code"]) == (502, "service_broke")
        assert len(read) == 1


async def test_a_body_too_large_to_keep_is_not_tried_again(tmp_path: Path) -> None:
    async with breaking(1) as (url, read), before(url, tmp_path) as stage:
        told = await stage.ask(
            "PUT",
            "/v1/classes/a",
            headers=stage.bearer(),
            data=b"x" * (retries.MAX_REPLAYED_BYTES + 1),
        )
        assert told.status == 502
        assert len(read) == 1


async def test_a_problem_that_breaks_off_leaves_nothing_in_the_answer_of_the_next_try(
    tmp_path: Path,
) -> None:
    half = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: 400\r\n\r\n{"
    async with breaking(1, half) as (url, read), staged(tmp_path, certification_url=url) as stage:
        told = await stage.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
        assert (told.status, told.body, len(read)) == (200, b"{}", 2)


async def test_three_tries_are_all(tmp_path: Path) -> None:
    async with breaking(9) as (url, read), before(url, tmp_path) as stage:
        assert (await stage.ask("GET", "/v1/classes", headers=stage.bearer())).status == 502
        assert len(read) == retries.MAX_ATTEMPTS


async def test_retries_stop_when_too_many_are_under_way() -> None:
    release, tries = asyncio.Event(), 0

    async def away(_scope: Any, _receive: Any, _send: Any) -> None:
        nonlocal tries
        tries += 1
        raise UpstreamUnavailable

    async def pause(_seconds: float) -> None:
        await release.wait()

    layer = retries.Retries(away, pause)
    asked = [asyncio.create_task(layer(repeatable_scope(), nothing, nothing)) for _ in range(10)]

    async def refused() -> int:
        return sum(task.done() for task in asked)

    async def all_asked() -> bool:
        return tries == 10

    await eventually(all_asked)
    assert await eventually(refused) == 10 - retries.MIN_BUDGET
    release.set()
    await asyncio.gather(*asked, return_exceptions=True)
    assert tries == 10 + 2 * retries.MIN_BUDGET


def repeatable_scope(path: str = "/v1/classes") -> dict[str, Any]:
    """The scope of a GET with a route."""
    found = parser.parse_routes(ROUTES, RULES).match(Group.STAFF, path)
    assert found
    return {
        "type": "http",
        "headers": [],
        "request_context": RequestContext(
            group=Group.STAFF, started_at=0.0, address="", route=found["GET"]
        ),
    }


async def nothing(*_: Any) -> Any:
    return {"type": "http.request", "body": b""}


# The breaker


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    for _ in range(MIN_VOLUME):
        breaker.record(breaker.admit(), has_answered=False)
    return breaker


def test_a_breaker_opens_only_with_volume_and_share() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for number in range(MIN_VOLUME - 1):
        breaker.record(breaker.admit(), has_answered=number % 2 == 0)
    assert not breaker.is_open
    breaker.record(breaker.admit(), has_answered=False)
    assert breaker.is_open
    mostly_well = CircuitBreaker(clock)
    for number in range(200):
        mostly_well.record(mostly_well.admit(), has_answered=number % 3 != 0)
    assert not mostly_well.is_open


def test_an_open_breaker_is_told_of() -> None:
    async def nothing(*_: Any) -> None: ...

    breakers = CircuitBreakers(nothing, ["gauged"], Clock()).breakers
    for told in (0, 1):
        assert (
            REGISTRY.get_sample_value("gateway_circuit_breaker_open", {"service": "gauged"}) == told
        )
        for _ in range(MIN_VOLUME * (1 - told)):
            breakers["gauged"].record(breakers["gauged"].admit(), has_answered=False)


def test_failures_of_an_earlier_window_do_not_open_a_breaker() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(MIN_VOLUME - 1):
        breaker.record(breaker.admit(), has_answered=False)
    clock.now += WINDOW_SECONDS + 1
    breaker.record(breaker.admit(), has_answered=False)
    assert not breaker.is_open


def test_an_open_breaker_refuses_until_its_time_then_lets_a_few_probes_through_and_closes_when_they_are_answered() -> (
    None
):
    clock = Clock()
    breaker = opened(clock)
    with pytest.raises(CircuitBreakerOpen) as refused:
        breaker.admit()
    assert refused.value.retry_after == OPEN_SECONDS
    clock.now += OPEN_SECONDS
    tickets = [breaker.admit() for _ in range(PROBES)]
    with pytest.raises(CircuitBreakerOpen):
        breaker.admit()
    for ticket in tickets:
        breaker.record(ticket, has_answered=True)
    assert not breaker.is_open


def test_a_probe_without_an_answer_opens_it_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += OPEN_SECONDS
    breaker.record(breaker.admit(), has_answered=False)
    with pytest.raises(CircuitBreakerOpen):
        breaker.admit()


def test_a_probe_whose_client_left_gives_its_place_back() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += OPEN_SECONDS
    for _ in range(PROBES + 1):
        breaker.record(breaker.admit(), has_answered=None)
    assert breaker.is_open


def test_what_began_before_the_breaker_opened_says_nothing_about_a_probe() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    early = breaker.admit()
    for _ in range(MIN_VOLUME):
        breaker.record(breaker.admit(), has_answered=False)
    clock.now += OPEN_SECONDS
    for _ in range(PROBES):
        breaker.record(early, has_answered=True)
    assert breaker.is_open


async def test_after_many_failures_the_service_is_left_alone_and_other_services_are_not(
    tmp_path: Path,
) -> None:
    async with breaking(1_000) as (url, read), before(url, tmp_path) as stage:
        for _ in range(MIN_VOLUME):
            await stage.ask("POST", "/v1/classes", headers=stage.bearer(), data=b"")
        reached = len(read)
        told = await stage.ask("POST", "/v1/classes", headers=stage.bearer(), data=b"")
        assert (told.status, told.content["code"]) == (503, "breaker_open")
        assert len(read) == reached == MIN_VOLUME
        assert (await stage.ask("GET", "/v1/products", group=Group.SHOP)).status == 200


async def test_errors_that_a_service_wrote_itself_do_not_open_its_breaker(stage: Stage) -> None:
    stage.upstream.answers["/v1/classes"] = fixed(500, {})
    for _ in range(circuit_breaker.MIN_VOLUME * 2):
        assert (await stage.ask("GET", "/v1/classes", headers=stage.bearer())).status == 500


# Clients that leave, answers that break off


async def test_a_client_that_leaves_ends_the_work_at_the_service(stage: Stage) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def wait(_scope: Any, receive: Any, _send: Any) -> None:
        arrived.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    stage.upstream.answers["/v1/classes"] = wait
    asking = asyncio.create_task(stage.ask("GET", "/v1/classes", headers=stage.bearer()))
    await arrived.wait()
    asking.cancel()
    await left.wait()


async def test_a_client_that_leaves_in_the_middle_of_its_upload_ends_it_at_the_service(
    stage: Stage,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    del reader
    writer.write(
        f"POST /v1/uploads HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {stage.token()}\r\ncontent-length: 1000000\r\n\r\n".encode()
        + b"x" * 100_000
    )
    await writer.drain()
    writer.transport.abort()
    await stage.upstream.gone["/v1/uploads"].wait()


async def test_an_answer_that_breaks_off_is_cut_off_and_never_looks_whole(stage: Stage) -> None:
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
    sent, stalled = 0, asyncio.Event()

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
        f"GET /v1/downloads HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {stage.token()}\r\n\r\n".encode()
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

    told = await stage.ask("POST", "/v1/uploads", headers=stage.bearer(), data=file())
    assert (told.status, told.content["body"]) == (200, 20 * MIB)
    stage.upstream.answers["/v1/downloads"] = give
    told = await stage.ask("GET", "/v1/downloads", headers=stage.bearer())
    assert told.body == b"".join([piece async for piece in file()])
