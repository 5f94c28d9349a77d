"""Allow-lists of the request and response headers that are forwarded.

Not here: response headers that the gateway adds.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from chassis.errors import Malformed
from gateway.access.identity import ANONYMOUS
from gateway.request_context import read_single_header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from gateway.problems import Header
    from gateway.request_context import RequestContext

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
        b"tus-extension",
        b"tus-resumable",
        b"tus-version",
        b"upload-expires",
        b"upload-length",
        b"upload-metadata",
        b"upload-offset",
        b"vary",
        b"www-authenticate",
    }
)
# A Content-Length in such a response would announce a body that does not follow.
_STATUSES_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def select_request_headers(scope: Scope, ctx: RequestContext) -> list[tuple[str, str]]:
    """Return the allowed request headers, with our token, request id, deadline and trace.

    A request without a caller also has the client's address. Raises Malformed if a header is not
    UTF-8.
    """
    allowed = REQUEST_HEADERS | ctx.matched_route.extra_request_headers
    passed = [(name, value) for name, value in scope["headers"] if name in allowed]
    try:
        selected = [(name.decode(), value.decode()) for name, value in passed]
    except UnicodeDecodeError:
        raise Malformed from None
    seconds_left = ctx.deadline - asyncio.get_running_loop().time()
    deadline_ms = round((time.time() + seconds_left) * 1000)
    selected.append(("authorization", f"Bearer {ctx.internal_token}"))
    if ctx.identified_caller is ANONYMOUS:
        # Anonymous callers have one subject. Only the gateway sends this header.
        selected.append(("x-client-address", ctx.client_network))
    if ctx.matched_route.accepts_basic:
        selected += _select_client_credentials(scope)
    selected.append(("x-request-id", ctx.request_id))
    selected.append(("x-request-deadline", str(deadline_ms)))
    if ctx.traceparent:
        selected.append(("traceparent", ctx.traceparent))
    return selected


def _select_client_credentials(scope: Scope) -> list[tuple[str, str]]:
    """Return the HTTP Basic credentials under the name that only the gateway sends."""
    value = (read_single_header(scope, b"authorization") or b"").decode("latin-1")
    is_basic = value.partition(" ")[0].lower() == "basic"
    return [("client-authorization", value)] if is_basic and value.isascii() else []


def select_response_headers(headers: Iterable[Header], status: int, origin: str) -> list[Header]:
    """Return the response headers for the client; a `location` at the service becomes a path."""
    service_origin = origin.encode()
    selected: list[Header] = []
    for raw_name, raw_value in headers:
        name = raw_name.lower()
        value = raw_value
        if name not in RESPONSE_HEADERS:
            continue
        if name == b"content-length" and status in _STATUSES_WITHOUT_BODY:
            continue
        if name == b"location":
            value = raw_value.removeprefix(service_origin)
        selected.append((name, value))
    return selected
