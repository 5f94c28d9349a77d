"""The HTTP side of a service: app, lifespan, problems, probes, and what routes are given. Not here: any route of a service.

Order of a request: request id and metrics, authentication (internal token), body limit, routing, permission (`METHOD /template`), the route.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar, cast

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from opentelemetry import trace
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import telemetry, texts
from chassis.admin import operator_api
from chassis.app.database_setup import Migration
from chassis.app.lifespan import Lifetime
from chassis.errors import (
    PROBLEM,
    Busy,
    DomainError,
    Forbidden,
    Malformed,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
    VersionRequired,
    problem,
)
from chassis.http.internal_tokens import Asker, Caller, Verifier
from chassis.ids import new_id
from chassis.jobs.runner import Job
from chassis.messaging.events import Event
from chassis.messaging.inbox import Handlers
from chassis.persistence import mongo
from chassis.persistence.store import Aggregate
from chassis.persistence.transactions import DEFAULT_SECONDS, Engine, Repeat, Runner
from chassis.persistence.unit_of_work import Cause, Transaction
from chassis.settings import Settings

MIB, MAX_BODY = 1024 * 1024, 32 * 1024 * 1024
STRICT = ConfigDict(extra="forbid", strict=False, str_strip_whitespace=True)
OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/statusz", "/openapi.json"})
Limit = Annotated[int, Query(ge=1, le=500, description="Banyaknya baris per halaman")]
Tx = TypeVar("Tx", bound=Transaction)
Item = TypeVar("Item")
log = telemetry.log(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[Tx]):
    """What makes a service: its unit of work, routes, events out and in, leased jobs, changes of stored documents, and ports that use cases reach as `tx.parts`."""

    name: str
    settings: Settings
    transaction: type[Tx]
    routers: Sequence[APIRouter]
    published: Sequence[type[Event]] = ()
    handlers: Handlers = field(default_factory=dict[str, Any])
    jobs: Sequence[Job] = ()
    migrations: Sequence[Migration] = ()
    parts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    title: str = ""


class PageBody(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last."""

    items: list[Item]
    next_cursor: str | None = None


