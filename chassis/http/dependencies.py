"""FastAPI dependencies: request runner, caller, If-Match, permissions. Not here: any route."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
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
from chassis.persistence.store import Aggregate
from chassis.persistence.transactions import DEFAULT_SECONDS, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from chassis.texts import TEXTS

ANONYMOUS = "public"  # the subject that the gateway gives to requests without a token
MIN_SECONDS = 0.05
MAX_SECONDS = 60.0
MAX_FIELD_NAME = 100

STRICT = ConfigDict(extra="forbid", strict=False, str_strip_whitespace=True)

Limit = Annotated[int, Query(ge=1, le=500, description="Banyaknya baris per halaman")]


async def runner(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> RequestRunner[Any]:
    """Return the runner of this request with its caller, deadline and Idempotency-Key."""
    engine: TransactionManager[Any] = request.app.state.engine
    caller = caller_of(request)
    key = None
    if request.method == "POST" and idempotency_key:
        key = IdempotencyKey.of(
            caller,
            request.method,
            template(request),
            idempotency_key,
            holder=_anonymous_holder(request) if caller.subject == ANONYMOUS else "",
            path=request.url.path,
            body=await request.body(),
        )
    return RequestRunner(
        engine,
        OperationContext(caller=caller, correlation_id=request.state.request_id),
        seconds=_seconds_left(request),
        key=key,
    )


def _anonymous_holder(request: Request) -> str:
    """Return what distinguishes an anonymous caller from the others.

    It is the token of an order, else the path with the id of a cart, which only its holder knows,
    else the client's address.
    """
    token = request.headers.get("order-token") or request.query_params.get("token", "")
    if token:
        return f"token {token}"
    if request.path_params:
        return f"path {request.url.path}"
    return f"address {request.headers.get('x-client-address', '')}"


def caller_of(request: Request) -> Caller:
    """Return the caller that the internal token names. Raises Unauthenticated."""
    caller = getattr(request.state, "caller", None)
    if caller is None:
        raise Unauthenticated
    return caller


CurrentCaller = Annotated[Caller, Depends(caller_of)]


def if_match(
    if_match: Annotated[str | None, Header(description='Versi data yang diubah, mis. "3"')] = None,
) -> int | None:
    """Return the version in If-Match; None without the header. Raises Malformed."""
    if if_match is None:
        return None
    try:
        return int(if_match.removeprefix("W/").strip('"'))
    except ValueError:
        raise Malformed(field="If-Match") from None


def required_if_match(version: Annotated[int | None, Depends(if_match)]) -> int:
    """Return the version in If-Match. Raises VersionRequired without the header."""
    if version is None:
        raise VersionRequired
    return version


IfMatch = Annotated[int | None, Depends(if_match)]
RequiredIfMatch = Annotated[int, Depends(required_if_match)]


def set_etag(response: Response, aggregate: Aggregate) -> None:
    """Set the ETag to the aggregate's version, which a later If-Match must name."""
    response.headers["etag"] = f'"{aggregate.version}"'


async def whole_body(request: Request, *, limit: int) -> bytes:
    """Return the raw body. Raises TooLarge beyond `limit` bytes."""
    body = await request.body()
    if len(body) > limit:
        raise TooLarge
    return body


def require_service(*services: str, purposes: Sequence[str]) -> Any:
    """Return a dependency that returns the CallingService of an internal query.

    Only these services may call, and only for these purposes; others get Forbidden.
    """

    def verify(request: Request) -> CallingService:
        calling_service: CallingService = request.state.calling_service
        if calling_service.service not in services or calling_service.purpose not in purposes:
            raise Forbidden
        request.state.caller = Caller(
            subject=f"service:{calling_service.service}",
            role="service",
            on_behalf_of=calling_service.on_behalf_of,
            system=True,
        )
        return calling_service

    return Depends(verify)


def template(request: Request) -> str:
    """Return the route template of a request, e.g. `/v1/enrolments/{enrolment_id}`."""
    route = request.scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", "")


def require_permission(request: Request) -> None:
    """Refuse a caller without the permission `METHOD /template`. Raises Forbidden."""
    path = template(request)
    if path.startswith("/internal/"):
        return
    if f"{request.method} {path}" not in caller_of(request).permissions:
        raise Forbidden


async def refuse_repeated_members(request: Request) -> None:
    """Refuse a JSON body in which an object has a member twice. Raises Malformed.

    Readers differ in which of the two counts. What is no JSON is refused elsewhere.
    """
    if "json" not in request.headers.get("content-type", ""):
        return
    with suppress(ValueError, RecursionError):
        json.loads(await request.body(), object_pairs_hook=_without_repeats)


def _without_repeats(members: list[tuple[str, Any]]) -> None:
    """Raise Malformed if a name occurs twice. The values of the body are not needed."""
    counts = Counter(name for name, _ in members)
    for name, count in counts.items():
        if count > 1:
            raise Malformed(TEXTS["details.member_twice"], field=name[:MAX_FIELD_NAME])


def _seconds_left(request: Request) -> float:
    """Return the seconds until `x-request-deadline`, which the gateway sets (Unix time in ms).

    Without a valid header it is 10 s; the result is at least 50 ms and at most 60 s.
    """
    try:
        deadline = int(request.headers.get("x-request-deadline", "")) / 1000
    except ValueError:
        return DEFAULT_SECONDS
    return max(MIN_SECONDS, min(MAX_SECONDS, deadline - time.time()))


def bearer_token(header: str) -> str:
    """Return the token of an Authorization header; "" if its scheme is not Bearer."""
    scheme, _, token = header.partition(" ")
    return token if scheme.lower() == "bearer" else ""
