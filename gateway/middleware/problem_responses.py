"""Turns refusals and defects into problem responses.

Not here: how a problem is rendered (problems).
"""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

import structlog

from chassis.errors import DomainError
from gateway import problems, request_context
from gateway.problems import ClientDisconnected, StreamEnded, Unexpected

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.host_group import Group
    from gateway.problems import Header
    from gateway.request_context import RequestContext

DRAIN_SECONDS = 2.0
SMALL_UPLOAD_BYTES = 65_536
CLIENT_DISCONNECTED_STATUS = 499  # only in logs and metrics: no client gets this response

log = structlog.get_logger(__name__)


class ProblemResponses:
    """Turns errors into responses.

    A response that fails after its first byte is cut off, so that it never looks complete.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        try:
            await self.app(scope, receive, send)
        except ClientDisconnected:
            ctx.status = CLIENT_DISCONNECTED_STATUS
        except StreamEnded as error:
            log.info("open-ended response ended", reason=str(error))
        except DomainError as error:
            await _refuse(error, ctx, receive, send)
        except Exception as error:  # noqa: BLE001 - the caller gets a 500
            # The message of an error may contain an address, so only type and place are logged.
            log.error(  # noqa: TRY400
                "a defect of the gateway",
                error=type(error).__name__,
                place="".join(traceback.format_tb(error.__traceback__)),
            )
            await _refuse(Unexpected(), ctx, receive, send)


async def _refuse(error: DomainError, ctx: RequestContext, receive: Receive, send: Send) -> None:
    has_begun = ctx.status != 0
    if has_begun:
        return
    length = ctx.upload_length
    is_small = length is not None and length <= SMALL_UPLOAD_BYTES
    if not ctx.is_upload_open or is_small:
        await send_problem(error, ctx.group, ctx.request_id, [], send)
        return
    close = [(b"connection", b"close")]
    await send_problem(error, ctx.group, ctx.request_id, close, send, has_more=True)
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
    """Send the problem document of this error; with `has_more` the response stays open."""
    body = problems.render_problem(error, group, request_id)
    head = [
        *problems.problem_headers(error),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": has_more})


async def _drain_body(receive: Receive) -> None:
    """Read and drop the rest of the body for at most DRAIN_SECONDS.

    Closing a connection with unread bytes resets it, and the client would not see the problem.
    """
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return
