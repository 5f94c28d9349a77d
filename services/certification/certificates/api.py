"""Routes of certificates, papers and credentials, for officers.

Not here: the public check (verifications).
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.dependencies import RequiredIfMatch, set_etag
from services.certification.certificates import paper_process, rules, usecases
from services.certification.certificates.rules import (
    Certificate,
    CertificateChange,
    CertificateState,
    Numbers,
    RevocationCause,
)
from services.certification.transaction import Run

router = APIRouter(tags=["Sertifikat"])
Number = Annotated[str, Field(max_length=60)]
PaperVersion = Annotated[int | None, Query(ge=1, le=1_000)]


class CauseBody(BaseModel):
    """The cause of a change, from the closed list; it is never public."""

    model_config = dependencies.STRICT
    cause: RevocationCause


class NumbersBody(BaseModel):
    """The numbers as BNSP gave them; empty where it gave none. None is ever generated."""

    model_config = dependencies.STRICT
    certificate_no: Number = ""
    registration_no: Number = ""
    blank_no: Number = ""

    @classmethod
    def of(cls, numbers: Numbers) -> NumbersBody:
        """Return the body of the numbers."""
        return cls(
            certificate_no=numbers.certificate_no,
            registration_no=numbers.registration_no,
            blank_no=numbers.blank_no,
        )


class ReissueBody(BaseModel):
    """A key, and how many unexpired certificates of it wait for a new one or have it."""

    name: str
    compromised_at: datetime | None
    waiting: int
    replaced: int


class ChangeBody(BaseModel):
    """One change of state: the new state, when, by whom and why."""

    state: CertificateState
    at: datetime
    by: str
    cause: RevocationCause

    @classmethod
    def of(cls, change: CertificateChange) -> ChangeBody:
        """Return the body of a change."""
        return cls(state=change.state, at=change.at, by=change.by, cause=change.cause)


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
    licence_no: str | None
    numbers: NumbersBody
    paper_version: int
    replaces: str | None
    replaced_by: str | None
    changes: list[ChangeBody]

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateBody:
        """Return the body of a certificate."""
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
            licence_no=certificate.licence.number if certificate.licence else None,
            numbers=NumbersBody.of(certificate.numbers),
            paper_version=certificate.paper_version,
            replaces=certificate.replaces,
            replaced_by=certificate.successor_id,
            changes=[ChangeBody.of(change) for change in certificate.changes],
        )


@router.get("/v1/certificates", summary="Daftar sertifikat")
async def list_certificates(
    run: Run,
    state: CertificateState | None = None,
    application_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[CertificateBody]:
    """List the caller's certificates."""
    page = await run(partial(usecases.list_certificates, state, application_id, cursor, limit))
    items = [CertificateBody.of(certificate) for certificate in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/certificates/{certificate_id}", summary="Lihat sertifikat")
async def show_certificate(certificate_id: str, run: Run, response: Response) -> CertificateBody:
    """Show one certificate."""
    certificate = await run(partial(usecases.view_certificate, certificate_id))
    return _shown(certificate, response)


@router.post("/v1/certificates/{certificate_id}/suspension", summary="Bekukan sertifikat")
async def suspend(
    certificate_id: str, body: CauseBody, version: RequiredIfMatch, run: Run, response: Response
) -> CertificateBody:
    """Suspend a certificate until it is reinstated.

    It takes effect at once in our verification, and in the list on the next tick.
    """
    command = partial(usecases.suspend, certificate_id, body.cause, version)
    return _shown(await run(command), response)


@router.post("/v1/certificates/{certificate_id}/reinstatement", summary="Pulihkan sertifikat")
async def reinstate(
    certificate_id: str, body: CauseBody, version: RequiredIfMatch, run: Run, response: Response
) -> CertificateBody:
    """Reinstate a suspended certificate."""
    command = partial(usecases.reinstate, certificate_id, body.cause, version)
    return _shown(await run(command), response)


@router.post("/v1/certificates/{certificate_id}/revocation", summary="Cabut sertifikat")
async def revoke(
    certificate_id: str, body: CauseBody, version: RequiredIfMatch, run: Run, response: Response
) -> CertificateBody:
    """Revoke a certificate permanently; a second revocation changes nothing."""
    command = partial(usecases.revoke, certificate_id, body.cause, version)
    return _shown(await run(command), response)


@router.put("/v1/certificates/{certificate_id}/numbers", summary="Catat nomor dari BNSP")
async def record_numbers(
    certificate_id: str, body: NumbersBody, version: RequiredIfMatch, run: Run, response: Response
) -> CertificateBody:
    """Record the numbers as received. The next print is a new version of the paper.

    The credential is not signed again, and the earlier paper stays in the archive.
    """
    numbers = Numbers(
        certificate_no=body.certificate_no,
        registration_no=body.registration_no,
        blank_no=body.blank_no,
    )
    command = partial(usecases.record_numbers, certificate_id, numbers, version)
    return _shown(await run(command), response)


@router.get("/v1/lsps/{lsp_id}/keys/{key_name}", summary="Lihat penerbitan ulang sertifikat")
async def show_reissue(lsp_id: str, key_name: str, run: Run) -> ReissueBody:
    """Show a key with the progress of the re-issue of its certificates after a compromise."""
    key, counts = await run(partial(usecases.view_reissue, lsp_id, key_name))
    return ReissueBody(name=key.name, compromised_at=key.compromised_at, **counts)


@router.post("/v1/certificates/{certificate_id}/signing", summary="Tanda tangani lagi")
async def sign_again(
    certificate_id: str, version: RequiredIfMatch, run: Run, response: Response
) -> CertificateBody:
    """Queue a reserved certificate again that could not be signed."""
    command = partial(usecases.sign_again, certificate_id, version)
    return _shown(await run(command), response)


@router.get(
    "/v1/certificates/{certificate_id}/credential",
    summary="Unduh kredensial",
    response_class=Response,
)
async def download_credential(certificate_id: str, run: Run) -> Response:
    """Download the signed document."""
    _, credential = await run(partial(usecases.read_credential, certificate_id))
    return Response(
        json.dumps(credential, ensure_ascii=False),
        headers=_download_headers("json", certificate_id),
        media_type="application/vc",
    )


@router.get("/v1/certificates/{certificate_id}/pdf", summary="Unduh PDF", response_class=Response)
async def download_pdf(
    certificate_id: str, run: Run, paper_version: PaperVersion = None
) -> Response:
    """Download the paper, by default its newest version: always the same bytes.

    An earlier version is answered from the archive.
    """
    pdf = await paper_process.print_paper(certificate_id, paper_version, run)
    headers = _download_headers("pdf", certificate_id)
    return Response(pdf, headers=headers, media_type="application/pdf")


def _shown(certificate: Certificate, response: Response) -> CertificateBody:
    """Return the body of a certificate, and set its ETag."""
    set_etag(response, certificate)
    return CertificateBody.of(certificate)


def _download_headers(extension: str, certificate_id: str) -> dict[str, str]:
    file_name = f"sertifikat-{certificate_id[:8]}.{extension}"
    return {
        "content-disposition": f'attachment; filename="{file_name}"',
        "cache-control": "no-store",
    }
