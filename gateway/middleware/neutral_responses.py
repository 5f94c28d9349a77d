"""What leaves through the certificate host speaks of no prison and no product, whatever a service wrote into its errors and headers. Not here: its pages and papers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import structlog

from chassis.texts import is_neutral
from gateway import request_context
from gateway.problems import CONTENT_TYPE, UpstreamFailed, neutralise
from gateway.routing.table import Group

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_PROBLEM_BYTES = 65_536

log = structlog.get_logger(__name__)


class NeutralResponses:
    """Rewrites the services' problem documents on the certificate host and drops headers that name what must not be named (certification.md 14.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self.app(
            scope,
            receive,
            _NeutralSender(send)
            if request_context.get_context(scope).group is Group.CERTIFICATE
            else send,
        )


class _NeutralSender:
    """Holds back the start of a problem until its body is whole and rewritten; lets everything else pass."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held_start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if (
            message["type"] == "http.response.start"
        ):  # a second one where the first try broke off within its problem
            self._held_start = None
            self._body.clear()
            kept = [
                (name, value)
                for name, value in message["headers"]
                if is_neutral(value.decode("latin-1"))
            ]
            if len(kept) < len(message["headers"]):
                log.error(
                    "a header was withheld from the certificate host",
                    names=[
                        name.decode("latin-1")
                        for name, value in message["headers"]
                        if (name, value) not in kept
                    ],
                )
            message["headers"] = kept
            if dict(kept).get(b"content-type", b"").lower().startswith(CONTENT_TYPE):
                self._held_start = message
                return
        if self._held_start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if len(self._body) > MAX_PROBLEM_BYTES:
            raise UpstreamFailed
        if not message.get("more_body"):
            await self._send_rewritten(self._held_start)

    async def _send_rewritten(self, start: Message) -> None:
        body = json.dumps(
            neutralise(_parse_problem(bytes(self._body), start["status"])), ensure_ascii=False
        ).encode()
        start["headers"] = [
            (name, value)
            for name, value in start["headers"]
            if name not in {b"content-length", b"content-encoding"}
        ]
        start["headers"].append((b"content-length", str(len(body)).encode()))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _parse_problem(body: bytes, status: int) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {"status": status}
