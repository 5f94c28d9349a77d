"""uvicorn's HTTP/1.1 protocol with limits on everything except bodies.

It limits the size of a request head, the time in which the head must arrive, and the bytes that
belong to no request. Not here: the size of bodies (middleware/body_limit).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32_768
HEAD_TIMEOUT_SECONDS = 10.0
HEADER_OVERHEAD_BYTES = 4  # ": " and the line end
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class HeadTooLarge(ValueError):
    """The request line and headers exceed MAX_HEAD_BYTES."""


class TargetInvalid(ValueError):
    """The request line names another host than the Host header, or has a fragment."""


class RequestTooEarly(ValueError):
    """A request began before the previous response on its connection was complete (pipelining).

    Each queued request costs a hundred times its bytes, and no common client pipelines.
    """


class UpgradeWithBody(ValueError):
    """A request with a body asks for a protocol upgrade.

    The parser reads nothing after such a head, so the body would never arrive.
    """


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections whose head is too large or too slow, or whose bytes are no request.

    An error in a callback of the parser closes the connection with 400. Idle connections are closed
    by uvicorn's keep-alive timeout. Trailers are dropped: uvicorn would append them to the headers,
    which a proxy in front of us has already checked.
    """

    head_timeout_seconds = HEAD_TIMEOUT_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_reading_head = True
        self._non_body_bytes = 0
        self._has_progressed = False
        self._head_timer: asyncio.TimerHandle | None = None

    # uvicorn types the transport more narrowly than asyncio.
    def connection_made(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        transport: asyncio.Transport,
    ) -> None:
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_progressed = False
        super().data_received(data)
        if not self._has_progressed:
            self._non_body_bytes += len(data)
        if self.transport.is_closing():
            return
        # An endless head, or endless chunk extensions or trailers.
        if self._non_body_bytes > MAX_HEAD_BYTES:
            self.send_400_response("Request head too large.")
            return
        # The head is incomplete, or these bytes belong to no request: an empty line, or the rest of
        # a body that was answered early.
        is_idle = self._is_reading_head or self.cycle.response_complete
        if is_idle and self._head_timer is None:
            self._start_head_timer()

    def on_message_begin(self) -> None:
        # uvicorn sets `cycle` with the first request, and types it as always set.
        is_first = self.cycle is None  # pyright: ignore[reportUnnecessaryComparison]
        if not is_first and not self.cycle.response_complete:
            raise RequestTooEarly
        super().on_message_begin()
        self._is_reading_head = True
        self._non_body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_reading_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_head()
        self._is_reading_head = False
        self._stop_head_timer()
        super().on_headers_complete()
        if self._wants_upgrade():
            # The upgrade is ignored, but the parser reads nothing more on this connection.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._non_body_bytes = 0
        self._has_progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._non_body_bytes = 0
        self._has_progressed = True
        super().on_message_complete()

    def _check_head(self) -> None:
        header_bytes = sum(
            len(name) + len(value) + HEADER_OVERHEAD_BYTES for name, value in self.headers
        )
        if len(self.url) + header_bytes > MAX_HEAD_BYTES:
            raise HeadTooLarge
        if b"#" in self.url or not self._is_target_local():
            raise TargetInvalid
        has_body = any(name in _BODY_HEADERS for name, _ in self.headers)
        if has_body and self._wants_upgrade():
            raise UpgradeWithBody

    def _is_target_local(self) -> bool:
        """Return whether the target is a path, or an address of the host in the Host header."""
        if self.url.startswith((b"/", b"*")):
            return True
        host = next((value for name, value in self.headers if name == b"host"), b"")
        return self.url.lower().startswith(b"http://%s/" % host.lower())

    def _wants_upgrade(self) -> bool:
        return self.parser is not None and self.parser.should_upgrade()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_seconds, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
