"""Routes of assessors."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.dependencies import RequiredIfMatch, set_etag
from chassis.ids import new_id
from chassis.moments import Day
from services.certification.assessors import usecases
from services.certification.assessors.rules import Assessor
from services.certification.transaction import Run

router = APIRouter(tags=["Asesor"])
Name = Annotated[str, Field(min_length=1, max_length=120)]
Refs = Annotated[
    frozenset[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=500)
]


class NewAssessor(BaseModel):
    """An assessor to record at an LSP.

    `instructor_refs` are the references under which training knows the same person as instructor.
    """

    model_config = dependencies.STRICT
    lsp_id: str
    name: Name
    met_no: Annotated[str, Field(min_length=1, max_length=40, description="No. Reg. MET")]
    met_valid_until: Day
    scheme_refs: Refs
    instructor_refs: Refs = frozenset()


class AssessorChanges(BaseModel):
    """The fields to change; what is left out stays as it is."""

    model_config = dependencies.STRICT
    name: Name | None = None
    met_valid_until: Day | None = None
    scheme_refs: Refs | None = None
    instructor_refs: Refs | None = None


class AssessorBody(BaseModel):
    """An assessor of an LSP."""

    assessor_id: str
    version: int
    lsp_id: str
    name: str
    met_no: str
    met_valid_until: date
    scheme_refs: list[str]
    instructor_refs: list[str]

    @classmethod
    def of(cls, assessor: Assessor) -> AssessorBody:
        """Return the body of an assessor."""
        return cls(
            assessor_id=assessor.id,
            version=assessor.version,
            lsp_id=assessor.lsp_id,
            name=assessor.name,
            met_no=assessor.met_no,
            met_valid_until=assessor.met_valid_until,
            scheme_refs=sorted(assessor.scheme_refs),
            instructor_refs=sorted(assessor.instructor_refs),
        )


@router.post("/v1/assessors", status_code=201, summary="Catat asesor")
async def record_assessor(body: NewAssessor, run: Run, response: Response) -> AssessorBody:
    """Record an assessor of one of the caller's LSPs."""
    assessor = Assessor(id=new_id(), **body.model_dump())
    recorded = await run(partial(usecases.record_assessor, assessor))
    set_etag(response, recorded)
    return AssessorBody.of(recorded)


@router.get("/v1/assessors", summary="Daftar asesor")
async def list_assessors(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[AssessorBody]:
    """List the caller's assessors."""
    page = await run(partial(usecases.list_assessors, cursor, limit))
    items = [AssessorBody.of(assessor) for assessor in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/assessors/{assessor_id}", summary="Lihat asesor")
async def show_assessor(assessor_id: str, run: Run, response: Response) -> AssessorBody:
    """Show one assessor."""
    assessor = await run(partial(usecases.view_assessor, assessor_id))
    set_etag(response, assessor)
    return AssessorBody.of(assessor)


@router.patch("/v1/assessors/{assessor_id}", summary="Ubah data asesor")
async def change_assessor(
    assessor_id: str,
    body: AssessorChanges,
    version: RequiredIfMatch,
    run: Run,
    response: Response,
) -> AssessorBody:
    """Change facts of an assessor."""
    changes = body.model_dump(exclude_none=True)
    assessor = await run(partial(usecases.change_assessor, assessor_id, changes, version))
    set_etag(response, assessor)
    return AssessorBody.of(assessor)
