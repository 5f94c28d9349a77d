"""What a route is given: its runner, its caller, If-Match and limits. Not here: any route."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from pydantic import ConfigDict

from chassis.caller import Caller, CallingService
from chassis.errors import (
    Forbidden,
    Malformed,
    TooLarge,
    Unauthenticated,
    VersionRequired,
)
from chassis.http.idempotency import IdempotencyKey, RequestRunner
from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.persistence.store import Aggregate
from chassis.persistence.transactions import DEFAULT_SECONDS, TransactionManager
from chassis.persistence.unit_of_work import OperationContext

STRICT = ConfigDict(extra="forbid", strict=False, str_strip_whitespace=True)


Limit = Annotated[int, Query(ge=1, le=500, description="Banyaknya baris per halaman")]


async def runner(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> RequestRunner[Any]:
    """The runner of this request: its caller, its deadline, its Idempotency-Key."""
    engine: TransactionManager[Any] = request.app.state.engine
    caller = caller_of(request)
    key = None
    if request.method == "POST" and idempotency_key:
        key = IdempotencyKey.of(
            caller.subject,
            request.method,
            template(request),
            idempotency_key,
            await request.body() + request.url.path.encode(),
        )
    return RequestRunner(
        engine,
        OperationContext(caller=caller, correlation_id=request.state.request_id),
        seconds=_seconds_left(request),
        key=key,
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


def set_etag(response: Response, aggregate: Aggregate) -> None:
    """Tell the version that If-Match wants."""
    response.headers["etag"] = f'"{aggregate.version}"'


async def whole_body(request: Request, *, limit: int) -> bytes:
    """The raw body; TooLarge beyond `limit` bytes."""
    body = await request.body()
    if len(body) > limit:
        raise TooLarge
    return body


def require_service(*services: str, purposes: Sequence[str]) -> Any:
    """A dependency for an internal query: only these services may ask, only for these purposes. Gives the CallingService."""

    def ask(request: Request) -> CallingService:
        verifier: InternalTokenVerifier = request.app.state.verifier
        asker = verifier.calling_service(
            bearer_token(request.headers.get("authorization", "")), request.method, request.url.path
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


def require_permission(request: Request) -> None:
    """Refuse a caller without the permission `METHOD /template`. Raises Forbidden."""
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


def bearer_token(header: str) -> str:
    """Return the token of an Authorization header; "" when it is no bearer token."""
    scheme, _, token = header.partition(" ")
    return token if scheme.lower() == "bearer" else ""
