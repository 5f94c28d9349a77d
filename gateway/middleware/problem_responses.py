"""What goes out: every refusal as a problem, and the headers that the other concerns left for the answer. Not here: who refuses what."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

import structlog

from chassis.errors import DomainError
from gateway import problems, request_context
from gateway.problems import ClientGone, StreamEnded, Unexpected

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import Header, Passage
    from gateway.routing.table import Group

LINGER_SECONDS = 2.0
SMALL_UPLOAD = 65_536
CLIENT_GONE = 499  # for the metrics alone: nobody reads this answer

log = structlog.get_logger(__name__)


class Answers:
    """Turns refusals into answers. An answer that fails after its first byte is cut off, so that nobody takes it for whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.of(scope)

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                crossing.status = message["status"]
                headers = [*message["headers"], *crossing.headers]
                present = {name for name, _ in headers}
                message["headers"] = headers + [
                    entry for entry in crossing.defaults if entry[0] not in present
                ]
            await send(message)

        try:
            await self.app(scope, receive, answered)
        except ClientGone:
            crossing.status = CLIENT_GONE
        except StreamEnded as error:
            log.info("open-ended answer ended", reason=str(error))
        except DomainError as error:
            await self._refused(error, crossing, receive, answered)
        except Exception as error:  # noqa: BLE001 - the caller gets a 500
            log.error(  # noqa: TRY400 - an error's text may hold an address: type and place only
                "a defect of the gateway",
                error=type(error).__name__,
                place="".join(traceback.format_tb(error.__traceback__)),
            )
            await self._refused(Unexpected(), crossing, receive, answered)

    async def _refused(
        self, error: DomainError, crossing: Passage, receive: Receive, send: Send
    ) -> None:
        if crossing.status:
            return
        length = crossing.upload_length
        if not crossing.upload_open or (length is not None and length <= SMALL_UPLOAD):
            await refuse(error, crossing.group, crossing.request_id, [], send)
            return
        await refuse(
            error, crossing.group, crossing.request_id, [(b"connection", b"close")], send, more=True
        )
        await _linger(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def refuse(
    error: DomainError,
    group: Group | None,
    request_id: str,
    headers: list[Header],
    send: Send,
    *,
    more: bool = False,
) -> None:
    """Send the problem document of this error; with `more` the answer is left open."""
    body = problems.body_of(error, group, request_id)
    head = [*problems.headers_of(error), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": error.status, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _linger(receive: Receive) -> None:
    """Read on for a moment and drop it: a connection closed on unread bytes is reset, and the client never sees why it was refused."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return
