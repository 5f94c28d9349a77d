"""Routes of placements. Not here: when a person may work (rules)."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, model_validator

from chassis.caller import Caller
from chassis.http import dependencies, paging
from chassis.moments import Day
from services.manpower.agencies.usecases import with_access_check
from services.manpower.placements import usecases
from services.manpower.placements.rules import (
    Placement,
    PlacementKind,
    PlacementSource,
    PlacementTerms,
)
from services.manpower.settings import TEXTS
from services.manpower.transaction import Run
from services.manpower.vacancies.api import WageBandBody
from services.manpower.visibility.rules import is_outside

router = APIRouter(tags=["placements"])

Id = Annotated[str, Field(min_length=1, max_length=64)]


class PlacementForm(BaseModel):
    """Work that was found, through an application or by the candidate's own effort."""

    model_config = dependencies.STRICT

    application_id: Id | None = None
    candidate_id: Id | None = None
    kind: PlacementKind
    started_on: Day
    wage_band: WageBandBody | None = None
    permit_number: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _require_one_source(self) -> PlacementForm:
        if (self.application_id is None) == (self.candidate_id is None):
            raise ValueError(TEXTS["placements.source"].id)
        return self

    def to_terms(self) -> PlacementTerms:
        """Return what was agreed."""
        return PlacementTerms(
            kind=self.kind,
            started_on=self.started_on,
            wage_band=None if self.wage_band is None else self.wage_band.to_wage_band(),
            permit_number=self.permit_number,
        )


class PlacementBody(BaseModel):
    """A placement. Only officers see the permit and who confirmed it."""

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
        """Return the body for this caller."""
        terms = placement.terms
        wage_band = terms.wage_band
        body = cls(
            id=placement.id,
            version=placement.version,
            candidate_id=placement.candidate_id,
            kind=terms.kind,
            started_on=terms.started_on,
            source=placement.source,
            employer_id=placement.employer_id,
            vacancy_id=placement.vacancy_id,
            application_id=placement.application_id,
            wage_band=None if wage_band is None else WageBandBody.model_validate(wage_band),
            confirmed_at=placement.confirmed_at,
        )
        if not is_outside(caller):
            body.permit_number = terms.permit_number
            body.confirmed_by = placement.confirmed_by
        return body


@router.post("/v1/placements", status_code=201, response_model_exclude_unset=True)
async def confirm_placement(
    form: PlacementForm, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> PlacementBody:
    """Confirm that a candidate has work.

    One process confirms placements one after the other: they are few, and requests contend for
    the last slot.
    """
    if form.application_id is not None:
        command = partial(usecases.place_application, form.application_id, form.to_terms())
    else:
        command = partial(usecases.place_by_own_effort, form.candidate_id or "", form.to_terms())
    placement = await run(with_access_check(command), contended=["placements"])
    return _answer(placement, caller, response)


@router.get("/v1/placements", response_model_exclude_unset=True)
async def list_placements(
    run: Run,
    caller: dependencies.CurrentCaller,
    candidate_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[PlacementBody]:
    """List the placements that the caller may see."""
    command = partial(usecases.list_placements, candidate_id, cursor, limit)
    page = await run(with_access_check(command))
    return paging.PageBody(
        items=[PlacementBody.of(placement, caller) for placement in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/placements/{placement_id}", response_model_exclude_unset=True)
async def show_placement(
    placement_id: str, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> PlacementBody:
    """Show one placement."""
    command = partial(usecases.show_placement, placement_id)
    return _answer(await run(with_access_check(command)), caller, response)


def _answer(placement: Placement, caller: Caller, response: Response) -> PlacementBody:
    dependencies.set_etag(response, placement)
    return PlacementBody.of(placement, caller)
