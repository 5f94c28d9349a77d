"""Request cancellation: the client left, the caller was revoked, or the gateway drains.

Not here: deadlines (middleware/timeouts).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from gateway.problems import ClientDisconnected, StreamEnded, TokenRefused, UpstreamUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.types import Receive

    from gateway.access.identity import Identity
    from gateway.request_context import RequestContext

# Most responses are complete before this. Only the others cost a task that watches the client.
WATCH_DELAY_SECONDS = 0.2


class RequestCanceller:
    """Cancels one request, which then raises the given reason."""

    def __init__(self, ctx: RequestContext, receive: Receive, streams: OpenStreams) -> None:
        self.ctx = ctx
        self._receive = receive
        self._streams = streams
        self._loop = asyncio.get_running_loop()
        self._request = asyncio.current_task(self._loop)
        self._reason: Exception | None = None
        self._watch_task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self.ctx.matched_route.is_streaming:
            self._streams.register(self)
        self._timer = self._loop.call_later(WATCH_DELAY_SECONDS, self._start_watching)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._streams.cancellers.discard(self)
        if self._watch_task is not None:
            self._watch_task.cancel()
        if isinstance(error, asyncio.CancelledError) and self._reason is not None:
            if self._request is not None:
                self._request.uncancel()
            raise self._reason from None

    def cancel(self, reason: Exception) -> None:
        """Cancel the request and let it raise this reason."""
        if self._reason is None and self._request is not None:
            self._reason = reason
            self._request.cancel()

    def _start_watching(self) -> None:
        # Only one task may call `receive`. During an upload that is the reader of the body, which
        # notices the disconnect itself.
        if self.ctx.is_upload_open:
            self._timer = self._loop.call_later(WATCH_DELAY_SECONDS, self._start_watching)
        else:
            self._watch_task = self._loop.create_task(self._cancel_on_disconnect())

    async def _cancel_on_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.cancel(ClientDisconnected())


class OpenStreams:
    """The open-ended responses in progress. `is_revoked` is called with each caller."""

    def __init__(self, is_revoked: Callable[[Identity], bool]) -> None:
        self.cancellers: set[RequestCanceller] = set()
        self._is_revoked = is_revoked
        self._is_draining = False

    def register(self, canceller: RequestCanceller) -> None:
        """Add a stream. Raises UpstreamUnavailable while the gateway drains."""
        if self._is_draining:
            raise UpstreamUnavailable
        self.cancellers.add(canceller)

    def cancel_revoked(self, now: float) -> None:
        """Cancel streams whose caller is revoked or has expired; `now` in epoch seconds."""
        for canceller in list(self.cancellers):
            caller = canceller.ctx.identified_caller
            is_expired = 0 < caller.expires_at <= now
            if is_expired or self._is_revoked(caller):
                _cancel(canceller, StreamEnded("revoked"), TokenRefused())

    def cancel_all(self) -> None:
        """Cancel all streams and refuse new ones: clients reconnect to another replica."""
        self._is_draining = True
        for canceller in list(self.cancellers):
            _cancel(canceller, StreamEnded("draining"), UpstreamUnavailable())


def _cancel(canceller: RequestCanceller, stream_ended: StreamEnded, refusal: Exception) -> None:
    """Cut the response off if it has begun, else answer with the refusal."""
    has_begun = canceller.ctx.status != 0
    canceller.cancel(stream_ended if has_begun else refusal)
