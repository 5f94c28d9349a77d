"""Removes forbidden words from problems and headers on the certificate host.

The source is certification.md 14.1. Not here: the pages and papers of certification.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import structlog

from chassis.texts import is_neutral
from gateway import request_context
from gateway.host_group import Group
from gateway.problems import CONTENT_TYPE, UpstreamFailed, neutralise

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.problems import Header

MAX_PROBLEM_BYTES = 65_536
# These headers describe the body that is replaced.
_REPLACED_HEADERS = frozenset({b"content-length", b"content-encoding"})

log = structlog.get_logger(__name__)


class NeutralResponses:
    """Rewrites the services' problem documents and drops headers with a forbidden word."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if request_context.get_context(scope).group is Group.CERTIFICATE:
            send = _NeutralSender(send)
        return self.app(scope, receive, send)


class _NeutralSender:
    """Buffers a problem until its body is complete and rewritten; passes everything else."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held_start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message)
            if self._held_start is not None:
                return
        if self._held_start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if len(self._body) > MAX_PROBLEM_BYTES:
            raise UpstreamFailed
        if not message.get("more_body"):
            await self._send_rewritten(self._held_start)

    def _begin(self, start: Message) -> None:
        """Begin a response.

        A second response begins if the first attempt broke off within its problem and was retried.
        """
        self._held_start = None
        self._body.clear()
        start["headers"] = _drop_forbidden(start["headers"])
        content_type = dict(start["headers"]).get(b"content-type", b"")
        if content_type.lower().startswith(CONTENT_TYPE):
            self._held_start = start

    async def _send_rewritten(self, start: Message) -> None:
        problem = neutralise(_parse_problem(bytes(self._body), start["status"]))
        body = json.dumps(problem, ensure_ascii=False).encode()
        headers = [header for header in start["headers"] if header[0] not in _REPLACED_HEADERS]
        headers.append((b"content-length", str(len(body)).encode()))
        start["headers"] = headers
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _drop_forbidden(headers: list[Header]) -> list[Header]:
    kept: list[Header] = []
    dropped_names: list[str] = []
    for name, value in headers:
        if is_neutral(value.decode("latin-1")):
            kept.append((name, value))
        else:
            dropped_names.append(name.decode("latin-1"))
    if dropped_names:
        log.error("a header was withheld from the certificate host", names=dropped_names)
    return kept


def _parse_problem(body: bytes, status: int) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {"status": status}
    if not isinstance(content, dict):
        return {"status": status}
    return cast("dict[str, Any]", content)
