"""Which paths and methods have a route."""

from __future__ import annotations

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
    ["/internal/identities", "/v1/classes/", "/metrics", "/statusz", "/health/services", "/"],
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
    assert (response.status, response.headers["allow"]) == (405, "GET, POST")
