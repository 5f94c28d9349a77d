"""Routes of vacancies. Not here: closing one (applications)."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from chassis.caller import Caller
from chassis.http import dependencies, paging
from chassis.ids import new_id
from chassis.moments import Day
from services.manpower.agencies.local_days import end_of_day
from services.manpower.agencies.rules import AgencyId, RegencyCode
from services.manpower.agencies.usecases import with_access_check
from services.manpower.transaction import Run
from services.manpower.vacancies import rules, usecases
from services.manpower.vacancies.rules import (
    Closing,
    Requirements,
    Vacancy,
    VacancySource,
    VacancyState,
    WageBand,
)
from services.manpower.vacancies.usecases import VacancyTerms, VacancyView
from services.manpower.visibility.rules import is_outside

router = APIRouter(tags=["vacancies"])

Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Rupiah = Annotated[StrictInt, Field(ge=0, le=10**12)]
Headcount = Annotated[StrictInt, Field(ge=1, le=10_000)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class WageBandBody(BaseModel):
    """A monthly wage in integer rupiah."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    from_idr: Rupiah
    to_idr: Rupiah

    def to_wage_band(self) -> WageBand:
        """Return the wage band that the body describes."""
        return WageBand(from_idr=self.from_idr, to_idr=self.to_idr)


class RequirementsBody(BaseModel):
    """What the employer requires."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, from_attributes=True)

    units: Annotated[frozenset[Text], Field(max_length=50)] = frozenset()
    education: Annotated[str, Field(max_length=200)] = ""
    experience_months: Annotated[StrictInt, Field(ge=0, le=600)] = 0
    skck: bool = False


class VacancyForm(BaseModel):
    """A vacancy as it is reported; an employer may leave out its own id."""

    model_config = dependencies.STRICT

    employer_id: AgencyId | None = None
    position: Text
    kbji_code: Annotated[str, Field(pattern=r"^(\d{4}(\.\d{2})?)?$")] = ""
    headcount: Headcount
    regency_code: RegencyCode
    valid_until: Day
    start_month: Month
    wage_band: WageBandBody
    requirements: RequirementsBody = RequirementsBody()

    def to_vacancy(self, caller: Caller) -> Vacancy:
        """Return the vacancy that the form describes, as this caller posts it."""
        own_fields = {"headcount", "employer_id", "wage_band", "requirements"}
        return Vacancy(
            **self.model_dump(exclude=own_fields),
            id=new_id(),
            owner="",
            employer_id=self.employer_id or caller.single("employer"),
            closes_at=end_of_day(self.valid_until, self.regency_code),
            wage_band=self.wage_band.to_wage_band(),
            requirements=Requirements(**self.requirements.model_dump()),
            source=rules.decide_source(caller.role, is_outside=is_outside(caller)),
        )


class AmendForm(BaseModel):
    """New terms of an open vacancy; a term that is left out stays."""

    model_config = dependencies.STRICT

    valid_until: Day | None = None
    start_month: Month | None = None
    wage_band: WageBandBody | None = None
    headcount: Headcount | None = None

    def to_terms(self) -> VacancyTerms:
        """Return the terms that the form describes."""
        return VacancyTerms(
            valid_until=self.valid_until,
            wage_band=None if self.wage_band is None else self.wage_band.to_wage_band(),
            start_month=self.start_month,
            headcount=self.headcount,
        )


class CloseForm(BaseModel):
    """The reason why a vacancy closes."""

    model_config = dependencies.STRICT

    reason: Closing


class VacancyBody(BaseModel):
    """A vacancy."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    employer_id: str
    position: str
    kbji_code: str
    regency_code: str
    valid_until: date
    closes_at: datetime
    start_month: str
    wage_band: WageBandBody
    requirements: RequirementsBody
    owner: str
    source: VacancySource
    state: VacancyState


class VacancyWithSlots(VacancyBody):
    """A vacancy with its slots."""

    headcount: int
    slots_left: int

    @classmethod
    def of(cls, view: VacancyView) -> VacancyWithSlots:
        """Return the body of a vacancy with its slots."""
        return cls(
            **VacancyBody.model_validate(view.vacancy).model_dump(),
            headcount=view.slots.capacity,
            slots_left=view.slots.left,
        )


@router.post("/v1/vacancies", status_code=201)
async def post_vacancy(
    form: VacancyForm, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> VacancyBody:
    """Post a vacancy of an approved employer."""
    command = partial(usecases.post_vacancy, form.to_vacancy(caller), form.headcount)
    vacancy = await run(with_access_check(command))
    dependencies.set_etag(response, vacancy)
    return VacancyBody.model_validate(vacancy)


@router.get("/v1/vacancies")
async def list_vacancies(
    run: Run,
    state: VacancyState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[VacancyWithSlots]:
    """List the vacancies that the caller may see, with their slots."""
    page = await run(with_access_check(partial(usecases.list_vacancies, state, cursor, limit)))
    return paging.PageBody(
        items=[VacancyWithSlots.of(view) for view in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/vacancies/{vacancy_id}")
async def show_vacancy(vacancy_id: str, run: Run, response: Response) -> VacancyWithSlots:
    """Show one vacancy with its slots."""
    view = await run(with_access_check(partial(usecases.show_vacancy, vacancy_id)))
    dependencies.set_etag(response, view.vacancy)
    return VacancyWithSlots.of(view)


@router.patch("/v1/vacancies/{vacancy_id}")
async def amend_vacancy(
    vacancy_id: str,
    form: AmendForm,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> VacancyBody:
    """Change the terms of a vacancy; its applications and history stay."""
    command = partial(usecases.amend_vacancy, vacancy_id, form.to_terms(), version)
    vacancy = await run(with_access_check(command))
    dependencies.set_etag(response, vacancy)
    return VacancyBody.model_validate(vacancy)
