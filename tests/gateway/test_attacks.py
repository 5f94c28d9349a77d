"""What an attacker tries who reads the specifications: each try is answered by a plain refusal, and none by a defect."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gateway.authn.dev_issuer import AUDIENCE, ISSUER, thumbprint
from gateway.host_group import Group
from tests.gateway.harness import Stage, fixed
from tests.gateway.test_hosts import raw
from tests.gateway.test_identity import forged, private


def encoded(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def header_of(stage: Stage) -> str:
    """The JSON text of a good token's header."""
    return json.dumps(
        {"alg": "EdDSA", "typ": "JWT", "kid": thumbprint(private(stage.issuer_key).public_key())}
    )


def hand_made(stage: Stage, content: str, header: str = "") -> str:
    """A token with a good signature over exactly these JSON texts."""
    signed = f"{encoded((header or header_of(stage)).encode())}.{encoded(content.encode())}"
    return f"{signed}.{encoded(private(stage.issuer_key).sign(signed.encode()))}"


def members(more: str, *, without: str = "") -> str:
    """The JSON text of a good token's content with more members behind it."""
    now = int(time.time())
    told = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "officer",
        "iat": now,
        "exp": now + 600,
        "role": "training_officer",
        "claims": {"facility": ["LP-TJP"]},
    }
    return (
        json.dumps({name: value for name, value in told.items() if name != without})[:-1]
        + f", {more}}}"
    )


TOKENS: dict[str, Callable[[Stage], str]] = {
    "an expiry that is not a number at all": lambda stage: hand_made(
        stage, members('"exp": NaN', without="exp")
    ),
    "an expiry without end": lambda stage: hand_made(
        stage, members('"exp": Infinity', without="exp")
    ),
    "an expiry beyond what a float holds": lambda stage: hand_made(
        stage, members('"exp": 1e400', without="exp")
    ),
    "an expiry of four hundred figures": lambda stage: hand_made(
        stage, members(f'"exp": 1{"0" * 400}', without="exp")
    ),
    "an expiry of five thousand figures": lambda stage: hand_made(
        stage, members(f'"exp": 1{"0" * 5_000}', without="exp")
    ),
    "an expiry in words": lambda stage: forged(stage, exp=str(int(time.time()) + 600)),
    "an expiry before time began": lambda stage: forged(stage, exp=-1),
    "a beginning without end": lambda stage: hand_made(stage, members('"nbf": Infinity')),
    "a beginning that is not a number at all": lambda stage: hand_made(
        stage, members('"nbf": NaN')
    ),
    "a beginning in words": lambda stage: forged(stage, nbf="0"),
    "a life longer than a withdrawal is remembered": lambda stage: forged(
        stage, exp=int(time.time()) + 3 * 86_400
    ),
    "no moment of issue": lambda stage: forged(stage, iat=None),
    "an issue of four hundred figures": lambda stage: hand_made(
        stage, members(f'"iat": -1{"0" * 400}', without="iat")
    ),
    "the audience said twice": lambda stage: hand_made(
        stage, members('"aud": "elsewhere", "aud": "bina"', without="aud")
    ),
    "the role said twice": lambda stage: hand_made(stage, members('"role": "administrator"')),
    "a header member said twice": lambda stage: hand_made(
        stage, members('"a": 1'), '{"alg": "none", ' + header_of(stage)[1:]
    ),
    "audiences that are not ours": lambda stage: forged(stage, aud=["training", "gateway"]),
    "a subject that is a list": lambda stage: hand_made(
        stage, members('"sub": ["officer"]', without="sub")
    ),
    "a subject that is a number": lambda stage: hand_made(
        stage, members('"sub": 7', without="sub")
    ),
    "no subject": lambda stage: forged(stage, sub=""),
    "an issuer that is a list": lambda stage: hand_made(
        stage, members(f'"iss": ["{ISSUER}"]', without="iss")
    ),
    "a certificate's address": lambda stage: forged(stage, headers={"x5u": "http://127.0.0.1:1/"}),
    "a certificate": lambda stage: forged(stage, headers={"x5c": ["AAAA"]}),
    "a body that is not encoded": lambda stage: forged(
        stage, headers={"b64": False, "crit": ["b64"]}
    ),
    "a key id that is a list": lambda stage: hand_made(
        stage, members('"a": 1'), '{"alg": "EdDSA", "kid": ["k"]}'
    ),
    "a key id that is a statement": lambda stage: hand_made(
        stage, members('"a": 1'), '{"alg": "EdDSA", "kid": {"$ne": ""}}'
    ),
    "an algorithm that is a list": lambda stage: hand_made(
        stage, members('"a": 1'), '{"alg": ["EdDSA"], "kid": "k"}'
    ),
    "an algorithm in other letters": lambda stage: hand_made(
        stage, members('"a": 1'), header_of(stage).replace("EdDSA", "eddsa")
    ),
    "a header that is a list": lambda stage: hand_made(stage, members('"a": 1'), "[]"),
    "a content that is a list": lambda stage: hand_made(stage, "[]"),
    "a header nested without end": lambda stage: hand_made(stage, "{}", "[" * 5_000),
    "a content nested without end": lambda stage: hand_made(stage, "[" * 5_000),
    "letters beside the signature": lambda stage: forged(stage) + "!!",
    "a padded signature": lambda stage: forged(stage) + "==",
    "a line end behind the token": lambda stage: forged(stage) + "\t",
    "four parts": lambda stage: forged(stage) + ".e30",
    "five parts": lambda stage: forged(stage) + ".e30.e30",
    "a second token behind a comma": lambda stage: f"{forged(stage)}, Bearer {forged(stage)}",
    "two spaces": lambda stage: " " + forged(stage),
}


