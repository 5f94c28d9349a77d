"""Routes of schemes. Not here: their public page (verifications)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.dependencies import set_etag
from services.certification.credentials.document import Unit
from services.certification.schemes import usecases
from services.certification.schemes.rules import Packaging, Scheme, Terms
from services.certification.transaction import Run

router = APIRouter(tags=["Skema"])
Text = Annotated[str, Field(min_length=1, max_length=1_000)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
TitleEn = Annotated[
    str, Field(max_length=200, description="Judul dalam bahasa Inggris, untuk transkrip")
]


class UnitBody(BaseModel):
    """A unit of competence, with its code as the standard prints it."""

    model_config = dependencies.STRICT
    code: Annotated[str, Field(min_length=1, max_length=40)]
    title: Title
    title_en: TitleEn = ""
    framework: Annotated[
        str, Field(min_length=1, max_length=60, description="Standar, mis. SKKNI 2019-103")
    ] = "SKKNI"

    @classmethod
    def of(cls, unit: Unit) -> UnitBody:
        """Return the body of a unit."""
        return cls(
            code=unit.code, title=unit.title, title_en=unit.title_en, framework=unit.framework
        )


class NewScheme(BaseModel):
    """An edition to publish. `code_patterns`: X is a letter, 0 a digit, e.g. X.000000.000.00."""

    model_config = dependencies.STRICT
    lsp_id: str
    scheme_ref: Annotated[str, Field(min_length=1, max_length=60)]
    title: Title
    title_en: TitleEn = ""
    packaging: Packaging
    level: Annotated[int, Field(ge=1, le=9)] | None = None
    description: Text
    criteria: Text
    units: Annotated[list[UnitBody], Field(min_length=1, max_length=100)]
    code_patterns: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=40)], ...], Field(max_length=10)
    ] = ()
    validity_months: Annotated[int, Field(ge=1, le=120)] = 36
    asesi_per_assessor: Annotated[int, Field(ge=1, le=100)] = 10

    def to_terms(self) -> Terms:
        """Return the content of the edition."""
        return Terms(
            title=self.title,
            title_en=self.title_en,
            packaging=self.packaging,
            level=self.level,
            description=self.description,
            criteria=self.criteria,
            units=tuple(
                Unit(
                    code=unit.code,
                    title=unit.title,
                    framework=unit.framework,
                    title_en=unit.title_en,
                )
                for unit in self.units
            ),
            code_patterns=self.code_patterns,
            validity_months=self.validity_months,
            asesi_per_assessor=self.asesi_per_assessor,
        )


class SchemeBody(BaseModel):
    """A published edition."""

    edition_id: str
    lsp_id: str
    scheme_ref: str
    edition: int
    title: str
    title_en: str
    packaging: Packaging
    level: int | None
    description: str
    criteria: str
    units: list[UnitBody]
    validity_months: int
    asesi_per_assessor: int
    published_at: datetime

    @classmethod
    def of(cls, scheme: Scheme) -> SchemeBody:
        """Return the body of an edition."""
        terms = scheme.terms
        return cls(
            edition_id=scheme.id,
            lsp_id=scheme.lsp_id,
            scheme_ref=scheme.ref,
            edition=scheme.edition,
            title=terms.title,
            title_en=terms.title_en,
            packaging=terms.packaging,
            level=terms.level,
            description=terms.description,
            criteria=terms.criteria,
            units=[UnitBody.of(unit) for unit in terms.units],
            validity_months=terms.validity_months,
            asesi_per_assessor=terms.asesi_per_assessor,
            published_at=scheme.published_at,
        )


@router.post("/v1/schemes", status_code=201, summary="Terbitkan edisi skema")
async def publish_scheme(body: NewScheme, run: Run, response: Response) -> SchemeBody:
    """Publish the next edition of a scheme. Published editions never change.

    Completed courses that waited for the scheme get their applications.
    """
    command = partial(usecases.publish_scheme, body.lsp_id, body.scheme_ref, body.to_terms())
    scheme = await run(command)
    set_etag(response, scheme)
    return SchemeBody.of(scheme)


@router.get("/v1/schemes", summary="Daftar edisi skema")
async def list_schemes(
    run: Run,
    scheme_ref: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[SchemeBody]:
    """List editions of the caller's schemes."""
    page = await run(partial(usecases.list_schemes, scheme_ref, cursor, limit))
    items = [SchemeBody.of(scheme) for scheme in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/schemes/{edition_id}", summary="Lihat edisi skema")
async def show_edition(edition_id: str, run: Run, response: Response) -> SchemeBody:
    """Show one edition."""
    scheme = await run(partial(usecases.view_scheme, edition_id))
    set_etag(response, scheme)
    return SchemeBody.of(scheme)
