"""Forwarding to a service that answers with given bytes: connections, refusals, headers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.upstream import client
from tests.fakes import eventually
from tests.gateway.harness import GatewayHarness, GatewayResponse, running_gateway

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CLOSE = b"<close>"  # the service closes the connection here
READ_ALL = b"<read all>"  # the service first reads the whole body here


@dataclass
class Service:
    """Answers the requests of each connection in turn with these bytes; later ones get nothing."""

    answers: Sequence[Sequence[bytes]]
    received: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answers = iter(self.answers)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.received.append(await reader.readuntil(b"\r\n\r\n"))
                for piece in next(answers, ()):
                    await self._play(piece, reader, writer)
        writer.close()
        self.ended += 1

    async def _play(
        self, piece: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if piece == CLOSE:
            writer.close()
        elif piece == READ_ALL:
            self.received.append(await reader.readuntil(b"0\r\n\r\n"))
        else:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    @property
    def last_head(self) -> dict[str, str]:
        """The headers of the newest request."""
        lines = self.received[-1].decode().split("\r\n")[1:-2]
        return dict(line.split(": ", 1) for line in lines)


@asynccontextmanager
async def serving(
    directory: Path, *answers: Sequence[bytes]
) -> AsyncGenerator[tuple[Service, GatewayHarness]]:
    """Start a gateway in front of a training service with these answers."""
    service = Service(answers)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with running_gateway(directory, training_url=url) as harness:
            yield service, harness
        await eventually(lambda: has_ended(service))
    finally:
        server.close()


async def has_ended(service: Service) -> bool:
    """Return whether all connections between gateway and service have ended."""
    return service.ended == service.connections


async def ask(harness: GatewayHarness, method: str = "POST", **more: Any) -> GatewayResponse:
    """Send a request, by default a POST, which the gateway does not repeat."""
    path = "/v1/classes" if method == "POST" else "/v1/classes/a"
    headers = harness.bearer() | more.pop("headers", {})
    return await harness.ask(method, path, headers=headers, **more)


async def test_one_connection_serves_one_request_after_the_other(tmp_path: Path) -> None:
    async with serving(tmp_path, [HELLO], [HELLO]) as (service, harness):
        responses = [await ask(harness), await ask(harness)]
        assert [response.body for response in responses] == [b"hello", b"hello"]
        assert service.connections == 1


async def test_the_service_gets_only_allowed_headers(tmp_path: Path) -> None:
    async with serving(tmp_path, [HELLO]) as (service, harness):
        given = {"user-agent": "Browser/1", "expect": "x", "x-forwarded-for": "203.0.113.1"}
        await ask(harness, "GET", headers=given)
        assert {name.lower() for name in service.last_head} == {
            "host",
            "accept",
            "accept-encoding",
            "authorization",
            "x-request-deadline",
            "x-request-id",
        }


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        pytest.param(
            [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", HELLO],
            200,
            b"hello",
            id="an interim response",
        ),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO], 200, b"hello", id="both at once"),
        pytest.param(
            [
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n",
                b"2\r\nlo\r\n0\r\n\r\n",
            ],
            200,
            b"hello",
            id="in chunks",
        ),
        pytest.param(
            [b"HTTP/1.1 2", b"00 OK\r\ncontent-le", b"ngth: 5\r\n\r", b"\nhel", b"lo"],
            200,
            b"hello",
            id="in pieces",
        ),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b"", id="without a body"),
        pytest.param(
            [b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n"], 304, b"", id="not modified"
        ),
    ],
)
async def test_a_complete_response_is_passed_on_and_its_connection_kept(
    tmp_path: Path, answer: list[bytes], status: int, body: bytes
) -> None:
    async with serving(tmp_path, answer, [HELLO]) as (service, harness):
        response = await ask(harness)
        assert (response.status, response.body) == (status, body)
        assert (await ask(harness)).body == b"hello"
        assert service.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_length_in_a_response_without_a_body_is_dropped(
    tmp_path: Path, status: str
) -> None:
    answer = f"HTTP/1.1 {status}\r\ncontent-length: 5\r\netag: x\r\n\r\n".encode()
    async with serving(tmp_path, [answer], [HELLO]) as (_, harness):
        response = await ask(harness)
        assert (response.headers["etag"], response.body) == ("x", b"")
        assert "content-length" not in response.headers
        assert (await ask(harness)).body == b"hello"


async def test_trailers_of_a_response_are_no_headers(tmp_path: Path) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\nlocation: /evil\r\netag: x\r\n\r\n"
    )
    async with serving(tmp_path, [answer]) as (_, harness):
        response = await ask(harness)
        assert response.body == b"hello"
        assert not {"location", "etag"} & response.headers.keys()


async def test_a_response_to_head_has_no_body_and_the_next_is_its_own(tmp_path: Path) -> None:
    async with serving(tmp_path, [HELLO], [HELLO]) as (service, harness):
        response = await ask(harness, "HEAD")
        assert (response.status, response.headers["content-length"]) == (200, "5")
        assert response.body == b""
        assert service.received[0].startswith(b"GET /v1/classes/a HTTP/1.1\r\n")
        assert (await ask(harness, "GET")).body == b"hello"
        assert service.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([CLOSE], id="nothing"),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n"], id="not HTTP"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nx: " + b"y" * (2 * client.MAX_HEADER_BYTES) + b"\r\n\r\n"],
            id="a head without end",
        ),
        pytest.param(
            [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"],
            id="another protocol",
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!"],
            id="two lengths",
        ),
        pytest.param(
            [
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
                b"0\r\n\r\n",
            ],
            id="a length and chunks",
        ),
    ],
)
async def test_what_is_no_http_response_is_502(tmp_path: Path, answer: list[bytes]) -> None:
    async with serving(tmp_path, answer) as (_, harness):
        response = await ask(harness)
        assert (response.status, response.content["code"]) == (502, "service_broke")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", CLOSE], id="too little"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n", CLOSE],
            id="chunks without an end",
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
            id="a chunk without a length",
        ),
    ],
)
async def test_an_incomplete_response_never_looks_complete(
    tmp_path: Path, answer: list[bytes]
) -> None:
    async with serving(tmp_path, answer) as (_, harness):
        reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
        writer.write(
            b"POST /v1/classes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            b"content-length: 0\r\nauthorization: Bearer " + harness.token().encode() + b"\r\n\r\n"
        )
        async with asyncio.timeout(5):
            received = await reader.read()
        writer.close()
        is_refused = received.startswith(b"HTTP/1.1 502 ")
        is_cut_off = not received.endswith((b"hello", b"0\r\n\r\n"))
        assert is_refused or is_cut_off


async def test_a_response_without_a_length_ends_with_its_connection(tmp_path: Path) -> None:
    answer = [b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", CLOSE]
    async with serving(tmp_path, answer) as (_, harness):
        assert (await ask(harness)).body == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_a_connection_that_the_service_will_end_is_not_kept(
    tmp_path: Path, answer: bytes
) -> None:
    async with serving(tmp_path, [answer]) as (service, harness):
        for _ in range(2):
            assert (await ask(harness)).body == b"hello"
        assert service.connections == 2


async def test_a_response_that_nobody_requested_ends_the_connection(tmp_path: Path) -> None:
    extra = HELLO + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    async with serving(tmp_path, [extra], [HELLO]) as (service, harness):
        for _ in range(2):
            assert (await ask(harness)).body == b"hello"
        assert service.connections == 2


async def test_an_upload_of_unknown_length_arrives_whole(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"de"

    async with serving(tmp_path, [READ_ALL, HELLO], [HELLO]) as (service, harness):
        assert (await ask(harness, data=pieces())).body == b"hello"
        chunks = service.received[1].split(b"\r\n")
        assert b"".join(chunks[1::2]) == b"abcde"
        assert (await ask(harness)).body == b"hello"
        assert service.connections == 1


async def test_a_response_before_the_end_of_the_upload_is_passed_on(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.Event().wait()

    async with serving(tmp_path, [HELLO]) as (service, harness):
        assert (await ask(harness, data=endless())).body == b"hello"
        await eventually(lambda: has_ended(service))


async def test_a_connection_that_the_service_has_ended_is_not_used_again(tmp_path: Path) -> None:
    async with serving(tmp_path, [HELLO, CLOSE]) as (service, harness):
        await ask(harness)
        await eventually(lambda: has_ended(service))
        assert (await ask(harness)).body == b"hello"
        assert service.connections == 2


async def test_a_connection_that_was_idle_too_long_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "IDLE_SECONDS", 0.05)
    async with serving(tmp_path, [HELLO]) as (service, harness):
        await ask(harness)
        await eventually(lambda: has_ended(service))
        assert (await ask(harness)).body == b"hello"
        assert service.connections == 2


async def test_a_request_on_a_broken_kept_connection_is_sent_once(tmp_path: Path) -> None:
    async with serving(tmp_path, [HELLO], [CLOSE]) as (service, harness):
        await ask(harness)
        response = await ask(harness)
        assert (response.status, response.content["code"]) == (502, "service_broke")
        assert len(service.received) == 2


async def test_a_compressed_body_is_passed_on_as_it_is(tmp_path: Path) -> None:
    body = b"not really gzip"
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    async with serving(tmp_path, [answer]) as (_, harness):
        response = await ask(harness)
        assert (response.headers["content-encoding"], response.body) == ("gzip", body)


async def test_a_redirect_of_a_service_is_not_followed(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /v1/b\r\ncontent-length: 0\r\n\r\n"
    async with serving(tmp_path, [answer]) as (service, harness):
        response = await ask(harness)
        assert (response.status, response.headers["location"]) == (307, "/v1/b")
        assert len(service.received) == 1


async def test_a_cookie_of_a_service_is_neither_kept_nor_passed_on(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 5\r\n\r\nhello"
    async with serving(tmp_path, [answer], [HELLO]) as (service, harness):
        assert "set-cookie" not in (await ask(harness)).headers
        await ask(harness)
        assert "cookie" not in {name.lower() for name in service.last_head}


async def test_a_proxy_of_the_environment_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(tmp_path, [HELLO]) as (_, harness):
        assert (await ask(harness)).body == b"hello"
