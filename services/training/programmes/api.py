"""Routes of programmes: publish one, publish an edition, copy, show and list them."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.training.programmes import usecases
from services.training.programmes.rules import (
    Branch,
    CompletionRule,
    Edition,
    EligibilityReason,
    EligibilityRule,
    Excused,
    Programme,
    Severity,
    TaughtUnit,
)
from services.training.transaction import Run

router = APIRouter(tags=["Program"])
Text = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(min_length=1, max_length=64)]
Owner = Annotated[str, Field(max_length=64, description="Kode UPT pemilik; * = semua UPT")]
ReasonCode = Annotated[str, Field(pattern=f"^({'|'.join(EligibilityReason)})$")]


class UnitBody(BaseModel):
    """A unit that is taught: its SKKNI code and its title."""

    model_config = dependencies.STRICT
    code: Code
    title: Text


class CompletionBody(BaseModel):
    """What completion demands; 8000 of 10000 basis points are 80 %.

    Without `min_lesson_hours` the same share of the lesson hours must be attended.
    """

    model_config = dependencies.STRICT
    min_attended_bps: Annotated[int, Field(ge=0, le=10_000, strict=True)] = 8_000
    min_lesson_hours: Annotated[int, Field(ge=1, le=5_000, strict=True)] | None = None
    lesson_minutes: Annotated[int, Field(ge=30, le=60, strict=True)] = 45
    required_parts: Annotated[list[Code], Field(max_length=20)] = []
    excused: Excused = Excused.EXCLUDED
    instructor_confirmation: bool = False


class EligibilityBody(BaseModel):
    """Who can be enrolled; severities by reason code, the default is BLOCK."""

    model_config = dependencies.STRICT
    tpp_required: bool = True
    application_required: bool = True
    severities: dict[ReasonCode, Severity] = {}


class NewEdition(BaseModel):
    """One edition of a programme, which never changes once published."""

    model_config = dependencies.STRICT
    title: Text
    units: Annotated[list[UnitBody], Field(min_length=1, max_length=100)]
    scheme_ref: Annotated[str, Field(max_length=64)] | None = None
    lesson_hours: Annotated[int, Field(ge=1, le=5_000, strict=True)]
    outside: bool = False
    provider_neutral_name: Annotated[str, Field(max_length=200)] | None = None
    completion: CompletionBody = CompletionBody()
    eligibility: EligibilityBody = EligibilityBody()

    def to_edition(self) -> Edition:
        """Return the edition that this body describes; its number is set on publishing."""
        rule = self.completion
        return Edition(
            number=0,
            title=self.title,
            units=tuple(TaughtUnit(code=unit.code, title=unit.title) for unit in self.units),
            scheme_ref=self.scheme_ref or "",
            lesson_hours=self.lesson_hours,
            outside=self.outside,
            provider_neutral_name=self.provider_neutral_name or "",
            completion=CompletionRule(
                min_attended_bps=rule.min_attended_bps,
                min_lesson_hours=rule.min_lesson_hours,
                lesson_minutes=rule.lesson_minutes,
                required_parts=tuple(rule.required_parts),
                excused=rule.excused,
                instructor_confirmation=rule.instructor_confirmation,
            ),
            eligibility=EligibilityRule(
                tpp_required=self.eligibility.tpp_required,
                application_required=self.eligibility.application_required,
                severities=dict(self.eligibility.severities),
            ),
        )


class NewProgramme(NewEdition):
    """A programme with its first edition; the default owner is the caller's facility."""

    branch: Branch = Branch.VOCATIONAL
    owner: Owner = ""


class ProgrammeCopy(BaseModel):
    """Which edition to copy (the newest without one), and the owner of the copy."""

    model_config = dependencies.STRICT
    edition: Annotated[int, Field(ge=1, le=5_000, strict=True)] | None = None
    owner: Owner = ""


class EditionBody(NewEdition):
    """A published edition."""

    number: int
    published_at: datetime | None

    @classmethod
    def of(cls, edition: Edition) -> EditionBody:
        """Return the body of an edition."""
        rule = edition.completion
        eligibility = edition.eligibility
        return cls(
            number=edition.number,
            published_at=edition.published_at,
            title=edition.title,
            units=[UnitBody(code=unit.code, title=unit.title) for unit in edition.units],
            scheme_ref=edition.scheme_ref or None,
            lesson_hours=edition.lesson_hours,
            outside=edition.outside,
            provider_neutral_name=edition.provider_neutral_name or None,
            completion=CompletionBody(
                min_attended_bps=rule.min_attended_bps,
                min_lesson_hours=rule.min_lesson_hours or None,
                lesson_minutes=rule.lesson_minutes,
                required_parts=list(rule.required_parts),
                excused=rule.excused,
                instructor_confirmation=rule.instructor_confirmation,
            ),
            eligibility=EligibilityBody(
                tpp_required=eligibility.tpp_required,
                application_required=eligibility.application_required,
                severities=eligibility.severities,
            ),
        )


class ProgrammeBody(BaseModel):
    """A training programme with its editions, oldest first."""

    programme_id: str
    version: int
    owner: str
    branch: Branch
    title: str
    editions: list[EditionBody]

    @classmethod
    def of(cls, programme: Programme) -> ProgrammeBody:
        """Return the body of a programme."""
        editions = [EditionBody.of(edition) for edition in programme.editions]
        return cls(
            programme_id=programme.id,
            version=programme.version,
            owner=programme.owner,
            branch=programme.branch,
            title=programme.newest_edition.title,
            editions=editions,
        )


@router.post("/v1/programmes", status_code=201, summary="Terbitkan program pelatihan")
async def publish_programme(body: NewProgramme, run: Run, response: Response) -> ProgrammeBody:
    """Publish a new programme with its first edition."""
    command = partial(usecases.publish_programme, body.branch, body.owner, body.to_edition())
    programme = await run(command)
    dependencies.set_etag(response, programme)
    return ProgrammeBody.of(programme)


@router.post(
    "/v1/programmes/{programme_id}/editions",
    status_code=201,
    summary="Terbitkan edisi baru program",
)
async def publish_edition(
    programme_id: str,
    body: NewEdition,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> ProgrammeBody:
    """Publish a new edition, as its owner; classes of earlier editions do not change."""
    command = partial(usecases.publish_edition, programme_id, body.to_edition(), version)
    programme = await run(command)
    dependencies.set_etag(response, programme)
    return ProgrammeBody.of(programme)


@router.post(
    "/v1/programmes/{programme_id}/copies", status_code=201, summary="Salin program pelatihan"
)
async def copy_programme(
    programme_id: str, body: ProgrammeCopy, run: Run, response: Response
) -> ProgrammeBody:
    """Copy an edition into a programme of one's own, whose editions its owner publishes."""
    command = partial(usecases.copy_programme, programme_id, body.edition or 0, body.owner)
    programme = await run(command)
    dependencies.set_etag(response, programme)
    return ProgrammeBody.of(programme)


@router.get("/v1/programmes", summary="Daftar program pelatihan")
async def list_programmes(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[ProgrammeBody]:
    """List all programmes."""
    page = await run(partial(usecases.list_programmes, cursor, limit))
    items = [ProgrammeBody.of(programme) for programme in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/programmes/{programme_id}", summary="Lihat program pelatihan")
async def show_programme(programme_id: str, run: Run, response: Response) -> ProgrammeBody:
    """Show one programme."""
    programme = await run(partial(usecases.read_programme, programme_id))
    dependencies.set_etag(response, programme)
    return ProgrammeBody.of(programme)
