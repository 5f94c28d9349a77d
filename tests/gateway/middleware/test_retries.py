"""Repeats of requests that got no response, and their budget."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.host_group import Group
from gateway.middleware import retries
from gateway.problems import UpstreamUnavailable
from tests.fakes import eventually
from tests.gateway.factories import before, breaking, nothing, repeatable_scope
from tests.gateway.harness import running_gateway


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("GET", {}),
        ("PUT", {"data": b"body"}),
        ("DELETE", {}),
        ("POST", {"data": b"body", "headers": {"idempotency-key": "k-1"}}),
    ],
)
async def test_an_idempotent_request_is_repeated_with_the_same_body(
    tmp_path: Path, method: str, more: dict[str, Any]
) -> None:
    async with breaking(2) as (url, read), before(url, tmp_path) as harness:
        path = "/v1/classes" if method == "POST" else "/v1/classes/a"
        response = await harness.ask(
            method, path, **(more | {"headers": harness.bearer() | more.get("headers", {})})
        )
        assert response.status == 200
        assert len(read) == 3
        assert len(set(read)) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_an_unsafe_request_is_never_repeated(tmp_path: Path, method: str) -> None:
    async with breaking(1) as (url, read), before(url, tmp_path) as harness:
        path = "/v1/classes" if method == "POST" else "/v1/classes/a"
        response = await harness.ask(method, path, headers=harness.bearer(), data=b"body")
        assert (response.status, response.content["code"]) == (502, "service_broke")
        assert len(read) == 1


async def test_a_request_with_a_body_too_large_to_keep_is_not_repeated(tmp_path: Path) -> None:
    async with breaking(1) as (url, read), before(url, tmp_path) as harness:
        response = await harness.ask(
            "PUT",
            "/v1/classes/a",
            headers=harness.bearer(),
            data=b"x" * (retries.MAX_REPLAYED_BYTES + 1),
        )
        assert response.status == 502
        assert len(read) == 1


async def test_a_problem_that_breaks_off_leaves_nothing_in_the_next_response(
    tmp_path: Path,
) -> None:
    half = (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"content-type: application/problem+json\r\ncontent-length: 400\r\n\r\n{"
    )
    async with (
        breaking(1, half) as (url, read),
        running_gateway(tmp_path, certification_url=url) as harness,
    ):
        response = await harness.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
        assert (response.status, response.body, len(read)) == (200, b"{}", 2)


async def test_a_request_is_sent_three_times_at_most(tmp_path: Path) -> None:
    async with breaking(9) as (url, read), before(url, tmp_path) as harness:
        assert (await harness.ask("GET", "/v1/classes", headers=harness.bearer())).status == 502
        assert len(read) == retries.MAX_ATTEMPTS


async def test_retries_stop_when_the_budget_is_used() -> None:
    release = asyncio.Event()
    tries = 0

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
