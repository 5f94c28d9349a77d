"""The request id and the trace: taken over where they are well formed, made where not, and passed on. Not here: what is logged."""

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

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class RequestIds:
    """Gives the passage its request id and its span."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        given = request_context.read_single_header(scope, b"x-request-id")
        crossing.request_id = given.decode() if given and _REQUEST_ID.fullmatch(given) else new_id()
        crossing.response_headers.append((b"x-request-id", crossing.request_id.encode()))
        outer = request_context.read_single_header(scope, b"traceparent")
        given_trace = outer.decode() if outer and _TRACEPARENT.fullmatch(outer) else None
        structlog.contextvars.bind_contextvars(
            request_id=crossing.request_id
        )  # the server gives every request a task, and so a context, of its own
        with telemetry.span(scope["method"], of=given_trace, kind=trace.SpanKind.SERVER) as span:
            crossing.traceparent = telemetry.current_traceparent()
            await self.app(scope, receive, send)
            if span.is_recording():
                if crossing.route:
                    span.update_name(crossing.route.permission)
                span.set_attribute("http.response.status_code", crossing.status)
