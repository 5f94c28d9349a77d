"""HTTP/1.1 as uvicorn speaks it, with limits on what is not body: its size, how long a head may take to come, and whose host it names. Not here: bodies (middleware/bodies).

An answer's head leaves together with the first of its body: uvicorn writes them one after the other, and each write costs a system call here and a wake-up there.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 32_768
HEAD_TIMEOUT_SECONDS = 10.0
MAX_PIPELINED_REQUESTS = 4  # requests that may wait on one connection while another is answered: each costs us a hundred times its bytes


class HeadTooLarge(ValueError):
    """A request line and headers beyond the limit; the connection is closed with 400."""


class TargetInvalid(ValueError):
    """The request line names another host than the Host header, none of this server's kind, or a fragment; the connection is closed with 400."""


class TooManyPipelinedRequests(ValueError):
    """More requests wait on one connection than we keep; it is closed with 400."""


class _Outgoing:
    """A transport on which a write waits for the next one of the same turn of the loop. Everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        elif data:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self.is_closing():
            self._transport.write(held)


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections whose next request's head is too large or too slow (header bombs, slow loris), or whose bytes belong to no request that goes on.

    Idle ones are uvicorn's keep-alive timeout.

    Trailers are dropped: uvicorn would put them among the headers, behind what a proxy before us has checked.
    """

    head_timeout_seconds = HEAD_TIMEOUT_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_reading_head = True
        self._non_body_bytes = 0
        self._has_progressed = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._active_cycle: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as uvicorn's own
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", _Outgoing(transport, self.loop))
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)
        if (
            self._active_cycle is not None
        ):  # uvicorn tells only the newest request, which waits behind this one
            self._active_cycle.disconnected = True
            self._active_cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._has_progressed = False
        super().data_received(data)
        self._non_body_bytes += 0 if self._has_progressed else len(data)
        if (
            self._non_body_bytes > MAX_HEAD_BYTES and not self.transport.is_closing()
        ):  # head, chunk extensions or trailers without end
            self.send_400_response("Request head too large.")
        if (
            self._head_timer is None
            and not self.transport.is_closing()
            and (self._is_reading_head or self.cycle.response_complete)
        ):
            self._start_head_timer()  # a head that has not come whole, as most do; or an empty line, or the rest of a body that was answered already

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_reading_head, self._non_body_bytes = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_reading_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._non_body_bytes, self._has_progressed = 0, True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._non_body_bytes, self._has_progressed = 0, True
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        if (
            len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            > MAX_HEAD_BYTES
        ):
            raise HeadTooLarge
        if b"#" in self.url or not (
            self.url.startswith((b"/", b"*")) or self._has_target_of_host()
        ):
            raise TargetInvalid
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS:
            raise TooManyPipelinedRequests
        self._is_reading_head = False
        self._stop_head_timer()
        super().on_headers_complete()

    def _has_target_of_host(self) -> bool:
        host = next((value for name, value in self.headers if name == b"host"), b"")
        return self.url.lower().startswith(b"http://%s/" % host.lower())

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._active_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def _unsupported_upgrade_warning(self) -> None:
        """We stay with HTTP/1.1. The parser reads nothing behind such a head: a body would never come, and nothing may follow the answer."""
        self.cycle.keep_alive = False
        if any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers):
            self.send_400_response("No other protocol is spoken here.")

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_seconds, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
