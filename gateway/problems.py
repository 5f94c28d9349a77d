"""The gateway's own errors and how they become problem documents (RFC 9457).

Not here: the services' own errors.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chassis import errors
from chassis.errors import (
    Busy,
    DomainError,
    Forbidden,
    Malformed,
    NotFound,
    TooLarge,
    Unauthenticated,
)
from chassis.texts import is_neutral
from gateway.host_group import Group
from gateway.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable


Header = tuple[bytes, bytes]
CONTENT_TYPE = errors.PROBLEM.encode()
NEUTRAL_MEMBERS = frozenset({"title", "status", "code", "detail", "field", "errors", "request_id"})


class HostUnknown(DomainError):
    """No host group has this name."""

    status = 421
    title = TEXTS["errors.host_unknown"]


class VersionUnknown(DomainError):
    """The HTTP version is neither 1.1 nor 1.0."""

    status = 505
    title = TEXTS["errors.version_unknown"]


class PathMalformed(Malformed):
    """The path or query is ambiguous: two readers could read it differently."""

    title = TEXTS["errors.path_malformed"]


class PathUnknown(NotFound):
    """The host group has no such path."""

    title = TEXTS["errors.path_unknown"]


class MethodUnknown(DomainError):
    """The path exists, but not with this method; `allowed` are its methods."""

    status = 405
    title = TEXTS["errors.method_unknown"]

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = ", ".join(sorted(allowed))


class BodyTooLarge(TooLarge):
    """The body has more bytes than the route accepts."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit_bytes=limit)


class UploadTooSlow(DomainError):
    """The body was incomplete at the deadline."""

    status = 408
    title = TEXTS["errors.upload_too_slow"]


class TokenRefused(Unauthenticated):
    """Missing or invalid token; the response never says which."""


class ActExcluded(Forbidden):
    """The role may do it, but the letter of the acting grant excludes it."""

    title = TEXTS["errors.act_excluded"]


class ReasonNeeded(Forbidden):
    """An auditor needs a reason to see names, in the header `access-reason`; it is recorded."""

    title = TEXTS["errors.reason_needed"]
    field = "access-reason"


class RateExceeded(DomainError):
    """More requests than the route accepts from one subject."""

    status = 429
    title = TEXTS["errors.rate_exceeded"]

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class QuotaUsedUp(RateExceeded):
    """The system has used its calls of this day."""

    title = TEXTS["errors.quota_used_up"]


class TooManyAtOnce(RateExceeded):
    """One caller has too many requests in flight towards a service."""

    title = TEXTS["errors.too_many_at_once"]

    def __init__(self) -> None:
        super().__init__(retry_after=1)


class ServiceBusy(Busy):
    """The service has as many requests in flight as it accepts."""


class UpstreamUnavailable(Busy):
    """No connection to the service, or its circuit breaker is open."""

    code = "service_away"
    title = TEXTS["errors.service_away"]


class UpstreamFailed(DomainError):
    """The connection to the service ended before its response was complete."""

    code = "service_broke"
    status = 502
    title = TEXTS["errors.service_broke"]


class DeadlinePassed(DomainError):
    """The service took longer than the route allows."""

    status = 504
    title = TEXTS["errors.deadline_passed"]


class IssuerUnavailable(Busy):
    """The caller cannot be established: the issuer's keys or our database are unavailable."""

    code = "identity_away"
    title = TEXTS["errors.identity_away"]


class ClientDisconnected(Exception):
    """The client disconnected before the response was complete; it gets no problem."""


class StreamEnded(Exception):
    """The gateway ended an open-ended response: the caller was revoked, or it drains."""


class Unexpected(DomainError):
    """A defect of the gateway; the log has it under the request id."""

    status = 500
    code = "internal_error"
    title = TEXTS["errors.internal_error"]


def render_problem(error: DomainError, group: Group | None, request_id: str) -> bytes:
    """Return the problem document, in neutral words for the certificate or an unknown host."""
    content = errors.problem(error, request_id)
    if group is None or group is Group.CERTIFICATE:
        content = neutralise(content)
    return json.dumps(content, ensure_ascii=False).encode()


def problem_headers(error: DomainError) -> list[Header]:
    """Return the headers that belong to a refusal."""
    headers: list[Header] = [(b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store")]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodUnknown):
        headers.append((b"allow", error.allowed.encode()))
    if isinstance(error, (Busy, RateExceeded)):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    return headers


def neutralise(content: dict[str, Any]) -> dict[str, Any]:
    """Return the problem without members that may name the product.

    If a forbidden word remains, return a generic problem with the same status and request id.
    """
    kept = {name: value for name, value in content.items() if name in NEUTRAL_MEMBERS}
    neutral = {"type": f"urn:problem:{content.get('code', 'error')}"} | kept
    if is_neutral(json.dumps(neutral, ensure_ascii=False)):
        return neutral
    return {
        "type": "about:blank",
        "title": DomainError.title.localised,
        "status": content.get("status", 500),
        "request_id": content.get("request_id", ""),
    }
