"""Who is still there while a service works: a client that leaves, a revoked caller and a draining gateway end what is under way. Not here: deadlines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from gateway.problems import ClientDisconnected, StreamEnded, TokenRefused, UpstreamUnavailable

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import Receive

    from gateway.authn.revocation_cache import RevocationCache
    from gateway.request_context import RequestContext

WATCH_DELAY_SECONDS = (
    0.2  # most answers are complete before anybody could have left; only the others cost a task
)


class RequestCanceller:
    """Stands beside one request and cancels it, with the reason, when nobody waits for it any more."""

    def __init__(self, ctx: RequestContext, receive: Receive, streams: OpenStreams) -> None:
        self.ctx, self._receive, self._streams = ctx, receive, streams
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
        """Cancel the request; it fails with this reason."""
        if self._reason is None and self._request is not None:
            self._reason = reason
            self._request.cancel()

    def _start_watching(self) -> None:
        if self.ctx.is_upload_open:  # whoever reads the body sees the client leave
            self._timer = self._loop.call_later(WATCH_DELAY_SECONDS, self._start_watching)
        else:
            self._watch_task = self._loop.create_task(self._cancel_on_disconnect())

    async def _cancel_on_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.cancel(ClientDisconnected())


class OpenStreams:
    """The open-ended answers under way."""

    def __init__(self, revocations: RevocationCache) -> None:
        self.cancellers: set[RequestCanceller] = set()
        self._revocations = revocations
        self._is_draining = False

    def register(self, canceller: RequestCanceller) -> None:
        """One more; UpstreamUnavailable where the gateway drains."""
        if self._is_draining:
            raise UpstreamUnavailable
        self.cancellers.add(canceller)

    def cancel_revoked(self, now: float) -> None:
        """End those whose caller was revoked meanwhile, or whose token or grant is over; `now` in epoch seconds."""
        for attendant in list(self.cancellers):
            caller = attendant.ctx.identified_caller
            if self._revocations.covers(caller) or 0 < caller.expires_at <= now:
                attendant.cancel(
                    StreamEnded("withdrawn") if attendant.ctx.status else TokenRefused()
                )

    def cancel_all(self) -> None:
        """End all of them and let no other begin, because the gateway drains: clients come back to another replica."""
        self._is_draining = True
        for attendant in list(self.cancellers):
            attendant.cancel(
                StreamEnded("draining") if attendant.ctx.status else UpstreamUnavailable()
            )