@pytest.mark.parametrize("name", TOKENS)
async def test_no_trick_with_a_token_proves_anybody_or_finds_a_defect(
    stage: Stage, name: str
) -> None:
    told = await raw(
        stage,
        f"GET /v1/classes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {TOKENS[name](stage)}\r\n\r\n",
    )
    assert told.startswith("HTTP/1.1 401 "), told[:200]
    assert stage.upstream.seen == []


async def test_a_token_of_several_audiences_is_believed_where_one_of_them_is_us(
    stage: Stage,
) -> None:
    token = forged(stage, aud=["elsewhere", AUDIENCE])
    assert (
        await stage.ask("GET", "/v1/classes", headers={"authorization": f"Bearer {token}"})
    ).status == 200


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
        "GET /v1/products HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: shop.localhost\r\nforwarded: host=shop.localhost\r\n",
        {"421"},
    ),
    "no host": ("GET /v1/products HTTP/1.0\r\n", {"400", "421"}),
    "two lengths": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ncontent-length: 0\r\ncontent-length: 5\r\n",
        {"400"},
    ),
    "two lengths in one": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ncontent-length: 5, 5\r\n",
        {"400"},
    ),
    "a signed length": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ncontent-length: +5\r\n",
        {"400"},
    ),
    "a length and chunks": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n",
        {"400"},
    ),
    "chunks that are not last": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ntransfer-encoding: chunked, identity\r\n",
        {"400"},
    ),
    "chunks of another encoding": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ntransfer-encoding: gzip, chunked\r\n",
        {"400"},
    ),
    "chunks of another encoding, apart": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        {"400"},
    ),
    "chunks of chunks": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ntransfer-encoding: chunked, chunked\r\n",
        {"400"},
    ),
    "a fragment": ("GET /v1/products#/../admin HTTP/1.1\r\nhost: shop.localhost\r\n", {"400"}),
    "a later version": ("GET /v1/products HTTP/2.0\r\nhost: shop.localhost\r\n", {"400", "505"}),
    "an earlier version": ("GET /v1/products HTTP/0.9\r\nhost: shop.localhost\r\n", {"400", "505"}),
    "another encoding": (
        "POST /v1/payments/notifications HTTP/1.1\r\nhost: shop.localhost\r\ntransfer-encoding: xchunked\r\n",
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
    "a nought within a header": (
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
        "POST /v1/products HTTP/1.1\r\nhost: shop.localhost\r\nx-http-method-override: GET\r\ncontent-length: 0\r\n",
        {"405"},
    ),
    "a method to trace with": (
        "TRACE /v1/products HTTP/1.1\r\nhost: shop.localhost\r\n",
        {"400", "405"},
    ),
    "an upgrade": (
        "GET /v1/nothing HTTP/1.1\r\nhost: shop.localhost\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
        {"404"},
    ),
}


@pytest.mark.parametrize("name", HEADS)
async def test_a_request_that_could_be_read_in_two_ways_reaches_no_service(
    stage: Stage, name: str
) -> None:
    head, statuses = HEADS[name]
    told = await raw(stage, f"{head}connection: close\r\n\r\n", Group.SHOP)
    assert told.split(" ")[1] in statuses, told[:200]
    assert told.count("HTTP/1.1 ") == 1
    assert stage.upstream.seen == []


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


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_that_could_be_read_in_two_ways_reaches_no_service(
    stage: Stage, path: str
) -> None:
    told = await raw(
        stage,
        f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {stage.token()}\r\nconnection: close\r\n\r\n",
    )
    assert told.split(" ")[1] in {"400", "404"}, told[:200]
    assert stage.upstream.seen == []


async def test_a_chunks_extension_and_the_trailers_behind_a_body_do_not_reach_the_service(
    stage: Stage,
) -> None:
    body = "3;evil=1\r\nabc\r\n0;x\r\nx-role: head\r\nauthorization: Bearer x\r\n\r\n"
    head = f"POST /v1/classes HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {stage.token()}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    told = await raw(stage, head + body)
    assert told.split(" ")[1] in {"200", "400"}, told[:200]
    for seen in stage.upstream.seen:
        assert (seen.body, seen.headers.keys() & {"x-role", "content-length"}) == (3, set())
        assert seen.headers["authorization"] != "Bearer x"


@pytest.mark.parametrize("behind", ["0\r\nx: ", "0;"], ids=["a trailer", "a chunk's extension"])
async def test_what_stands_beside_a_body_is_no_larger_than_a_head_may_be(
    stage: Stage, behind: str
) -> None:
    head = f"POST /v1/classes HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {stage.token()}\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    told = b""
    with suppress(ConnectionError):  # closed on bytes that nobody read
        for piece in (head + behind, *["y" * 60_000] * 20):
            writer.write(piece.encode())
            await writer.drain()
        told = await reader.read()
    writer.close()
    assert told[:13] in {b"", b"HTTP/1.1 400 "}


async def test_the_answer_not_modified_may_say_how_long_it_would_be(stage: Stage) -> None:
    async def unchanged(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 304,
                "headers": [(b"etag", b'"1"'), (b"content-length", b"0")],
            }
        )
        await send({"type": "http.response.body", "body": b""})

    stage.upstream.answers["/v1/classes"] = unchanged
    assert (await stage.ask("GET", "/v1/classes", headers=stage.bearer())).status == 304


async def test_no_refusal_names_a_service_or_its_address(stage: Stage) -> None:
    stage.upstream.answers["/v1/classes"] = fixed(
        500,
        {"title": "x"},
        {"server": "uvicorn", "x-powered-by": "training", "via": stage.upstream.url},
    )
    told = await stage.ask("GET", "/v1/classes", headers=stage.bearer())
    assert not {"server", "x-powered-by", "via"} & told.headers.keys()
