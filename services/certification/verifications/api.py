"""Public routes of verification: by the code on the paper, or by the document itself."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel

from chassis.http import dependencies
from chassis.ids import utc_now
from services.certification.certificates.rules import CertificateUnknown
from services.certification.credentials import reading
from services.certification.credentials.public_headers import UNINDEXED_HEADERS
from services.certification.lsps.usecases import list_public_issuers
from services.certification.schemes.rules import Scheme, SchemeUnknown
from services.certification.schemes.usecases import view_public_edition
from services.certification.transaction import Run
from services.certification.verifications import page, usecases
from services.certification.verifications.rules import (
    CheckResult,
    VerificationResult,
    VerificationStatus,
)

public = APIRouter(tags=["Pemeriksaan"])
_TOKEN = re.compile(r"[A-Z2-7]{12}")
_EDITION = re.compile(r"[1-9][0-9]{0,4}")
_SEPARATORS = re.compile(r"[\s.\u2010-\u2015-]+")
_LOOKALIKES = str.maketrans("01", "OI")
_OPENAPI_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/vc": {"schema": {"type": "object"}},
        },
    }
}


TypedCode = Annotated[str, Query(max_length=200)]


def public_origin(request: Request) -> str:
    """Return the origin of the public pages."""
    return request.app.state.public_origin


PublicOrigin = Annotated[str, Depends(public_origin)]


class UnitBody(BaseModel):
    """A unit of competence that the certificate covers."""

    code: str
    title: str


class VerifyResultBody(BaseModel):
    """The status of a certificate, and the result of each step of the verification."""

    status: VerificationStatus
    checks: dict[str, CheckResult]
    status_as_of: datetime | None
    scheme: str | None
    units: list[UnitBody]
    issuer_name: str | None
    valid_from: datetime | None
    valid_until: datetime | None
    name: str | None

    @classmethod
    def of(cls, result: VerificationResult) -> VerifyResultBody:
        """Return the body of a result."""
        return cls(
            status=result.status,
            checks=dict(result.checks),
            status_as_of=result.status_as_of,
            scheme=result.scheme,
            units=[UnitBody(code=code, title=title) for code, title in result.units],
            issuer_name=result.issuer_name,
            valid_from=result.valid_from,
            valid_until=result.valid_until,
            name=result.name,
        )


@public.post("/v1/verifications", summary="Periksa dokumen sertifikat", openapi_extra=_OPENAPI_BODY)
async def verify_document(request: Request, response: Response, run: Run) -> VerifyResultBody:
    """Verify a document. Well-formed JSON is always answered with 200.

    A claim of the document counts only as far as it is proved.
    """
    response.headers.update({**UNINDEXED_HEADERS, "cache-control": "no-store"})
    body = await dependencies.whole_body(request, limit=reading.MAX_BYTES)
    document = reading.parse_document(body)
    result = await run(partial(usecases.verify_document, document))
    return VerifyResultBody.of(result)


@public.get("/", summary="Halaman pemeriksaan sertifikat", response_class=Response)
async def show_entry(origin: PublicOrigin, run: Run) -> Response:
    """Return the page with the field for the code that a paper prints."""
    issuers = await run(list_public_issuers)
    return HTMLResponse(page.render_entry(origin, issuers), headers=dict(page.PAGE_HEADERS))


@public.get("/V", summary="Periksa kode yang diketik", response_class=Response)
async def check_typed_code(origin: PublicOrigin, kode: TypedCode = "") -> Response:
    """Redirect the form of `/` to the address of the typed code."""
    code = _normalise_token(kode)
    if code is None:
        return _unknown_response(origin, as_json=False)
    return RedirectResponse(f"/V/{code}", 303, headers=dict(page.PAGE_HEADERS))


@public.get("/V/{token}", summary="Periksa sertifikat dengan kodenya", response_class=Response)
async def check(token: str, request: Request, origin: PublicOrigin, run: Run) -> Response:
    """Return the page behind the QR code, or JSON on request. An unknown code is 404."""
    as_json = _wants_json(request)
    code = _normalise_token(token)
    if code is None:
        return _unknown_response(origin, as_json=as_json)
    try:
        checked = await run(partial(usecases.check_token, code))
    except CertificateUnknown:
        return _unknown_response(origin, as_json=as_json)
    if as_json:
        body = VerifyResultBody.of(checked.result).model_dump(mode="json")
        return JSONResponse(body, headers=dict(page.PAGE_HEADERS))
    html = page.render_result(
        checked.result, checked.lsp, utc_now(), is_reissuing=checked.is_reissuing
    )
    return HTMLResponse(html, headers=dict(page.PAGE_HEADERS))


@public.get("/v/{token}", summary="Alamat huruf kecil", response_class=Response)
async def check_in_lower_case(token: str, origin: PublicOrigin) -> Response:
    """Redirect to the address in upper case, because people type paths in lower case."""
    code = _normalise_token(token)
    if code is None:
        return _unknown_response(origin, as_json=False)
    return RedirectResponse(f"/V/{code}", 308, headers=dict(page.PAGE_HEADERS))


@public.get("/s/{scheme}/{version}", summary="Lihat edisi skema", response_class=Response)
async def show_scheme(
    scheme: str, version: str, request: Request, origin: PublicOrigin, run: Run
) -> Response:
    """Return the page of an edition of a scheme, to which credentials point."""
    edition = int(version) if _EDITION.fullmatch(version) else 0
    try:
        published, issuer = await run(partial(view_public_edition, scheme, edition))
    except SchemeUnknown:
        html = page.render_unknown_scheme(origin)
        return HTMLResponse(html, 404, headers=dict(page.PAGE_HEADERS))
    if _wants_json(request):
        content = _describe_scheme(published, issuer.name)
        return JSONResponse(content, headers=dict(page.PAGE_HEADERS))
    html = page.render_scheme(published, issuer)
    return HTMLResponse(html, headers=dict(page.PAGE_HEADERS))


def _describe_scheme(scheme: Scheme, issuer_name: str) -> dict[str, Any]:
    terms = scheme.terms
    units = [UnitBody(code=unit.code, title=unit.title).model_dump() for unit in terms.units]
    return {
        "scheme": terms.title,
        "edition": scheme.edition,
        "issuer_name": issuer_name,
        "description": terms.description,
        "criteria": terms.criteria,
        "units": units,
    }


def _normalise_token(token: str) -> str | None:
    """Return the code as issued: upper case, no dashes or blanks, O and I for a typed 0 and 1.

    A whole address, as the paper prints it, counts as its code.

    None when it cannot be a code.
    """
    typed = token.strip().rpartition("/")[2].upper()
    code = _SEPARATORS.sub("", typed).translate(_LOOKALIKES)
    return code if _TOKEN.fullmatch(code) else None


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "json" in accepted and "text/html" not in accepted


def _unknown_response(origin: str, *, as_json: bool) -> Response:
    headers = dict(page.PAGE_HEADERS)
    if not as_json:
        return HTMLResponse(page.render_unknown_token(origin), 404, headers=headers)
    title = CertificateUnknown.title.localised
    problem = {"status": 404, "code": "certificate_unknown", "title": title}
    return JSONResponse(problem, 404, headers=headers)
