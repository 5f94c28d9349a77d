"""HTTP/1.1 with a service: kept connections, bodies flow both ways as they come, in constant memory. Not here: where a request goes and what goes with it (upstream).

httptools parses; why no client library stands here: docs/decisions/0009-gateway-client.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from gateway.request_context import Header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


CONNECT_SECONDS = 2.0
IDLE_SECONDS = 20.0  # shorter than the services keep a connection, so that none is taken that they are just closing
BUFFER_BYTES = 65_536
LARGEST_HEAD_BYTES = 65_536
_INTERIM, _WITHOUT_BODY = range(100, 200), frozenset({204, 304})


class ConnectFailed(ConnectionError):
    """No connection came about: nothing was sent."""


class Interrupted(ConnectionError):
    """The connection ended, or what came was not HTTP, before the answer was whole."""


class Connection(asyncio.Protocol):
    """One exchange after the other. `status` is 0 until the answer's head has come; `headers` as they came."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._lost = False
        self.idle_since = 0.0
        self._begin("")

    def _begin(self, method: str) -> None:
        self._parser, self._method = httptools.HttpResponseParser(self), method
        self.status, self.headers = 0, list[Header]()
        self._head_bytes, self._to_the_end = 0, False
        self._chunks, self._held, self._reading = list[bytes](), 0, True
        self._complete = self._reusable = False
        self._failure: Exception | None = None

    # What a request asks for

    async def ask(
        self,
        method: str,
        target: bytes,
        headers: Iterable[Header],
        upload: AsyncIterator[bytes] | None = None,
        *,
        chunked: bool = False,
    ) -> None:
        """Send a request and return when the answer's head has come. Interrupted; what `upload` raises."""
        self._begin(method)
        lines = [
            b"%s %s HTTP/1.1\r\n" % (method.encode(), target),
            *(b"%s: %s\r\n" % header for header in headers),
        ]
        self._transport.write(
            b"".join([*lines, b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n"])
        )
        if upload is not None:
            self._sending = self._loop.create_task(self._send(upload, chunked=chunked))
        while not self.status:
            await self._more()

    async def chunk(self) -> bytes:
        """What has come of the body; b"" when there is no more. Interrupted where it ends too early."""
        while not self._chunks:
            if self._complete:
                return b""
            await self._more()
        found = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        return found

    @property
    def at_end(self) -> bool:
        """Whether the whole body has been taken."""
        return self._complete and not self._chunks

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: both sides have said everything and neither wants to end."""
        return self._complete and self._reusable and self._sending is None and not self._lost

    @property
    def open(self) -> bool:
        """Whether the other side has not ended it."""
        return not self._lost and not self._transport.is_closing()

    def close(self) -> None:
        """End it, whatever is under way."""
        if self._sending is not None:
            self._sending.cancel()
        self._transport.close()

    async def _more(self) -> None:
        """Return when something has happened."""
        if self._failure is not None:
            raise self._failure
        if self._lost:
            raise Interrupted
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _send(self, upload: AsyncIterator[bytes], *, chunked: bool) -> None:
        try:
            async for chunk in upload:
                self._transport.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
                if self._writable is not None:
                    await self._writable
            if chunked:
                self._transport.write(b"0\r\n\r\n")
            self._sending = None
        except Exception as failure:  # noqa: BLE001 - it is raised where the answer is waited for
            self._fail(failure)

    def _fail(self, failure: Exception) -> None:
        self._failure = self._failure or failure
        self._transport.close()
        self._wake()

    def _unasked(self) -> None:
        self._reusable = False
        self._transport.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, which is how some answers end."""
        self._lost = True
        self._complete = self._complete or (self._to_the_end and exc is None)
        self.resume_writing()
        self._wake()

    def data_received(self, data: bytes) -> None:
        """The next of an answer; whatever nobody asked for ends the connection."""
        if self._complete or not self._method:
            self._unasked()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._complete:
                self._unasked()
            else:
                self._fail(Interrupted(type(error).__name__))

    def pause_writing(self) -> None:
        """The service does not read as fast as we send."""
        self._writable = self._writable or self._loop.create_future()

    def resume_writing(self) -> None:
        """It has read."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # httptools

    def on_message_begin(self) -> None:
        """An answer begins, which must not be one too many."""
        if self._complete:
            raise ValueError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer, or of one before it (1xx); one behind the body is dropped."""
        if self.status:
            return
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > LARGEST_HEAD_BYTES:
            raise ValueError(LARGEST_HEAD_BYTES)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if status in _INTERIM:
            self.headers.clear()
            return
        self.status = status
        framed = any(
            name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in self.headers
        )
        self._to_the_end = not framed and status not in _WITHOUT_BODY
        if status in _WITHOUT_BODY:  # a length would be that of a body that does not come
            self.headers = [
                (name, value) for name, value in self.headers if name.lower() != b"content-length"
            ]
        if self._method == "HEAD":  # whose answer says how long the body would be
            self._end()
        self._wake()

    def on_body(self, body: bytes) -> None:
        """The next of the body."""
        self._chunks.append(body)
        self._held += len(body)
        if self._held > BUFFER_BYTES and self._reading:
            self._reading = False
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The answer is whole, or one before it (1xx) is."""
        if self.status and not self._complete:
            self._end()
            self._wake()

    def _end(self) -> None:
        self._complete, self._reusable = True, self._parser.should_keep_alive()


class Connections:
    """Those to one service, kept after each exchange; the last used is taken first."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: deque[Connection] = deque()

    async def take(self) -> Connection:
        """One that is free, or a new one. ConnectFailed."""
        loop = asyncio.get_running_loop()
        self._tidy(loop.time())
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(Connection, self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise ConnectFailed from error
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next, if it can be used again."""
        if not connection.reusable:
            connection.close()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._tidy(connection.idle_since)
        self._idle.append(connection)

    def close(self) -> None:
        """End those that are free."""
        while self._idle:
            self._idle.pop().close()

    def _tidy(self, now: float) -> None:
        while self._idle and now - self._idle[0].idle_since > IDLE_SECONDS:
            self._idle.popleft().close()
