"""The ASGI middlewares of a service: request context, and authentication by internal token. Not here: permissions."""

from __future__ import annotations

import time

import structlog
from fastapi import Request
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import telemetry
from chassis.app.lifespan import ServiceRuntime
from chassis.errors import (
    PROBLEM,
    Busy,
    DomainError,
    TooLarge,
    Unauthenticated,
    problem,
)
from chassis.http.dependencies import bearer_token
from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.http.problems import problem_response
from chassis.ids import new_id

MAX_BODY = 32 * 1024 * 1024


OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/statusz", "/openapi.json"})


log = telemetry.log(__name__)


class RequestContextMiddleware:
    """Request id, trace, metrics, and a problem body for what nobody expected."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"").decode("latin-1")[:64] or new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began, status, started = time.perf_counter(), 500, False

        async def watched(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode("latin-1")),
                ]
            await send(message)

        with telemetry.span(
            "http",
            of=headers.get(b"traceparent", b"").decode("latin-1"),
            kind=trace.SpanKind.SERVER,
        ) as span:
            try:
                await self.app(scope, receive, watched)
            except Exception:
                log.exception("request_failed", method=scope["method"], route=_route(scope))
                if started:
                    raise
                await JSONResponse(problem(Unexpected(), request_id), 500, media_type=PROBLEM)(
                    scope, receive, watched
                )
            finally:
                span.update_name(f"{scope['method']} {_route(scope)}")
                span.set_attribute("http.response.status_code", status)
                telemetry.REQUESTS.labels(scope["method"], _route(scope), str(status)).observe(
                    time.perf_counter() - began, telemetry.exemplar()
                )


class InternalAuthMiddleware:
    """Who asks: the internal token, verified before anything of the body is read, which is counted as it streams in. 503 while the service is not ready yet."""

    def __init__(self, app: ASGIApp, verifier: InternalTokenVerifier, life: ServiceRuntime) -> None:
        self.app, self.verifier, self.life = app, verifier, life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        try:
            if not self.life.prepared.is_set():
                raise Busy(retry_after=2)
            if not scope["path"].startswith("/internal/"):
                given = [value for name, value in scope["headers"] if name == b"authorization"]
                if len(given) != 1:
                    raise Unauthenticated
                scope["state"]["caller"] = self.verifier.caller(
                    bearer_token(given[0].decode("latin-1"))
                )
        except DomainError as error:
            await problem_response(Request(scope), error)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY:
                raise HTTPException(
                    TooLarge.status
                )  # of all errors, FastAPI lets only this one through while it reads a body
            return message

        await self.app(scope, counted, send)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "") or "unmatched"


class Unexpected(DomainError):
    """Something that nobody expected; the log has the rest under the request id."""

    title = "Terjadi kesalahan pada sistem; sampaikan nomor permintaan ini kepada petugas sistem"
