"""The gateway's connections with a service, byte by byte: what a service may send, what is kept for the next request, what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from gateway.upstream import connections
from gateway.upstream.connections import ConnectFailed, Connections, Interrupted
from ops.local import platform_checks
from tests.fakes import eventually

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CLOSE = b"<close>"  # the service ends the connection here
READ_ALL = b"<read all>"  # and here it first reads the whole body


@dataclass
class Service:
    """Answers the requests of each connection in turn with these bytes, and remembers what it was asked; afterwards it says nothing."""

    answers: Sequence[Sequence[bytes]]
    asked: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answers = iter(self.answers)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.asked.append(await reader.readuntil(b"\r\n\r\n"))
                for piece in next(answers, ()):
                    if piece == CLOSE:
                        writer.close()
                    elif piece == READ_ALL:
                        self.asked.append(await reader.readuntil(b"0\r\n\r\n"))
                    else:
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(0)
        writer.close()
        self.ended += 1


@asynccontextmanager
async def serving(*answers: Sequence[bytes]) -> AsyncGenerator[tuple[Service, Connections]]:
    service = Service(answers)
    server = await asyncio.start_server(service.serve, platform_checks.LOOPBACK, 0)
    kept = Connections(platform_checks.LOOPBACK, server.sockets[0].getsockname()[1])
    try:
        yield service, kept
    finally:
        kept.close()
        server.close()
        await eventually(lambda: _so(service.ended == service.connections))


async def told(
    kept: Connections, method: str = "GET", upload: AsyncIterator[bytes] | None = None
) -> tuple[int, bytes]:
    connection = await kept.take()
    try:
        await connection.ask(
            method, b"/x?y=1", [(b"host", b"service")], upload, chunked=upload is not None
        )
        body = b""
        while chunk := await connection.chunk():
            body += chunk
        return connection.status, body
    finally:
        kept.give_back(connection)


async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with serving([HELLO], [HELLO]) as (service, kept):
        assert [await told(kept), await told(kept)] == [(200, b"hello")] * 2
        assert service.asked == [b"GET /x?y=1 HTTP/1.1\r\nhost: service\r\n\r\n"] * 2
        assert service.connections == 1


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        pytest.param(
            [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", HELLO],
            200,
            b"hello",
            id="an answer before the answer",
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
async def test_an_answer_is_read_to_its_end_and_its_connection_is_kept(
    answer: list[bytes], status: int, body: bytes
) -> None:
    async with serving(answer, [HELLO]) as (service, kept):
        assert await told(kept) == (status, body)
        assert await told(kept) == (200, b"hello")
        assert service.connections == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_names_no_length_and_the_next_answer_is_its_own(
    status: bytes,
) -> None:
    async with serving(
        [b"HTTP/1.1 " + status + b"\r\ncontent-length: 5\r\netag: x\r\n\r\n"], [HELLO]
    ) as (_, kept):
        connection = await kept.take()
        await connection.ask("GET", b"/", [])
        assert (connection.headers, await connection.chunk()) == ([(b"etag", b"x")], b"")
        kept.give_back(connection)
        assert await told(kept) == (200, b"hello")


@pytest.mark.parametrize("pieces", [1, 2], ids=["at once", "apart"])
async def test_what_comes_behind_a_body_is_no_header_of_the_answer(pieces: int) -> None:
    head, rest = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"5\r\nhello\r\n0\r\nlocation: /evil\r\ncontent-length: 99\r\n\r\n",
    )
    async with serving([head + rest] if pieces == 1 else [head, rest]) as (_, kept):
        connection = await kept.take()
        await connection.ask("GET", b"/", [])
        assert await connection.chunk() == b"hello"
        assert [name for name, _ in connection.headers] == [b"transfer-encoding"]
        kept.give_back(connection)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
            id="two lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            id="a length and chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nx: a\r\n b: c\r\ncontent-length: 0\r\n\r\n", id="a folded header"
        ),
        pytest.param(b"HTTP/1.1 200 OK\nx: a\n\nhello", id="bare line ends"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nx: a\nset-cookie: b\r\ncontent-length: 0\r\n\r\n",
            id="a line end within a header",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            id="a chunk of no length",
        ),
    ],
)
async def test_an_answer_that_could_be_read_in_two_ways_is_none(answer: bytes) -> None:
    async with serving([answer, CLOSE]) as (_, kept):
        with pytest.raises(Interrupted):
            await told(kept)


async def test_an_answer_to_head_has_no_body_whatever_length_it_names_and_the_next_answer_is_its_own() -> (
    None
):
    async with serving([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"], [HELLO]) as (_, kept):
        assert await told(kept, "HEAD") == (200, b"")
        assert await told(kept) == (200, b"hello")


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_a_connection_that_the_service_will_end_is_not_kept(last: bytes) -> None:
    async with serving([last]) as (service, kept):
        assert await told(kept) == (200, b"hello")
        assert await told(kept) == (200, b"hello")
        assert service.connections == 2


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with serving([b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", CLOSE]) as (_, kept):
        assert await told(kept) == (200, b"hello")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([CLOSE], id="nothing"),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", CLOSE], id="too little"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n", CLOSE],
            id="chunks without an end",
        ),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n"], id="not HTTP"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nx: " + b"y" * (2 * connections.LARGEST_HEAD_BYTES) + b"\r\n\r\n"],
            id="a head without end",
        ),
        pytest.param(
            [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"],
            id="another protocol",
        ),
    ],
)
async def test_an_answer_that_is_not_whole_is_never_taken_for_one(answer: list[bytes]) -> None:
    async with serving(answer) as (_, kept):
        with pytest.raises(Interrupted):
            await told(kept)


async def test_what_came_before_an_answer_broke_off_is_given_first() -> None:
    async with serving([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", CLOSE]) as (_, kept):
        connection = await kept.take()
        await connection.ask("GET", b"/", [])
        assert (connection.status, await connection.chunk()) == (200, b"hel")
        with pytest.raises(Interrupted):
            await connection.chunk()
        kept.give_back(connection)


async def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    async with serving([HELLO + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"], [HELLO]) as (
        service,
        kept,
    ):
        assert await told(kept) == (200, b"hello")
        assert await told(kept) == (200, b"hello")
        assert service.connections == 2


async def test_an_upload_of_unknown_length_arrives_whole_and_its_connection_is_kept() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"abc", b"de"):
            yield piece

    async with serving([READ_ALL, HELLO], [HELLO]) as (service, kept):
        assert await told(kept, "POST", pieces()) == (200, b"hello")
        assert service.asked[1] == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        assert await told(kept) == (200, b"hello")
        assert service.connections == 1


async def test_an_answer_before_the_end_of_the_upload_is_given_and_the_rest_is_not_sent() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"abc"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving([HELLO]) as (service, kept):
        assert await told(kept, "POST", endless()) == (200, b"hello")
        await asyncio.wait_for(ended.wait(), 5)
        await eventually(lambda: _so(service.ended == 1))


async def test_what_stops_the_upload_stops_the_request() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"abc"
        raise LookupError

    async with serving([READ_ALL, HELLO]) as (service, kept):
        with pytest.raises(LookupError):
            await told(kept, "POST", breaking())
        await eventually(lambda: _so(service.ended == 1))


async def test_a_connection_that_the_service_has_ended_or_that_was_idle_too_long_is_not_taken_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving([HELLO, CLOSE]) as (service, kept):
        await told(kept)
        await eventually(lambda: _closed(kept))
        assert await told(kept) == (200, b"hello")
        assert service.connections == 2
    async with serving([HELLO]) as (service, kept):
        await told(kept)
        monkeypatch.setattr(connections, "IDLE_SECONDS", -1.0)
        assert await told(kept) == (200, b"hello")
        assert service.connections == 2


async def test_a_service_that_is_not_there_is_told_apart_from_one_that_breaks_off() -> None:
    with pytest.raises(ConnectFailed):
        await Connections(platform_checks.LOOPBACK, platform_checks.find_free_ports(1)[0]).take()


async def _so(value: bool) -> bool:  # noqa: FBT001 - what `eventually` asks
    return value


async def _closed(kept: Connections) -> bool:
    return not kept._idle[0].open  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - nothing else shows that the end has come
