"""Which headers cross the door, both ways: the listed ones, and nothing that says who somebody is. Not here: headers that the gateway adds for browsers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from chassis.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import Scope

    from gateway.request_context import Header, RequestContext

REQUEST_HEADERS = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"range",
    }
)
RESPONSE_HEADERS = frozenset(
    {
        b"accept-ranges",
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-range",
        b"content-security-policy",
        b"content-type",
        b"deprecation",
        b"etag",
        b"expires",
        b"last-modified",
        b"link",
        b"location",
        b"retry-after",
        b"sunset",
        b"vary",
    }
)


def select_request_headers(scope: Scope, ctx: RequestContext) -> list[Header]:
    """The request headers that the service gets. Malformed where one is not UTF-8."""
    extra = ctx.matched_route.extra_request_headers
    passed: list[Header] = [
        (name, value)
        for name, value in scope["headers"]
        if name in REQUEST_HEADERS or name in extra
    ]
    try:
        for _, value in passed:
            value.decode()
    except UnicodeDecodeError:
        raise Malformed from None
    left = ctx.deadline - asyncio.get_running_loop().time()
    return [
        *passed,
        (b"authorization", b"Bearer " + ctx.internal_token.encode()),
        (b"x-request-id", ctx.request_id.encode()),
        (b"x-request-deadline", b"%d" % round((time.time() + left) * 1000)),
        *([(b"traceparent", ctx.traceparent.encode())] if ctx.traceparent else []),
    ]


def select_response_headers(headers: Iterable[Header], origin: str) -> Iterator[Header]:
    """The response headers that the client gets; an address within the service (`origin`) becomes a path of the door."""
    inner = origin.encode()
    for name, value in headers:
        key = name.lower()
        if key in RESPONSE_HEADERS:
            yield key, value.removeprefix(inner) if key == b"location" else value
