"""Request id and trace: the client's if well-formed, else new ones. Not here: the log line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import structlog
from opentelemetry import trace

from chassis import telemetry
from chassis.ids import new_id
from gateway import request_context

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# The id goes into logs and events. Sixteen figures may be a NIK, also when a hyphen divides them.
_REQUEST_ID = re.compile(rb"(?=.*[A-Za-z])(?!.*[0-9]{16})[A-Za-z0-9][A-Za-z0-9-]{7,63}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class RequestIds:
    """Gives the request its id and its span."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        ctx.request_id = _read_header(scope, b"x-request-id", _REQUEST_ID) or new_id()
        ctx.response_headers.append((b"x-request-id", ctx.request_id.encode()))
        # The server runs each request in a task, and so in a context, of its own.
        structlog.contextvars.bind_contextvars(request_id=ctx.request_id)
        parent = _read_header(scope, b"traceparent", _TRACEPARENT)
        with telemetry.span(scope["method"], of=parent, kind=trace.SpanKind.SERVER) as span:
            ctx.traceparent = telemetry.current_traceparent()
            await self.app(scope, receive, send)
            if span.is_recording():
                if ctx.route:
                    span.update_name(ctx.route.permission)
                span.set_attribute("http.response.status_code", ctx.status)


def _read_header(scope: Scope, name: bytes, pattern: re.Pattern[bytes]) -> str | None:
    """Return the header's value if it occurs once and matches the pattern."""
    value = request_context.read_single_header(scope, name)
    if value is None or not pattern.fullmatch(value):
        return None
    return value.decode()
