"""Which paths and methods have a route."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.host_group import Group
from tests.gateway.factories import raw
from tests.gateway.harness import GatewayHarness


@pytest.mark.parametrize(
    "path",
    [
        "//v1/classes",
        "/v1//classes",
        "/v1/classes/..",
        "/v1/classes/../../internal/identities",
        "/v1/classes/%2e%2e/x",
        "/v1/classes/a%2Fb",
        "/v1/classes/a%5cb",
        "/v1/classes/%00",
        "/v1/classes/%zz",
        "/v1/classes/./a",
    ],
)
async def test_a_path_that_two_readers_could_read_differently_is_400(
    harness: GatewayHarness, path: str
) -> None:
    response = await raw(
        harness,
        (
            f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {harness.token()}\r\nconnection: close\r\n\r\n"
        ),
    )
    assert response.startswith("HTTP/1.1 400 ")
    assert harness.upstream.seen == []


@pytest.mark.parametrize(
    "path",
    ["/internal/identities", "/v1/classes/", "/metrics", "/statusz", "/health/services"],
)
async def test_no_public_host_has_internal_paths(harness: GatewayHarness, path: str) -> None:
    for group in Group:
        assert (
            await harness.ask("GET", path, group=group, headers=harness.bearer("administrator"))
        ).status == 404
    assert harness.upstream.seen == []


async def test_a_path_is_forwarded_as_it_came(harness: GatewayHarness) -> None:
    response = await raw(
        harness,
        (
            "GET /v1/classes/a%20b%C3%A9;x=1?q=%2F&r=a+b HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {harness.token()}\r\nconnection: close\r\n\r\n"
        ),
    )
    assert response.startswith("HTTP/1.1 200 ")
    assert harness.upstream.last.path == "/v1/classes/a%20b%C3%A9;x=1"


async def test_an_unknown_method_is_405_with_the_allowed_ones(harness: GatewayHarness) -> None:
    response = await harness.ask("PUT", "/v1/classes", headers=harness.bearer())
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("path", ["/v1/classes", "/openapi.json", "/docs", "/livez", "/v1/nothing"])
async def test_head_is_answered_as_get_without_a_body(harness: GatewayHarness, path: str) -> None:
    head = await harness.ask("HEAD", path, headers=harness.bearer())
    get = await harness.ask("GET", path, headers=harness.bearer())
    assert (head.status, head.body) == (get.status, b"")
    names = ("content-type", "content-length", "content-security-policy", "cache-control")
    for name in names:
        assert head.headers.get(name) == get.headers.get(name), name


async def test_head_needs_a_route_of_get_and_its_permission(harness: GatewayHarness) -> None:
    assert (await harness.ask("HEAD", "/v1/classes")).status == 401
    other = harness.bearer("assessor")
    assert (await harness.ask("HEAD", "/v1/classes", headers=other)).status == 403
    response = await harness.ask("HEAD", "/v1/uploads", headers=harness.bearer())
    assert (response.status, response.headers["allow"]) == (405, "POST")


async def test_head_of_an_open_ended_response_ends_at_its_head(harness: GatewayHarness) -> None:
    async def flow(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        harness.upstream.gone["/v1/stream"].set()

    harness.upstream.answers["/v1/stream"] = flow
    response = await harness.ask("HEAD", "/v1/stream", headers=harness.bearer())
    assert (response.status, response.body) == (200, b"")
    await harness.upstream.gone["/v1/stream"].wait()
