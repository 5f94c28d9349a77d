"""What goes out: every refusal as a problem, and the headers that the other concerns left for the answer. Not here: who refuses what."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

import structlog

from chassis.errors import DomainError
from gateway import problems, request_context
from gateway.problems import ClientDisconnected, StreamEnded, Unexpected

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.request_context import Header, RequestContext
    from gateway.routing.table import Group

DRAIN_SECONDS = 2.0
SMALL_UPLOAD_BYTES = 65_536
CLIENT_DISCONNECTED_STATUS = 499  # for the metrics alone: nobody reads this answer

log = structlog.get_logger(__name__)


class ProblemResponses:
    """Turns refusals into answers. An answer that fails after its first byte is cut off, so that nobody takes it for whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                crossing.status = message["status"]
                headers = [*message["headers"], *crossing.response_headers]
                present = {name for name, _ in headers}
                message["headers"] = headers + [
                    entry for entry in crossing.default_headers if entry[0] not in present
                ]
            await send(message)

        try:
            await self.app(scope, receive, answered)
        except ClientDisconnected:
            crossing.status = CLIENT_DISCONNECTED_STATUS
        except StreamEnded as error:
            log.info("open-ended answer ended", reason=str(error))
        except DomainError as error:
            await self._send_problem(error, crossing, receive, answered)
        except Exception as error:  # noqa: BLE001 - the caller gets a 500
            log.error(  # noqa: TRY400 - an error's text may hold an address: type and place only
                "a defect of the gateway",
                error=type(error).__name__,
                place="".join(traceback.format_tb(error.__traceback__)),
            )
            await self._send_problem(Unexpected(), crossing, receive, answered)

    async def _send_problem(
        self, error: DomainError, ctx: RequestContext, receive: Receive, send: Send
    ) -> None:
        if ctx.status:
            return
        length = ctx.upload_length
        if not ctx.is_upload_open or (length is not None and length <= SMALL_UPLOAD_BYTES):
            await send_problem(error, ctx.group, ctx.request_id, [], send)
            return
        await send_problem(
            error, ctx.group, ctx.request_id, [(b"connection", b"close")], send, has_more=True
        )
        await _drain_body(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_problem(
    error: DomainError,
    group: Group | None,
    request_id: str,
    headers: list[Header],
    send: Send,
    *,
    has_more: bool = False,
) -> None:
    """Send the problem document of this error; with `more` the answer is left open."""
    body = problems.render_problem(error, group, request_id)
    head = [
        *problems.problem_headers(error),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": has_more})


async def _drain_body(receive: Receive) -> None:
    """Read on for a moment and drop it: a connection closed on unread bytes is reset, and the client never sees why it was refused."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return
