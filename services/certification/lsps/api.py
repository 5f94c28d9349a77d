"""How LSPs are asked for, and their public DID documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import utc_now
from services.certification.certificates.rules import WESTERN_INDONESIA
from services.certification.lsps import rules, usecases
from services.certification.lsps.rules import KeyPurpose, Licence, Lsp, LspKind
from services.certification.lsps.signer import Signer
from services.certification.transaction import Run
from services.certification.verifications.page import UNINDEXED_HEADERS

router = APIRouter(tags=["LSP"])
public = APIRouter(tags=["Penerbit"])
Name = Annotated[str, Field(min_length=1, max_length=120)]
SchemeRef = Annotated[str, Field(min_length=1, max_length=60)]


class NewLsp(BaseModel):
    """An LSP to be registered. Name and slug stand on certificates and must be neutral."""

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
    valid_from: date
    valid_until: date
    scheme_refs: Annotated[frozenset[SchemeRef], Field(max_length=500)]


class KeyBody(BaseModel):
    """A public key of an issuer."""

    name: str
    public_key_multibase: str
    added_at: datetime


class LspBody(BaseModel):
    """A certification body."""

    lsp_id: str
    version: int
    slug: str
    name: str
    kind: LspKind
    did: str
    licences: list[LicenceBody]
    keys: list[KeyBody]

    @classmethod
    def of(cls, lsp: Lsp) -> LspBody:
        """The body of an LSP."""
        return cls(
            lsp_id=lsp.id,
            version=lsp.version,
            slug=lsp.slug,
            name=lsp.name,
            kind=lsp.kind,
            did=lsp.did,
            licences=[
                LicenceBody(
                    number=one.number,
                    valid_from=one.valid_from,
                    valid_until=one.valid_until,
                    scheme_refs=one.scheme_refs,
                )
                for one in lsp.licences
            ],
            keys=[
                KeyBody(name=key.name, public_key_multibase=key.public, added_at=key.added_at)
                for key in lsp.keys
            ],
        )


@router.post("/v1/lsps", status_code=201, summary="Daftarkan LSP")
async def register_lsp(body: NewLsp, request: Request, run: Run) -> LspBody:
    """An issuer is known from now on; it needs a licence and keys before it can certify."""
    return LspBody.of(
        await run(
            partial(
                usecases.register_lsp, body.slug, body.name, body.kind, request.app.state.origin
            )
        )
    )


@router.get("/v1/lsps", summary="Daftar LSP")
async def list_lsps(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[LspBody]:
    """The caller's LSPs."""
    page = await run(partial(usecases.lsps, cursor, limit))
    return paging.PageBody(
        items=[LspBody.of(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/lsps/{lsp_id}", summary="Lihat LSP")
async def show_lsp(lsp_id: str, run: Run, response: Response) -> LspBody:
    """One LSP."""
    lsp = await run(partial(usecases.lsp, lsp_id))
    dependencies.set_etag(response, lsp)
    return LspBody.of(lsp)


@router.post("/v1/lsps/{lsp_id}/licences", status_code=201, summary="Catat lisensi LSP")
async def license_lsp(lsp_id: str, body: LicenceBody, run: Run) -> LspBody:
    """One more licence, or a corrected one of the same number."""
    licence = Licence(
        number=body.number,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
        scheme_refs=body.scheme_refs,
    )
    return LspBody.of(await run(partial(usecases.license_lsp, lsp_id, licence)))


@router.post("/v1/lsps/{lsp_id}/keys", status_code=201, summary="Buat kunci penerbit tahun ini")
async def create_keys(lsp_id: str, request: Request, run: Run) -> LspBody:
    """The two keys of this year, one for certificates and one for status lists. Asked again, they stay as they are."""
    await replace(run, key=None)(partial(usecases.lsp, lsp_id))
    signer: Signer = request.app.state.signer
    year = utc_now().astimezone(WESTERN_INDONESIA).year
    names = [rules.key_name(purpose, year) for purpose in KeyPurpose]
    keys = [(name, await signer.create(lsp_id, name)) for name in names]
    return LspBody.of(await run(partial(usecases.add_keys, lsp_id, keys)))


@public.get("/i/{slug}/did.json", summary="Dokumen DID penerbit")
async def did_document(slug: str, run: Run) -> Response:
    """The issuer's DID document (did:web)."""
    document = rules.build_did_document(await run(partial(usecases.issuer, slug)))
    return JSONResponse(
        document,
        headers={**UNINDEXED_HEADERS, "cache-control": "public, max-age=300"},
        media_type="application/did+json",
    )
