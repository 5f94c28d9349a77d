"""Who is still there while a service works: a client that leaves, a revoked caller and a draining gateway end what is under way. Not here: deadlines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from gateway.problems import ClientGone, ServiceAway, StreamEnded, TokenRefused

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import Receive

    from gateway.authn.revocation_cache import Revocations
    from gateway.request_context import Passage

PATIENCE_SECONDS = (
    0.2  # most answers are complete before anybody could have left; only the others cost a task
)


class Attendant:
    """Stands beside one request and cancels it, with the reason, when nobody waits for it any more."""

    def __init__(self, crossing: Passage, receive: Receive, streams: OpenStreams) -> None:
        self.crossing, self._receive, self._streams = crossing, receive, streams
        self._loop = asyncio.get_running_loop()
        self._request = asyncio.current_task(self._loop)
        self._reason: Exception | None = None
        self._watch: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self.crossing.routed.streaming:
            self._streams.enter(self)
        self._timer = self._loop.call_later(PATIENCE_SECONDS, self._begin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._streams.open.discard(self)
        if self._watch is not None:
            self._watch.cancel()
        if isinstance(error, asyncio.CancelledError) and self._reason is not None:
            if self._request is not None:
                self._request.uncancel()
            raise self._reason from None

    def end(self, reason: Exception) -> None:
        """Cancel the request; it fails with this reason."""
        if self._reason is None and self._request is not None:
            self._reason = reason
            self._request.cancel()

    def _begin(self) -> None:
        if self.crossing.upload_open:  # whoever reads the body sees the client leave
            self._timer = self._loop.call_later(PATIENCE_SECONDS, self._begin)
        else:
            self._watch = self._loop.create_task(self._until_left())

    async def _until_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.end(ClientGone())


class OpenStreams:
    """The open-ended answers under way."""

    def __init__(self, revocations: Revocations) -> None:
        self.open: set[Attendant] = set()
        self._revocations = revocations
        self._draining = False

    def enter(self, attendant: Attendant) -> None:
        """One more; ServiceAway where the gateway drains."""
        if self._draining:
            raise ServiceAway
        self.open.add(attendant)

    def end_withdrawn(self, now: float) -> None:
        """End those whose caller was revoked meanwhile, or whose token or grant is over; `now` in epoch seconds."""
        for attendant in list(self.open):
            caller = attendant.crossing.known
            if self._revocations.cover(caller) or 0 < caller.expires_at <= now:
                attendant.end(
                    StreamEnded("withdrawn") if attendant.crossing.status else TokenRefused()
                )

    def end_all(self) -> None:
        """End all of them and let no other begin, because the gateway drains: clients come back to another replica."""
        self._draining = True
        for attendant in list(self.open):
            attendant.end(StreamEnded("draining") if attendant.crossing.status else ServiceAway())
