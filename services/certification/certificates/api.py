"""How officers ask for certificates, papers and credentials."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.certification.certificates import paper, rules, usecases
from services.certification.certificates.rules import Certificate, CertificateState, RevocationCause
from services.certification.transaction import Run

router = APIRouter(tags=["Sertifikat"])


class CauseBody(BaseModel):
    """Why: one of the closed list; it is never public."""

    model_config = dependencies.STRICT
    cause: RevocationCause


class ChangeBody(BaseModel):
    """One change of state: what, when, by whom, why."""

    state: CertificateState
    at: datetime
    by: str
    cause: RevocationCause


class CertificateBody(BaseModel):
    """A certificate, without the name on it and without the person behind it."""

    certificate_id: str
    version: int
    lsp_id: str
    application_id: str
    scheme_ref: str
    edition_id: str
    scheme_title: str
    state: CertificateState
    failure: str | None
    valid_from: datetime
    valid_until: datetime
    digest: str | None
    check_url: str
    changes: list[ChangeBody]

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateBody:
        """The body of a certificate."""
        return cls(
            certificate_id=certificate.id,
            version=certificate.version,
            lsp_id=certificate.lsp_id,
            application_id=certificate.application_id,
            scheme_ref=certificate.scheme_ref,
            edition_id=certificate.scheme_id,
            scheme_title=certificate.scheme_title,
            state=certificate.state,
            failure=certificate.failure,
            valid_from=certificate.valid_from,
            valid_until=certificate.valid_until,
            digest=certificate.digest,
            check_url=rules.check_url(certificate),
            changes=[
                ChangeBody(state=one.state, at=one.at, by=one.by, cause=one.cause)
                for one in certificate.changes
            ],
        )


@router.get("/v1/certificates", summary="Daftar sertifikat")
async def list_certificates(
    run: Run,
    state: CertificateState | None = None,
    application_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[CertificateBody]:
    """The caller's certificates."""
    page = await run(partial(usecases.listed, state, application_id, cursor, limit))
    return paging.PageBody(
        items=[CertificateBody.of(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/certificates/{certificate_id}", summary="Lihat sertifikat")
async def show_certificate(certificate_id: str, run: Run, response: Response) -> CertificateBody:
    """One certificate."""
    certificate = await run(partial(usecases.certificate, certificate_id))
    dependencies.set_etag(response, certificate)
    return CertificateBody.of(certificate)


@router.post("/v1/certificates/{certificate_id}/suspension", summary="Bekukan sertifikat")
async def suspend(certificate_id: str, body: CauseBody, run: Run) -> CertificateBody:
    """It does not hold until it is reinstated: at once in our verification, in the list at the next tick."""
    return CertificateBody.of(await run(partial(usecases.suspend, certificate_id, body.cause)))


@router.post("/v1/certificates/{certificate_id}/reinstatement", summary="Pulihkan sertifikat")
async def reinstate(certificate_id: str, body: CauseBody, run: Run) -> CertificateBody:
    """It holds again."""
    return CertificateBody.of(await run(partial(usecases.reinstate, certificate_id, body.cause)))


@router.post("/v1/certificates/{certificate_id}/revocation", summary="Cabut sertifikat")
async def revoke(certificate_id: str, body: CauseBody, run: Run) -> CertificateBody:
    """For ever; the second time changes nothing."""
    return CertificateBody.of(await run(partial(usecases.revoke, certificate_id, body.cause)))


@router.post("/v1/certificates/{certificate_id}/signing", summary="Tanda tangani lagi")
async def sign_again(certificate_id: str, run: Run) -> CertificateBody:
    """Have a reserved certificate that could not be signed tried again."""
    return CertificateBody.of(await run(partial(usecases.sign_again, certificate_id)))


@router.get(
    "/v1/certificates/{certificate_id}/credential",
    summary="Unduh kredensial",
    response_class=Response,
)
async def download_credential(certificate_id: str, run: Run) -> Response:
    """The signed document."""
    _, credential = await run(partial(usecases.credential, certificate_id))
    return Response(
        json.dumps(credential, ensure_ascii=False),
        headers=_download("json", certificate_id),
        media_type="application/vc",
    )


@router.get("/v1/certificates/{certificate_id}/pdf", summary="Unduh PDF", response_class=Response)
async def download_pdf(certificate_id: str, run: Run) -> Response:
    """The paper: printed once, then always the same bytes."""
    pdf = await run(partial(usecases.archived_paper, certificate_id))
    if pdf is None:
        certificate, credential = await run(partial(usecases.credential, certificate_id))
        printed = await asyncio.to_thread(paper.render, _paper(certificate, credential))
        pdf = await run(partial(usecases.archive_paper, certificate_id, paper.LAYOUT, printed))
    return Response(pdf, headers=_download("pdf", certificate_id), media_type="application/pdf")


def _paper(certificate: Certificate, credential: dict[str, Any]) -> paper.Paper:
    """What stands on the paper is what was signed."""
    subject = credential["credentialSubject"]
    achievement = subject["achievement"]
    return paper.Paper(
        issuer_name=credential["issuer"]["name"],
        name=subject["identifier"][0]["identityHash"],
        scheme=achievement["name"],
        units=tuple(
            (unit["targetCode"], unit["targetName"], unit["targetFramework"])
            for unit in achievement["alignment"]
        ),
        valid_from=datetime.fromisoformat(credential["validFrom"]),
        valid_until=datetime.fromisoformat(credential["validUntil"]),
        check_url=rules.check_url(certificate),
        token=certificate.token,
    )


def _download(kind: str, certificate_id: str) -> dict[str, str]:
    return {
        "content-disposition": f'attachment; filename="sertifikat-{certificate_id[:8]}.{kind}"',
        "cache-control": "no-store",
    }
