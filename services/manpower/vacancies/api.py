"""How vacancies are asked for."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from chassis.caller import Caller
from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.manpower.agencies.rules import AgencyId, LastDay, RegencyCode, end_of_day
from services.manpower.consumers.usecases import with_access_check
from services.manpower.transaction import Run, Transaction
from services.manpower.vacancies import usecases
from services.manpower.vacancies.rules import (
    Closing,
    Requirements,
    Slots,
    Vacancy,
    VacancySource,
    VacancyState,
    WageBand,
)
from services.manpower.visibility.rules import is_outside

router = APIRouter(tags=["vacancies"])

Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Rupiah = Annotated[StrictInt, Field(ge=0, le=10**12)]
Headcount = Annotated[StrictInt, Field(ge=1, le=10_000)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class WageBandBody(BaseModel):
    """Monthly wage in integer rupiah."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    from_idr: Rupiah
    to_idr: Rupiah

    def to_wage_band(self) -> WageBand:
        """The wage band in this body."""
        return WageBand(from_idr=self.from_idr, to_idr=self.to_idr)


class RequirementsBody(BaseModel):
    """What the employer asks for."""

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
    valid_until: LastDay
    start_month: Month
    wage_band: WageBandBody
    requirements: RequirementsBody = RequirementsBody()

    def to_vacancy(self, caller: Caller) -> Vacancy:
        """The vacancy in this form, as this caller posts it."""
        source = (
            VacancySource.EMPLOYER
            if caller.role == "employer"
            else VacancySource.DINAS
            if is_outside(caller)
            else VacancySource.OFFICER
        )
        return Vacancy(
            **self.model_dump(exclude={"headcount", "employer_id", "wage_band", "requirements"}),
            id=new_id(),
            employer_id=self.employer_id or caller.single("employer"),
            closes_at=end_of_day(self.valid_until, self.regency_code),
            wage_band=self.wage_band.to_wage_band(),
            requirements=Requirements(**self.requirements.model_dump()),
            source=source,
        )


class AmendForm(BaseModel):
    """What may change while it is open."""

    model_config = dependencies.STRICT

    valid_until: LastDay | None = None
    start_month: Month | None = None
    wage_band: WageBandBody | None = None
    headcount: Headcount | None = None


class CloseForm(BaseModel):
    """Why it closes."""

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
    source: VacancySource
    state: VacancyState


class VacancyWithSlots(VacancyBody):
    """A vacancy with its places."""

    headcount: int
    slots_left: int

    @classmethod
    def of(cls, vacancy: Vacancy, slots: Slots) -> VacancyWithSlots:
        """The body of a vacancy with its slots."""
        return cls(
            **VacancyBody.model_validate(vacancy).model_dump(),
            headcount=slots.capacity,
            slots_left=slots.left,
        )


@router.post("/v1/vacancies", status_code=201)
async def post_vacancy(
    form: VacancyForm, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> VacancyBody:
    """Post a vacancy of an approved employer."""
    vacancy = await run(
        with_access_check(partial(usecases.post_vacancy, form.to_vacancy(caller), form.headcount))
    )
    dependencies.set_etag(response, vacancy)
    return VacancyBody.model_validate(vacancy)


@router.get("/v1/vacancies")
async def list_vacancies(
    run: Run,
    state: VacancyState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[VacancyWithSlots]:
    """Vacancies that the caller may see."""

    async def page(tx: Transaction) -> paging.PageBody[VacancyWithSlots]:
        found = await tx.vacancies.list_page(state, cursor, limit)
        slots = await tx.vacancy_slots.many(vacancy.id for vacancy in found.items)
        return paging.PageBody(
            items=[VacancyWithSlots.of(vacancy, slots[vacancy.id]) for vacancy in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(with_access_check(page))


@router.get("/v1/vacancies/{vacancy_id}")
async def show_vacancy(vacancy_id: str, run: Run, response: Response) -> VacancyWithSlots:
    """One vacancy."""
    vacancy, slots = await run(with_access_check(partial(usecases.show_vacancy, vacancy_id)))
    dependencies.set_etag(response, vacancy)
    return VacancyWithSlots.of(vacancy, slots)


@router.patch("/v1/vacancies/{vacancy_id}")
async def amend_vacancy(
    vacancy_id: str,
    form: AmendForm,
    run: Run,
    response: Response,
    if_match: dependencies.RequiredIfMatch,
) -> VacancyBody:
    """Change its terms; applications and history stay."""
    band = None if form.wage_band is None else form.wage_band.to_wage_band()
    vacancy = await run(
        with_access_check(
            partial(
                usecases.amend_vacancy,
                vacancy_id,
                form.valid_until,
                band,
                form.start_month,
                form.headcount,
                if_match=if_match,
            )
        )
    )
    dependencies.set_etag(response, vacancy)
    return VacancyBody.model_validate(vacancy)


@router.post("/v1/vacancies/{vacancy_id}/close")
async def close_vacancy(
    vacancy_id: str, form: CloseForm, run: Run, response: Response, if_match: dependencies.IfMatch
) -> VacancyBody:
    """Close it, and every live application to it."""
    vacancy = await run(
        with_access_check(
            partial(usecases.close_vacancy, vacancy_id, form.reason, if_match=if_match)
        ),
        contended=["placements"],
    )
    dependencies.set_etag(response, vacancy)
    return VacancyBody.model_validate(vacancy)
