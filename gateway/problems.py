"""What the gateway itself refuses, and how a refusal is written (RFC 9457). Not here: the services' own errors."""

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
from gateway.routing.table import Group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.request_context import Header

CONTENT_TYPE = errors.PROBLEM.encode()


class HostUnknown(DomainError):
    """No host group has this name."""

    status = 421
    title = "Alamat ini tidak dilayani di sini"


class VersionUnknown(DomainError):
    """Neither HTTP/1.1 nor HTTP/1.0, whatever the request looks like."""

    status = 505
    title = "Versi HTTP ini tidak tersedia"


class PathMalformed(Malformed):
    """A path that could be read in two ways."""

    title = "Alamat tidak dapat dibaca"


class PathUnknown(NotFound):
    """The host group has no such path."""

    title = "Alamat tidak ditemukan"


class MethodUnknown(DomainError):
    """The path exists, not with this method; `allowed` are those it has."""

    status = 405
    title = "Cara ini tidak tersedia untuk alamat tersebut"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = ", ".join(sorted(allowed))


class BodyTooLarge(TooLarge):
    """More bytes than the route takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit_bytes=limit)


class UploadTooSlow(DomainError):
    """The body had not come when the deadline did."""

    status = 408
    title = "Permintaan terlalu lama sampai; coba lagi"


class TokenRefused(Unauthenticated):
    """No token, or one that proves nothing: why is told to nobody outside."""


class ActExcluded(Forbidden):
    """The role may do it; whoever holds it by this letter may not."""

    title = "Tindakan ini dikecualikan dari surat penugasan Anda"


class ReasonNeeded(Forbidden):
    """An auditor sees names for a reason, which is written down; it comes in the header `access-reason`."""

    title = "Sebutkan alasan melihat nama (paling sedikit 10 huruf); alasan ini dicatat"
    field = "access-reason"


class OriginRefused(Forbidden):
    """A browser page of another origin asks, and that origin was not let in."""

    title = "Halaman dari alamat lain tidak dilayani"


class RateExceeded(DomainError):
    """More requests than the route takes from one subject."""

    status = 429
    title = "Terlalu banyak permintaan; coba lagi nanti"

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class QuotaUsedUp(RateExceeded):
    """The system has called as often as it may on one day."""

    title = "Jatah panggilan harian sistem ini habis; dibuka lagi tengah malam WIB. Mintalah jatah lebih besar kepada administrator bila perlu"


class TooManyAtOnce(RateExceeded):
    """One caller has as many requests in flight towards a service as one may have."""

    title = (
        "Terlalu banyak permintaan sekaligus dari satu pemanggil; tunggu sampai ada yang selesai"
    )

    def __init__(self) -> None:
        super().__init__(retry_after=1)


class ServiceBusy(Busy):
    """As many requests are in flight towards the service as it takes."""


class UpstreamUnavailable(Busy):
    """The service does not answer: no connection, or so many failures that we do not try for a while."""

    code = "service_away"
    title = "Bagian ini sedang tidak tersedia; coba lagi sebentar lagi"


class UpstreamFailed(DomainError):
    """The connection ended before an answer came."""

    code = "service_broke"
    status = 502
    title = "Jawaban terputus; coba lagi"


class DeadlinePassed(DomainError):
    """The service took longer than the route allows."""

    status = 504
    title = "Jawaban terlalu lama; coba lagi"


class IssuerUnavailable(Busy):
    """Who asks cannot be established now: the issuer's keys or our own database are out of reach."""

    code = "identity_away"
    title = "Pemeriksaan identitas sedang tidak tersedia; coba lagi sebentar lagi"


class ClientDisconnected(Exception):
    """The client left before the answer was complete; nobody is there to be told."""


class StreamEnded(Exception):
    """An open-ended answer is ended by us: the caller was revoked, or the gateway drains."""


class Unexpected(DomainError):
    """A defect of the gateway; the log has it under the request id."""

    status = 500
    code = "internal_error"
    title = "Terjadi kesalahan pada sistem"


def render_problem(error: DomainError, group: Group | None, request_id: str) -> bytes:
    """The problem document; on the certificate host, and where the host is unknown, in neutral words."""
    content = errors.problem(error, request_id)
    return json.dumps(
        content if group not in {Group.CERTIFICATE, None} else neutralise(content),
        ensure_ascii=False,
    ).encode()


def problem_headers(error: DomainError) -> list[Header]:
    """The headers that belong to a refusal."""
    headers: list[Header] = [(b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store")]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodUnknown):
        headers.append((b"allow", error.allowed.encode()))
    if isinstance(error, (Busy, RateExceeded)):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    return headers


def neutralise(content: dict[str, Any]) -> dict[str, Any]:
    """The same problem without the product's name; only its status where a word of the deny list remains."""
    kept = {
        name: value
        for name, value in content.items()
        if name in {"title", "status", "code", "detail", "field", "errors", "request_id"}
    }
    kept = {"type": f"urn:problem:{content.get('code', 'error')}"} | kept
    if is_neutral(json.dumps(kept, ensure_ascii=False)):
        return kept
    return {
        "type": "about:blank",
        "title": "Permintaan tidak dapat dijalankan",
        "status": content.get("status", 500),
        "request_id": content.get("request_id", ""),
    }
