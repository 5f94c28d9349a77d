"""How anybody asks whether a certificate holds: by the code on its paper, or by the document itself."""

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
from services.certification.schemes.rules import SchemeUnknown
from services.certification.schemes.usecases import public_edition
from services.certification.transaction import Run
from services.certification.verifications import page, usecases
from services.certification.verifications.rules import Check, Status, VerificationResult

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
    """A unit for which the certificate holds."""

    code: str
    title: str


class VerifyResultBody(BaseModel):
    """What is said of a certificate, and how each step came out."""

    status: Status
    checks: dict[str, Check]
    status_as_of: datetime | None
    scheme: str | None
    units: list[UnitBody]
    issuer_name: str | None
    valid_from: datetime | None
    valid_until: datetime | None
    name: str | None

    @classmethod
    def of(cls, result: VerificationResult) -> VerifyResultBody:
        """The body of a result."""
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
    """Whether this document holds. Well-formed JSON is always answered with 200; what it says of itself is believed only as far as it is proved."""
    response.headers.update({**page.UNINDEXED_HEADERS, "cache-control": "no-store"})
    document = reading.parse_document(
        await dependencies.whole_body(request, limit=reading.MAX_BYTES)
    )
    return VerifyResultBody.of(await run(partial(usecases.verify_document, document)))


@public.get("/V/{token}", summary="Periksa sertifikat dengan kodenya", response_class=Response)
async def check(token: str, request: Request, run: Run) -> Response:
    """The page behind the QR; JSON for those who ask for it. An unknown code is 404."""
    as_json = _wants_json(request)
    code = _normalise_token(token)
    if code is None:
        return _unknown_response(as_json=as_json)
    try:
        checked = await run(partial(usecases.check_token, code))
    except CertificateUnknown:
        return _unknown_response(as_json=as_json)
    if as_json:
        return JSONResponse(
            VerifyResultBody.of(checked.result).model_dump(mode="json"),
            headers=dict(page.PAGE_HEADERS),
        )
    return HTMLResponse(page.render_result(checked.result), headers=dict(page.PAGE_HEADERS))


@public.get("/v/{token}", summary="Alamat huruf kecil", response_class=Response)
async def check_in_lower_case(token: str) -> Response:
    """Browsers keep the case of paths, people do not."""
    code = _normalise_token(token)
    return (
        _unknown_response(as_json=False)
        if code is None
        else RedirectResponse(f"/V/{code}", 308, headers=dict(page.PAGE_HEADERS))
    )


@public.get("/s/{scheme}/{version}", summary="Lihat edisi skema", response_class=Response)
async def show_scheme(scheme: str, version: str, request: Request, run: Run) -> Response:
    """The page of a scheme's edition, to which credentials point."""
    try:
        found, issuer = await run(
            partial(public_edition, scheme, int(version) if _EDITION.fullmatch(version) else 0)
        )
    except SchemeUnknown:
        return HTMLResponse(page.render_unknown_scheme(), 404, headers=dict(page.PAGE_HEADERS))
    if _wants_json(request):
        units = [
            UnitBody(code=unit.code, title=unit.title).model_dump() for unit in found.terms.units
        ]
        return JSONResponse(
            {
                "scheme": found.terms.title,
                "edition": found.edition,
                "issuer_name": issuer,
                "description": found.terms.description,
                "criteria": found.terms.criteria,
                "units": units,
            },
            headers=dict(page.PAGE_HEADERS),
        )
    return HTMLResponse(page.render_scheme(found, issuer), headers=dict(page.PAGE_HEADERS))


def _normalise_token(token: str) -> str | None:
    """The code as we gave it out: upper case, no dashes, O and I where somebody typed 0 and 1."""
    code = token.upper().replace("-", "").translate(_LOOKALIKES)
    return code if _TOKEN.fullmatch(code) else None


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "json" in accepted and "text/html" not in accepted


def _unknown_response(*, as_json: bool) -> Response:
    if as_json:
        return JSONResponse(
            {"status": 404, "code": "certificate_unknown", "title": CertificateUnknown.title},
            404,
            headers=dict(page.PAGE_HEADERS),
        )
    return HTMLResponse(page.render_unknown_token(), 404, headers=dict(page.PAGE_HEADERS))
