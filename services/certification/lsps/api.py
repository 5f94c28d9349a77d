"""Routes of LSPs, and their public DID documents."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.dependencies import RequiredIfMatch, set_etag
from chassis.moments import Day
from services.certification.credentials.public_headers import UNINDEXED_HEADERS
from services.certification.lsps import emblem_process, key_process, rules, usecases
from services.certification.lsps.rules import (
    IssuerKey,
    Licence,
    LicenceProposal,
    Lsp,
    LspKind,
    Signatory,
)
from services.certification.lsps.signer import Signer
from services.certification.transaction import Run

router = APIRouter(tags=["LSP"])
public = APIRouter(tags=["Penerbit"])
Name = Annotated[str, Field(min_length=1, max_length=120)]
_OPENAPI_EMBLEM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    }
}
SchemeRef = Annotated[str, Field(min_length=1, max_length=60)]


class NewLsp(BaseModel):
    """An LSP to register. Name and slug appear on certificates and must be neutral."""

    model_config = dependencies.STRICT
    slug: Annotated[
        str,
        Field(
            min_length=1,
            max_length=40,
            description="Bagian dari did:web, mis. konstruksi-nusantara",
        ),
    ]
    name: Name
    kind: LspKind


class LicenceBody(BaseModel):
    """A licence by BNSP; both days are included."""

    model_config = dependencies.STRICT
    number: Name
    valid_from: Day
    valid_until: Day
    scheme_refs: Annotated[frozenset[SchemeRef], Field(max_length=500)]

    @classmethod
    def of(cls, licence: Licence) -> LicenceBody:
        """Return the body of a licence."""
        return cls(
            number=licence.number,
            valid_from=licence.valid_from,
            valid_until=licence.valid_until,
            scheme_refs=licence.scheme_refs,
        )


class LicenceProposalBody(BaseModel):
    """A licence that waits for another person, and how many certificates were issued under it."""

    proposal_id: str
    licence: LicenceBody
    proposed_by: str
    proposed_at: datetime
    certificates: int

    @classmethod
    def of(cls, proposal: LicenceProposal) -> LicenceProposalBody:
        """Return the body of a proposal."""
        return cls(
            proposal_id=proposal.id,
            licence=LicenceBody.of(proposal.licence),
            proposed_by=proposal.proposed_by,
            proposed_at=proposal.proposed_at,
            certificates=proposal.certificates,
        )


class KeyBody(BaseModel):
    """A public key of an issuer: it signed from `added_at` until `retired_at`.

    A key with `compromised_at` is no longer listed in the DID document.
    """

    name: str
    public_key_multibase: str
    added_at: datetime
    retired_at: datetime | None
    compromised_at: datetime | None

    @classmethod
    def of(cls, key: IssuerKey) -> KeyBody:
        """Return the body of a key."""
        return cls(
            name=key.name,
            public_key_multibase=key.public,
            added_at=key.added_at,
            retired_at=key.retired_at,
            compromised_at=key.compromised_at,
        )


class SignatoryBody(BaseModel):
    """Who signs the papers, in which office, and in which town."""

    model_config = dependencies.STRICT
    name: Name
    office: Name
    place: Annotated[
        str,
        Field(min_length=1, max_length=60, description="Kota kedudukan LSP, bukan tempat asesmen"),
    ]


class LspBody(BaseModel):
    """A certification body."""

    lsp_id: str
    version: int
    slug: str
    name: str
    kind: LspKind
    did: str
    licences: list[LicenceBody]
    licence_proposals: list[LicenceProposalBody]
    keys: list[KeyBody]
    signatory: SignatoryBody | None

    @classmethod
    def of(cls, lsp: Lsp) -> LspBody:
        """Return the body of an LSP."""
        return cls(
            lsp_id=lsp.id,
            version=lsp.version,
            slug=lsp.slug,
            name=lsp.name,
            kind=lsp.kind,
            did=lsp.did,
            licences=[LicenceBody.of(licence) for licence in lsp.licences],
            licence_proposals=[LicenceProposalBody.of(each) for each in lsp.licence_proposals],
            keys=[KeyBody.of(key) for key in lsp.keys],
            signatory=_signatory_body(lsp.signatory),
        )


def _signatory_body(signatory: Signatory | None) -> SignatoryBody | None:
    if signatory is None:
        return None
    return SignatoryBody(name=signatory.name, office=signatory.office, place=signatory.place)


def issuer_signer(request: Request) -> Signer:
    """Return the port to the issuers' private keys."""
    return request.app.state.signer


IssuerSigner = Annotated[Signer, Depends(issuer_signer)]


