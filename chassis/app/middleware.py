"""The ASGI middlewares of a service: request context, and authentication by internal token.

Not here: permissions.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus

import structlog
from fastapi import Request
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
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
from chassis.texts import TEXTS

MAX_BODY_BYTES = 32 * 1024 * 1024
# With a letter: figures alone may be a person's number, and the id goes into logs and events.
_REQUEST_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9-]{1,64}")
CLIENT_CLOSED_REQUEST = 499  # as nginx and the gateway count it; no client receives it
OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/statusz", "/openapi.json"})

log = telemetry.log(__name__)


class RequestContextMiddleware:
    """Adds request id, trace and metrics, and answers an unexpected error with a problem body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given_id = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given_id if _REQUEST_ID.fullmatch(given_id) else new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value
        has_started = False

        async def send_with_request_id(message: Message) -> None:
            nonlocal status, has_started
            if message["type"] == "http.response.start":
                status = message["status"]
                has_started = True
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
                await self.app(scope, receive, send_with_request_id)
            except ClientDisconnect:
                status = CLIENT_CLOSED_REQUEST
                log.info("client_left", method=scope["method"], route=_route(scope))
            except Exception:
                log.exception("request_failed", method=scope["method"], route=_route(scope))
                if has_started:
                    raise
                body = problem(Unexpected(), request_id)
                response = JSONResponse(body, Unexpected.status, media_type=PROBLEM)
                await response(scope, receive, send_with_request_id)
            finally:
                span.update_name(f"{scope['method']} {_route(scope)}")
                span.set_attribute("http.response.status_code", status)
                telemetry.REQUESTS.labels(scope["method"], _route(scope), str(status)).observe(
                    time.perf_counter() - began, telemetry.exemplar()
                )


class InternalAuthMiddleware:
    """Authenticates the caller by the internal token, before the body is read.

    It answers 503 until the service is prepared, and 413 when the body exceeds its limit.
    """

    def __init__(self, app: ASGIApp, verifier: InternalTokenVerifier, life: ServiceRuntime) -> None:
        self.app = app
        self.verifier = verifier
        self.life = life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        try:
            self._authenticate(scope)
        except DomainError as error:
            await problem_response(Request(scope), error)(scope, receive, send)
            return
        received_bytes = 0

        async def receive_counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > MAX_BODY_BYTES:
                # the only error that FastAPI passes on while it reads a body
                raise HTTPException(TooLarge.status)
            return message

        await self.app(scope, receive_counted, send)

    def _authenticate(self, scope: Scope) -> None:
        """Set the caller of a request, or the calling service of an internal query.

        Raises Busy, Unauthenticated.
        """
        if not self.life.prepared.is_set():
            raise Busy(retry_after=2)
        headers = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(headers) != 1:
            raise Unauthenticated
        token = bearer_token(headers[0].decode("latin-1"))
        if scope["path"].startswith("/internal/"):
            calling_service = self.verifier.calling_service(token, scope["method"], scope["path"])
            scope["state"]["calling_service"] = calling_service
            return
        scope["state"]["caller"] = self.verifier.caller(token)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "") or "unmatched"


class Unexpected(DomainError):
    """An unexpected error; the log has its details under the request id."""

    title = TEXTS["errors.unexpected"]
