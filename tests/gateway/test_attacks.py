"""Attacks on requests: each gets a plain refusal, none causes a defect."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from gateway.host_group import Group
from tests.gateway.factories import raw
from tests.gateway.harness import GatewayHarness, fixed

HEADS: dict[str, tuple[str, set[str]]] = {
    "the target names another host": (
        "GET http://shop.localhost/v1/products HTTP/1.1\r\nhost: staff.localhost\r\n",
        {"400", "421"},
    ),
    "the target names an unknown host": (
        "GET http://evil.example/v1/classes HTTP/1.1\r\nhost: staff.localhost\r\n",
        {"400", "421"},
    ),
    "the target is an authority": (
        "CONNECT training:8000 HTTP/1.1\r\nhost: staff.localhost\r\n",
        {"400", "404", "405", "421"},
    ),
    "the target is all of it": (
        "OPTIONS * HTTP/1.1\r\nhost: staff.localhost\r\n",
        {"400", "404", "405"},
    ),
    "a dot behind the host": ("GET /v1/products HTTP/1.1\r\nhost: shop.localhost.\r\n", {"421"}),
    "two ports": ("GET /v1/products HTTP/1.1\r\nhost: shop.localhost:80:80\r\n", {"421"}),
    "a port of letters": (
        "GET /v1/products HTTP/1.1\r\nhost: shop.localhost:evil\r\n",
        {"400", "421"},
    ),
    "a user before the host": (
        "GET /v1/products HTTP/1.1\r\nhost: x@shop.localhost\r\n",
        {"400", "421"},
    ),
    "a host said elsewhere": (
        (
            "GET /v1/products HTTP/1.1\r\nhost: evil.example\r\n"
            "x-forwarded-host: shop.localhost\r\nforwarded: host=shop.localhost\r\n"
        ),
        {"421"},
    ),
    "no host": ("GET /v1/products HTTP/1.0\r\n", {"400", "421"}),
    "two lengths": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "content-length: 0\r\ncontent-length: 5\r\n"
        ),
        {"400"},
    ),
    "two lengths in one": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "content-length: 5, 5\r\n"
        ),
        {"400"},
    ),
    "a signed length": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "content-length: +5\r\n"
        ),
        {"400"},
    ),
    "a length and chunks": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "content-length: 5\r\ntransfer-encoding: chunked\r\n"
        ),
        {"400"},
    ),
    "chunks that are not last": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "transfer-encoding: chunked, identity\r\n"
        ),
        {"400"},
    ),
    "chunks of another encoding": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "transfer-encoding: gzip, chunked\r\n"
        ),
        {"400"},
    ),
    "chunks of another encoding, apart": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n"
        ),
        {"400"},
    ),
    "chunks of chunks": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "transfer-encoding: chunked, chunked\r\n"
        ),
        {"400"},
    ),
    "a fragment": ("GET /v1/products#/../admin HTTP/1.1\r\nhost: shop.localhost\r\n", {"400"}),
    "a later version": ("GET /v1/products HTTP/2.0\r\nhost: shop.localhost\r\n", {"400", "505"}),
    "an earlier version": ("GET /v1/products HTTP/0.9\r\nhost: shop.localhost\r\n", {"400", "505"}),
    "another encoding": (
        (
            "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\n"
            "transfer-encoding: xchunked\r\n"
        ),
        {"400"},
    ),
    "a header before its colon": (
        "GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\ntransfer-encoding : chunked\r\n",
        {"400"},
    ),
    "a folded header": (
        "GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\nx-signature: a\r\n b: c\r\n",
        {"400"},
    ),
    "a bare line end": ("GET /v1/products HTTP/1.1\nhost: shop.localhost\n", {"400"}),
    "a bare line end within a header": (
        "GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\nx-signature: a\nx-role: head\r\n",
        {"400"},
    ),
    "a zero byte within a header": (
        "GET /v1/products HTTP/1.1\r\nhost: shop.localhost\r\nx-signature: a\0b\r\n",
        {"400"},
    ),
    "a tab within the query": (
        "GET /v1/products?a=\tb HTTP/1.1\r\nhost: shop.localhost\r\n",
        {"400"},
    ),
    "a form feed within the query": (
        "GET /v1/products?a=\x0cb HTTP/1.1\r\nhost: shop.localhost\r\n",
        {"400"},
    ),
    "letters beyond ASCII within the query": (
        "GET /v1/products?a=é HTTP/1.1\r\nhost: shop.localhost\r\n",
        {"400"},
    ),
    "a method of another kind": (
        (
            "POST /v1/products HTTP/1.1\r\nhost: shop.localhost\r\n"
            "x-http-method-override: GET\r\ncontent-length: 0\r\n"
        ),
        {"405"},
    ),
    "a method to trace with": (
        "TRACE /v1/products HTTP/1.1\r\nhost: shop.localhost\r\n",
        {"400", "405"},
    ),
    "an upgrade": (
        (
            "GET /v1/nothing HTTP/1.1\r\nhost: shop.localhost\r\nupgrade: h2c\r\n"
            "connection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
        ),
        {"404"},
    ),
}


PATHS = [
    r"//v1/classes",
    r"/v1//classes",
    r"/v1/classes/",
    r"/v1/./classes",
    r"/v1/x/../classes",
    r"/v1/%2e%2e/v1/classes",
    r"/v1/classes%2fmine",
    r"/v1/classes/%2F",
    r"/v1/classes/a%00b",
    r"/v1/classes/%5c",
    r"/v1/classes/..%3b/x",
    r"/v1/classes/%zz",
    r"/v1/classes/%",
    r"/v1/cl%61sses",
    r"/v1/classes/min%65",
    r"/v1/classes/%6Dine",
    r"/v1/classes\mine",
    r"/v1/classes;a=1",
    r"/V1/classes",
    r"/v1/classes/%7f",
    r"/v1/classes/%0d%0ax",
    r"/live%7a",
    r"/%6fpenapi.json",
    r"/internal/grants/1",
    r"/v1/../internal/grants/1",
]


@pytest.mark.parametrize("name", HEADS)
async def test_a_request_that_could_be_read_in_two_ways_reaches_no_service(
    harness: GatewayHarness, name: str
) -> None:
    head, statuses = HEADS[name]
    response = await raw(harness, f"{head}connection: close\r\n\r\n", Group.SHOP)
    assert response.split(" ")[1] in statuses, response[:200]
    assert response.count("HTTP/1.1 ") == 1
    assert harness.upstream.seen == []


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_that_could_be_read_in_two_ways_reaches_no_service(
    harness: GatewayHarness, path: str
) -> None:
    response = await raw(
        harness,
        (
            f"GET {path} HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {harness.token()}\r\nconnection: close\r\n\r\n"
        ),
    )
    assert response.split(" ")[1] in {"400", "404"}, response[:200]
    assert harness.upstream.seen == []


async def test_chunk_extensions_and_trailers_do_not_reach_the_service(
    harness: GatewayHarness,
) -> None:
    body = "3;evil=1\r\nabc\r\n0;x\r\nx-role: head\r\nauthorization: Bearer x\r\n\r\n"
    head = (
        "POST /v1/classes HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: Bearer {harness.token()}\r\ntransfer-encoding: chunked\r\n"
        "connection: close\r\n\r\n"
    )
    response = await raw(harness, head + body)
    assert response.split(" ")[1] in {"200", "400"}, response[:200]
    for seen in harness.upstream.seen:
        assert (seen.body, seen.headers.keys() & {"x-role", "content-length"}) == (3, set())
        assert seen.headers["authorization"] != "Bearer x"


@pytest.mark.parametrize("behind", ["0\r\nx: ", "0;"], ids=["a trailer", "a chunk's extension"])
async def test_what_is_sent_beside_a_body_is_no_larger_than_a_head_may_be(
    harness: GatewayHarness, behind: str
) -> None:
    head = (
        "POST /v1/classes HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: Bearer {harness.token()}\r\ntransfer-encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    response = b""
    with suppress(ConnectionError):  # closed on bytes that nobody read
        for piece in (head + behind, *["y" * 60_000] * 20):
            writer.write(piece.encode())
            await writer.drain()
        response = await reader.read()
    writer.close()
    assert response[:13] in {b"", b"HTTP/1.1 400 "}


async def test_the_answer_not_modified_may_say_how_long_it_would_be(
    harness: GatewayHarness,
) -> None:
    async def unchanged(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 304,
                "headers": [(b"etag", b'"1"'), (b"content-length", b"0")],
            }
        )
        await send({"type": "http.response.body", "body": b""})

    harness.upstream.answers["/v1/classes"] = unchanged
    assert (await harness.ask("GET", "/v1/classes", headers=harness.bearer())).status == 304


async def test_no_refusal_names_a_service_or_its_address(harness: GatewayHarness) -> None:
    harness.upstream.answers["/v1/classes"] = fixed(
        500,
        {"title": "x"},
        {"server": "uvicorn", "x-powered-by": "training", "via": harness.upstream.url},
    )
    response = await harness.ask("GET", "/v1/classes", headers=harness.bearer())
    assert not {"server", "x-powered-by", "via"} & response.headers.keys()