def create_app(
    service: Service[Any], *, lifetime: Callable[[Service[Any]], Lifetime] = Lifetime
) -> FastAPI:
    """The ASGI app of a service, with its relay, consumer and jobs in its lifespan."""
    life = lifetime(service)
    app = FastAPI(
        title=service.title or f"Bina {service.name}",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=life.lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.life, app.state.engine, app.state.service, app.state.stopping = (
        life,
        life.engine,
        service,
        life.stopping,
    )
    app.state.verifier = Verifier(service.name, service.settings.trusted_keys)
    for name, part in service.parts.items():
        setattr(app.state, name, part)
    for router in (
        *service.routers,
        *([operator_api.router(service.name)] if service.published or service.handlers else []),
    ):
        app.include_router(router, dependencies=[Depends(_permitted)])
    app.include_router(_probes)
    for kind, answer in (
        (DomainError, _domain_problem),
        (RequestValidationError, _invalid),
        (HTTPException, _http_problem),
        (mongo.MongoError, _database_away),
    ):
        app.add_exception_handler(
            kind, cast("Callable[[Request, Exception], Awaitable[Response]]", answer)
        )
    app.add_middleware(cast("Any", _Admitted), verifier=app.state.verifier, life=life)
    app.add_middleware(cast("Any", _Watched))
    return app


# What routes are given


async def runner(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> Runner[Any]:
    """The runner of this request: its caller, its deadline, its Idempotency-Key."""
    engine: Engine[Any] = request.app.state.engine
    caller = caller_of(request)
    repeat = None
    if request.method == "POST" and idempotency_key:
        repeat = Repeat.of(
            caller.subject,
            request.method,
            template(request),
            idempotency_key,
            await request.body() + request.url.path.encode(),
        )
    return Runner(
        engine,
        Cause(caller=caller, correlation_id=request.state.request_id),
        seconds=_seconds_left(request),
        repeat=repeat,
    )


def caller_of(request: Request) -> Caller:
    """Who asks, as the gateway vouches."""
    caller = getattr(request.state, "caller", None)
    if caller is None:
        raise Unauthenticated
    return caller


CurrentCaller = Annotated[Caller, Depends(caller_of)]


def if_match(
    if_match: Annotated[str | None, Header(description='Versi data yang diubah, mis. "3"')] = None,
) -> int | None:
    """The version in If-Match; None without one."""
    if if_match is None:
        return None
    try:
        return int(if_match.removeprefix("W/").strip('"'))
    except ValueError:
        raise Malformed(field="If-Match") from None


def required_if_match(version: Annotated[int | None, Depends(if_match)]) -> int:
    """The version in If-Match; VersionRequired without one."""
    if version is None:
        raise VersionRequired
    return version


IfMatch = Annotated[int | None, Depends(if_match)]
RequiredIfMatch = Annotated[int, Depends(required_if_match)]


def etag(response: Response, aggregate: Aggregate) -> None:
    """Tell the version that If-Match wants."""
    response.headers["etag"] = f'"{aggregate.version}"'


async def whole_body(request: Request, *, limit: int) -> bytes:
    """The raw body; TooLarge beyond `limit` bytes."""
    body = await request.body()
    if len(body) > limit:
        raise TooLarge
    return body


def asked_by(*services: str, purposes: Sequence[str]) -> Any:
    """A dependency for an internal query: only these services may ask, only for these purposes. Gives the Asker."""

    def ask(request: Request) -> Asker:
        verifier: Verifier = request.app.state.verifier
        asker = verifier.asker(
            _bearer(request.headers.get("authorization", "")), request.method, request.url.path
        )
        if asker.service not in services or asker.purpose not in purposes:
            raise Forbidden
        request.state.asker = asker
        request.state.caller = Caller(
            subject=f"service:{asker.service}",
            role="service",
            on_behalf_of=asker.on_behalf_of,
            system=True,
        )
        return asker

    return Depends(ask)


def template(request: Request) -> str:
    """The route template of a request, e.g. `/v1/enrolments/{enrolment_id}`."""
    route = request.scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", "")


def _permitted(request: Request) -> None:
    path = template(request)
    if path.startswith("/internal/"):
        return
    if f"{request.method} {path}" not in caller_of(request).permissions:
        raise Forbidden


def _seconds_left(request: Request) -> float:
    """From `x-request-deadline` (Unix time in milliseconds), as the gateway passes it on."""
    try:
        return max(
            0.05, min(60.0, int(request.headers.get("x-request-deadline", "")) / 1000 - time.time())
        )
    except ValueError:
        return DEFAULT_SECONDS


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token if scheme.lower() == "bearer" else ""


# Problems


def _request_id(request: Request) -> str:
    return getattr(request.state, "request_id", "")


def _answer(request: Request, error: DomainError) -> JSONResponse:
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, Busy) else {}
    return JSONResponse(
        problem(error, _request_id(request)), error.status, headers, media_type=PROBLEM
    )


async def _domain_problem(request: Request, error: DomainError) -> Response:
    return _answer(request, error)


class BodyInvalid(Refused):
    """Fields that do not fit; each is named under `errors`."""

    title = "Isian tidak sesuai"


_WORDS: dict[str, str] = {
    code: words for words, codes in texts.read("fields").items() for code in codes
}


def _field_problem(problem: Mapping[str, Any]) -> dict[str, str]:
    place = ".".join(
        str(part) for part in problem["loc"] if part not in {"body", "query", "path", "header"}
    )
    return {
        "field": place,
        "message": _WORDS.get(problem["type"], "tidak sesuai"),
        "code": problem["type"],
    }


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    listed = [_field_problem(problem) for problem in error.errors()]
    if any(one["code"] == "json_invalid" for one in listed):
        return _answer(request, Malformed("Isi permintaan bukan JSON yang benar"))
    first = listed[0]
    return _answer(
        request,
        BodyInvalid(
            f"{first['field']} {first['message']}".strip(),
            field=first["field"] or None,
            errors=listed,
        ),
    )


async def _http_problem(request: Request, error: HTTPException) -> Response:
    for kind in (NotFound, Unauthenticated, Forbidden, TooLarge):
        if kind.status == error.status_code:
            return _answer(request, kind())
    told = {
        "type": "about:blank",
        "title": DomainError.title,
        "status": error.status_code,
        "code": f"http_{error.status_code}",
        "request_id": _request_id(request),
    }
    return JSONResponse(told, error.status_code, error.headers, media_type=PROBLEM)


async def _database_away(request: Request, error: mongo.MongoError) -> Response:
    log.warning("database_error", error=type(error).__name__)
    return _answer(request, Busy())


# Middlewares


class _Watched:
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


class _Admitted:
    """Who asks: the internal token, verified before anything of the body is read, which is counted as it streams in. 503 while the service is not ready yet."""

    def __init__(self, app: ASGIApp, verifier: Verifier, life: Lifetime) -> None:
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
                scope["state"]["caller"] = self.verifier.caller(_bearer(given[0].decode("latin-1")))
        except DomainError as error:
            await _answer(Request(scope), error)(scope, receive, send)
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


# Probes

_probes = APIRouter(include_in_schema=False)


@_probes.get("/livez")
async def livez(request: Request) -> Response:
    """200 while the process does its work; 503 tells the supervisor to start it anew."""
    life: Lifetime = request.app.state.life
    return JSONResponse({"alive": life.alive()}, 200 if life.alive() else 503)


@_probes.get("/readyz")
async def readyz(request: Request) -> Response:
    """200 when the database answers, collections are prepared and topics are joined; the parts that are missing by name."""
    life: Lifetime = request.app.state.life
    missing = await life.missing()
    return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)


@_probes.get("/metrics")
async def metrics(accept: Annotated[str, Header()] = "") -> Response:
    """The metrics in the form that the asker takes: OpenMetrics, which alone has exemplars, or Prometheus' text."""
    encode, kind = choose_encoder(accept)
    return Response(encode(REGISTRY), media_type=kind)


@_probes.get("/statusz")
async def statusz(request: Request) -> dict[str, Any]:
    """What `bina status` shows of this service."""
    life: Lifetime = request.app.state.life
    return await life.status()
