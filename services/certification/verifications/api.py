"""Public routes of verification: by the code on the paper, or by the document itself."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel

from chassis.http import dependencies
from services.certification.certificates.rules import CertificateUnknown
from services.certification.credentials import reading
from services.certification.credentials.public_headers import UNINDEXED_HEADERS
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


@public.get("/V/{token}", summary="Periksa sertifikat dengan kodenya", response_class=Response)
async def check(token: str, request: Request, run: Run) -> Response:
    """Return the page behind the QR code, or JSON on request. An unknown code is 404."""
    as_json = _wants_json(request)
    code = _normalise_token(token)
    if code is None:
        return _unknown_response(as_json=as_json)
    try:
        checked = await run(partial(usecases.check_token, code))
    except CertificateUnknown:
        return _unknown_response(as_json=as_json)
    if as_json:
        body = VerifyResultBody.of(checked.result).model_dump(mode="json")
        return JSONResponse(body, headers=dict(page.PAGE_HEADERS))
    return HTMLResponse(page.render_result(checked.result), headers=dict(page.PAGE_HEADERS))


@public.get("/v/{token}", summary="Alamat huruf kecil", response_class=Response)
async def check_in_lower_case(token: str) -> Response:
    """Redirect to the address in upper case, because people type paths in lower case."""
    code = _normalise_token(token)
    if code is None:
        return _unknown_response(as_json=False)
    return RedirectResponse(f"/V/{code}", 308, headers=dict(page.PAGE_HEADERS))


@public.get("/s/{scheme}/{version}", summary="Lihat edisi skema", response_class=Response)
async def show_scheme(scheme: str, version: str, request: Request, run: Run) -> Response:
    """Return the page of an edition of a scheme, to which credentials point."""
    edition = int(version) if _EDITION.fullmatch(version) else 0
    try:
        published, issuer_name = await run(partial(view_public_edition, scheme, edition))
    except SchemeUnknown:
        return HTMLResponse(page.render_unknown_scheme(), 404, headers=dict(page.PAGE_HEADERS))
    if _wants_json(request):
        content = _describe_scheme(published, issuer_name)
        return JSONResponse(content, headers=dict(page.PAGE_HEADERS))
    html = page.render_scheme(published, issuer_name)
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
    """Return the code as issued: upper case, no dashes, O and I for a typed 0 and 1.

    None when it cannot be a code.
    """
    code = token.upper().replace("-", "").translate(_LOOKALIKES)
    return code if _TOKEN.fullmatch(code) else None


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "json" in accepted and "text/html" not in accepted


def _unknown_response(*, as_json: bool) -> Response:
    headers = dict(page.PAGE_HEADERS)
    if not as_json:
        return HTMLResponse(page.render_unknown_token(), 404, headers=headers)
    problem = {"status": 404, "code": "certificate_unknown", "title": CertificateUnknown.title}
    return JSONResponse(problem, 404, headers=headers)
