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
    PlacementKind,
    PlacementSource,
    PlacementTerms,
)
from services.manpower.placements.usecases import PlacementView
from services.manpower.settings import TEXTS
from services.manpower.transaction import Run
from services.manpower.vacancies.api import WageBandBody
from services.manpower.vacancies.rules import slots_lock
from services.manpower.visibility.rules import Column, is_outside

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
            raise ValueError(TEXTS["placements.source"])
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
    """A placement. A field that the reader may not see is absent.

    Only officers see the permit and who confirmed it.
    """

    id: str
    version: int
    candidate_id: str
    kind: PlacementKind | None = None
    started_on: date | None = None
    source: PlacementSource | None = None
    employer_id: str | None = None
    vacancy_id: str | None = None
    application_id: str | None = None
    wage_band: WageBandBody | None = None
    confirmed_at: datetime | None = None
    permit_number: str | None = None
    confirmed_by: str | None = None

    @classmethod
    def of(cls, view: PlacementView, caller: Caller) -> PlacementBody:
        """Return the body for this caller."""
        placement = view.placement
        terms = placement.terms
        body = cls(id=placement.id, version=placement.version, candidate_id=placement.candidate_id)
        if Column.PLACEMENT in view.columns:
            body.kind = terms.kind
            body.started_on = terms.started_on
            body.source = placement.source
            body.confirmed_at = placement.confirmed_at
        if Column.EMPLOYER in view.columns:
            body.employer_id = placement.employer_id
            body.vacancy_id = placement.vacancy_id
            body.application_id = placement.application_id
        if Column.WAGE in view.columns:
            wage_band = terms.wage_band
            body.wage_band = None if wage_band is None else WageBandBody.model_validate(wage_band)
        if not is_outside(caller):
            body.permit_number = terms.permit_number
            body.confirmed_by = placement.confirmed_by
        return body


@router.post("/v1/placements", status_code=201, response_model_exclude_unset=True)
async def confirm_placement(
    form: PlacementForm,
    run: Run,
    caller: dependencies.CurrentCaller,
    response: Response,
    version: dependencies.IfMatch,
) -> PlacementBody:
    """Confirm that a candidate has work; for an application with If-Match of its version.

    Placements on one vacancy go one after the other, because they contend for its last slot.
    """
    contended: list[str] = []
    if form.application_id is not None:
        find_vacancy_id = partial(usecases.find_vacancy_id, form.application_id)
        contended = [slots_lock(await run(with_access_check(find_vacancy_id)))]
        command = partial(usecases.place_application, form.application_id, version, form.to_terms())
    else:
        command = partial(usecases.place_by_own_effort, form.candidate_id or "", form.to_terms())
    view = await run(with_access_check(command), view=usecases.view_placement, contended=contended)
    return _answer(view, caller, response)


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
        items=[PlacementBody.of(view, caller) for view in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/placements/{placement_id}", response_model_exclude_unset=True)
async def show_placement(
    placement_id: str, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> PlacementBody:
    """Show one placement."""
    command = with_access_check(partial(usecases.show_placement, placement_id))
    return _answer(await run(command, view=usecases.view_placement), caller, response)


def _answer(view: PlacementView, caller: Caller, response: Response) -> PlacementBody:
    dependencies.set_etag(response, view.placement)
    return PlacementBody.of(view, caller)
