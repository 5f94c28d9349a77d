"""How placements are asked for."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, model_validator

from chassis.caller import Caller
from chassis.http import dependencies, paging
from services.manpower import texts
from services.manpower.consumers.usecases import with_access_check
from services.manpower.placements import usecases
from services.manpower.placements.rules import (
    Placement,
    PlacementKind,
    PlacementSource,
    PlacementTerms,
)
from services.manpower.transaction import Run, Transaction
from services.manpower.vacancies.api import WageBandBody
from services.manpower.visibility.rules import is_outside

router = APIRouter(tags=["placements"])

Id = Annotated[str, Field(min_length=1, max_length=64)]


class PlacementForm(BaseModel):
    """Work that was found: through an application, or by the candidate's own effort."""

    model_config = dependencies.STRICT

    application_id: Id | None = None
    candidate_id: Id | None = None
    kind: PlacementKind
    started_on: date
    wage_band: WageBandBody | None = None
    permit_number: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _require_one_source(self) -> PlacementForm:
        if (self.application_id is None) == (self.candidate_id is None):
            raise ValueError(texts.PLACEMENT_SOURCE)
        return self

    def to_terms(self) -> PlacementTerms:
        """What was agreed."""
        return PlacementTerms(
            kind=self.kind,
            started_on=self.started_on,
            wage_band=self.wage_band.to_wage_band() if self.wage_band else None,
            permit_number=self.permit_number,
        )


class PlacementBody(BaseModel):
    """A placement. The permit and who confirmed it are told to officers only."""

    id: str
    version: int
    candidate_id: str
    kind: PlacementKind
    started_on: date
    source: PlacementSource
    employer_id: str | None
    vacancy_id: str | None
    application_id: str | None
    wage_band: WageBandBody | None
    confirmed_at: datetime
    permit_number: str | None = None
    confirmed_by: str | None = None

    @classmethod
    def of(cls, placement: Placement, caller: Caller) -> PlacementBody:
        """The body for this caller."""
        inside = (
            {}
            if is_outside(caller)
            else {
                "permit_number": placement.terms.permit_number,
                "confirmed_by": placement.confirmed_by,
            }
        )
        return cls(
            id=placement.id,
            version=placement.version,
            candidate_id=placement.candidate_id,
            kind=placement.terms.kind,
            started_on=placement.terms.started_on,
            source=placement.source,
            employer_id=placement.employer_id,
            vacancy_id=placement.vacancy_id,
            application_id=placement.application_id,
            wage_band=WageBandBody.model_validate(placement.terms.wage_band)
            if placement.terms.wage_band
            else None,
            confirmed_at=placement.confirmed_at,
            **inside,
        )


@router.post("/v1/placements", status_code=201, response_model_exclude_unset=True)
async def confirm_placement(
    form: PlacementForm, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> PlacementBody:
    """Confirm that a candidate has work. All placements of a process go one by one: they are few, and the last slot is contended."""
    if form.application_id is not None:
        use_case = partial(usecases.place_application, form.application_id, form.to_terms())
    else:
        use_case = partial(usecases.place_by_own_effort, form.candidate_id or "", form.to_terms())
    placement = await run(with_access_check(use_case), contended=["placements"])
    dependencies.set_etag(response, placement)
    return PlacementBody.of(placement, caller)


@router.get("/v1/placements", response_model_exclude_unset=True)
async def list_placements(
    run: Run,
    caller: dependencies.CurrentCaller,
    candidate_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[PlacementBody]:
    """Placements that the caller may see."""

    async def page(tx: Transaction) -> paging.PageBody[PlacementBody]:
        found = await tx.placements.list_page(
            None if candidate_id is None else await tx.resolve(candidate_id), cursor, limit
        )
        tx.note("placements.listed", "", refs=[placement.candidate_id for placement in found.items])
        return paging.PageBody(
            items=[PlacementBody.of(placement, caller) for placement in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(with_access_check(page))


@router.get("/v1/placements/{placement_id}", response_model_exclude_unset=True)
async def show_placement(
    placement_id: str, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> PlacementBody:
    """One placement."""

    async def one(tx: Transaction) -> Placement:
        placement = await tx.placements.get(placement_id)
        tx.note("placements.read", placement.candidate_id)
        return placement

    placement = await run(with_access_check(one))
    dependencies.set_etag(response, placement)
    return PlacementBody.of(placement, caller)
