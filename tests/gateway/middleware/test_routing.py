"""Which paths and methods have a route."""

from __future__ import annotations

import pytest

from gateway.host_group import Group
from tests.gateway.factories import raw
from tests.gateway.harness import Stage


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
    stage: Stage, path: str
) -> None:
    response = await raw(
        stage,
        (
            f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {stage.token()}\r\nconnection: close\r\n\r\n"
        ),
    )
    assert response.startswith("HTTP/1.1 400 ")
    assert stage.upstream.seen == []


@pytest.mark.parametrize(
    "path",
    ["/internal/identities", "/v1/classes/", "/metrics", "/statusz", "/health/services", "/"],
)
async def test_no_public_host_has_internal_paths(stage: Stage, path: str) -> None:
    for group in Group:
        assert (
            await stage.ask("GET", path, group=group, headers=stage.bearer("administrator"))
        ).status == 404
    assert stage.upstream.seen == []


async def test_a_path_is_forwarded_as_it_came(stage: Stage) -> None:
    response = await raw(
        stage,
        (
            "GET /v1/classes/a%20b%C3%A9;x=1?q=%2F&r=a+b HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {stage.token()}\r\nconnection: close\r\n\r\n"
        ),
    )
    assert response.startswith("HTTP/1.1 200 ")
    assert stage.upstream.last.path == "/v1/classes/a%20b%C3%A9;x=1"


async def test_an_unknown_method_is_405_with_the_allowed_ones(stage: Stage) -> None:
    response = await stage.ask("PUT", "/v1/classes", headers=stage.bearer())
    assert (response.status, response.headers["allow"]) == (405, "GET, POST")