@router.post("/v1/lsps", status_code=201, summary="Daftarkan LSP")
async def register_lsp(body: NewLsp, run: Run, response: Response) -> LspBody:
    """Register an issuer. It needs a licence and keys before it can certify."""
    lsp = await run(partial(usecases.register_lsp, body.slug, body.name, body.kind))
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.get("/v1/lsps", summary="Daftar LSP")
async def list_lsps(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[LspBody]:
    """List the caller's LSPs."""
    page = await run(partial(usecases.list_lsps, cursor, limit))
    items = [LspBody.of(lsp) for lsp in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/lsps/{lsp_id}", summary="Lihat LSP")
async def show_lsp(lsp_id: str, run: Run, response: Response) -> LspBody:
    """Show one LSP."""
    lsp = await run(partial(usecases.view_lsp, lsp_id))
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.post("/v1/lsps/{lsp_id}/licences", status_code=201, summary="Usulkan lisensi LSP")
async def propose_licence(
    lsp_id: str, body: LicenceBody, version: RequiredIfMatch, run: Run, response: Response
) -> LspBody:
    """Propose a licence, or the correction of the one of the same number.

    It covers nothing until another person approves it.
    """
    licence = Licence(
        number=body.number,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
        scheme_refs=body.scheme_refs,
    )
    command = partial(usecases.propose_licence, lsp_id, licence, version)
    lsp = await run(command, view=usecases.view_proposals)
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.post(
    "/v1/lsps/{lsp_id}/licence-proposals/{proposal_id}/approval",
    summary="Setujui usulan lisensi LSP",
)
async def approve_licence(
    lsp_id: str, proposal_id: str, version: RequiredIfMatch, run: Run, response: Response
) -> LspBody:
    """Put a proposed licence in force, as another person than its proposer."""
    command = partial(usecases.approve_licence, lsp_id, proposal_id, version)
    lsp = await run(command, view=usecases.view_proposals)
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.post(
    "/v1/lsps/{lsp_id}/licence-proposals/{proposal_id}/withdrawal",
    summary="Tarik usulan lisensi LSP",
)
async def withdraw_licence_proposal(
    lsp_id: str, proposal_id: str, version: RequiredIfMatch, run: Run, response: Response
) -> LspBody:
    """Remove a proposed licence that is wrong."""
    command = partial(usecases.withdraw_licence_proposal, lsp_id, proposal_id, version)
    lsp = await run(command, view=usecases.view_proposals)
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.post("/v1/lsps/{lsp_id}/keys", status_code=201, summary="Buat kunci penerbit tahun ini")
async def create_keys(
    lsp_id: str, version: RequiredIfMatch, signer: IssuerSigner, run: Run, response: Response
) -> LspBody:
    """Create this year's two keys: one for certificates, one for status lists.

    Keys that exist already stay as they are.
    """
    lsp = await key_process.create_keys(lsp_id, version, signer, run)
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.post(
    "/v1/lsps/{lsp_id}/keys/{key_name}/compromise", summary="Laporkan kunci penerbit bocor"
)
async def report_compromise(
    lsp_id: str,
    key_name: str,
    version: RequiredIfMatch,
    signer: IssuerSigner,
    run: Run,
    response: Response,
) -> LspBody:
    """Withdraw a key that somebody else may hold; a new key signs from now on.

    An uploaded document that it signed is invalid at once. Certificates in force are issued again
    under the new key, and the codes on their papers lead to the new ones.
    """
    lsp = await key_process.replace_compromised_key(lsp_id, key_name, version, signer, run)
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.put("/v1/lsps/{lsp_id}/signatory", summary="Tetapkan penanda tangan sertifikat")
async def set_signatory(
    lsp_id: str, body: SignatoryBody, version: RequiredIfMatch, run: Run, response: Response
) -> LspBody:
    """Set who signs papers from now on, in which office and town."""
    signatory = Signatory(name=body.name, office=body.office, place=body.place)
    lsp = await run(partial(usecases.set_signatory, lsp_id, signatory, version))
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.put("/v1/lsps/{lsp_id}/emblem", summary="Simpan lambang LSP", openapi_extra=_OPENAPI_EMBLEM)
async def store_emblem(
    lsp_id: str, request: Request, version: RequiredIfMatch, run: Run, response: Response
) -> LspBody:
    """Store the emblem that papers show: the bytes of a PNG of at most 256 KiB."""
    content = await dependencies.whole_body(request, limit=rules.MAX_EMBLEM_BYTES)
    lsp = await emblem_process.store_emblem(lsp_id, content, version, run)
    set_etag(response, lsp)
    return LspBody.of(lsp)


@router.get("/v1/lsps/{lsp_id}/emblem", summary="Lihat lambang LSP", response_class=Response)
async def show_emblem(lsp_id: str, run: Run) -> Response:
    """Show the emblem of an LSP."""
    emblem = await run(partial(usecases.read_emblem, lsp_id))
    return Response(emblem.content, media_type="image/png")


@public.get("/i/{slug}/did.json", summary="Dokumen DID penerbit")
async def did_document(slug: str, run: Run) -> Response:
    """Return the issuer's DID document (did:web)."""
    issuer = await run(partial(usecases.find_issuer, slug))
    return JSONResponse(
        rules.build_did_document(issuer),
        headers={**UNINDEXED_HEADERS, "cache-control": "public, max-age=300"},
        media_type="application/did+json",
    )
