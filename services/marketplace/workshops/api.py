"""Routes of workshops.

Not here: products and batches of a workshop.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.marketplace.transaction import Run
from services.marketplace.workshops import usecases
from services.marketplace.workshops.rules import Programme, UnitKind, Workshop, WorkshopId
from services.marketplace.zones import Zone

router = APIRouter(prefix="/v1/workshops", tags=["Bengkel kerja"])

ProductClass = Annotated[str, Field(pattern=r"^[a-z0-9_-]{2,40}$")]


class ProgrammeBody(BaseModel):
    model_config = dependencies.STRICT
    programme_id: str = Field(min_length=1, max_length=80)
    title: str = Field(min_length=1, max_length=160)


class WorkshopIn(BaseModel):
    model_config = dependencies.STRICT
    facility_id: str = Field(min_length=1, max_length=40)
    zone: Zone = "Asia/Jakarta"
    code: str = Field(pattern=r"^[A-Z0-9][A-Z0-9-]{1,9}$")
    name: str = Field(min_length=1, max_length=120)
    product_classes: list[ProductClass] = Field(min_length=1, max_length=50)
    unit_kind: UnitKind
    programmes: list[ProgrammeBody] = Field(default_factory=list[ProgrammeBody], max_length=50)


class WorkshopBody(BaseModel):
    id: str
    version: int
    facility_id: str
    zone: str
    code: str
    name: str
    product_classes: list[str]
    unit_kind: str
    programmes: list[ProgrammeBody]
    state: str

    @classmethod
    def of(cls, workshop: Workshop) -> Self:
        """Return the body of a workshop."""
        return cls(
            id=workshop.id,
            version=workshop.version,
            facility_id=workshop.facility_id,
            zone=workshop.zone,
            code=workshop.code,
            name=workshop.name,
            product_classes=sorted(workshop.product_classes),
            unit_kind=workshop.unit_kind,
            programmes=[
                ProgrammeBody(programme_id=programme.programme_id, title=programme.title)
                for programme in workshop.programmes
            ],
            state=workshop.state,
        )


@router.post("", status_code=201)
async def register_workshop(body: WorkshopIn, run: Run, response: Response) -> WorkshopBody:
    """Register a workshop."""
    programmes = tuple(
        Programme(programme_id=programme.programme_id, title=programme.title)
        for programme in body.programmes
    )
    workshop = Workshop(
        id=WorkshopId(new_id()),
        facility_id=body.facility_id,
        zone=body.zone,
        code=body.code,
        name=body.name,
        product_classes=frozenset(body.product_classes),
        unit_kind=body.unit_kind,
        programmes=programmes,
    )
    registered = await run(partial(usecases.register, workshop))
    dependencies.set_etag(response, registered)
    return WorkshopBody.of(registered)


@router.get("")
async def list_workshops(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[WorkshopBody]:
    """Return the workshops of the caller's Lapas."""
    page = await run(partial(usecases.list_workshops, cursor, limit))
    return paging.PageBody(
        items=[WorkshopBody.of(workshop) for workshop in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/{workshop_id}")
async def read_workshop(workshop_id: str, run: Run, response: Response) -> WorkshopBody:
    """Return one workshop."""
    workshop = await run(partial(usecases.read_workshop, WorkshopId(workshop_id)))
    dependencies.set_etag(response, workshop)
    return WorkshopBody.of(workshop)


@router.post("/{workshop_id}/closure")
async def close_workshop(
    workshop_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> WorkshopBody:
    """Close a workshop."""
    workshop = await run(partial(usecases.close, WorkshopId(workshop_id), version))
    dependencies.set_etag(response, workshop)
    return WorkshopBody.of(workshop)
