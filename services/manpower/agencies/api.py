"""How agencies and the routing table are asked for."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chassis.http import dependencies, paging
from services.manpower.agencies import rules, usecases
from services.manpower.agencies.rules import (
    Agency,
    AgencyId,
    AgencyKind,
    RegencyCode,
    Status,
    Topic,
)
from services.manpower.consumers.usecases import with_access_check
from services.manpower.transaction import Run, Transaction

router = APIRouter(tags=["agencies"])

Text = Annotated[str, Field(min_length=1, max_length=200)]
Sorted = Annotated[list[str], BeforeValidator(sorted)]


class AgencyForm(BaseModel):
    """An agency as it is registered; `nib` is required for an employer."""

    model_config = dependencies.STRICT

    id: AgencyId
    kind: AgencyKind
    name: Text
    nib: Annotated[str, Field(pattern=r"^\d{13}$")] | None = None
    regency_codes: Annotated[frozenset[RegencyCode], Field(min_length=1, max_length=50)]
    facility_ids: Annotated[frozenset[Text], Field(max_length=50)] = frozenset()
    contacts: Annotated[tuple[Text, ...], Field(max_length=10)] = ()
    purpose: Text
    legal_basis: Text

    def to_agency(self) -> Agency:
        """The agency in this form."""
        return Agency(
            **self.model_dump(exclude={"name"}),
            name=" ".join(self.name.split()),
            name_key=rules.name_key(self.name),
            registered_by="",
        )


class Reason(BaseModel):
    """Why a status changes."""

    model_config = dependencies.STRICT

    reason: Text


class RouteForm(BaseModel):
    """Who answers."""

    model_config = dependencies.STRICT

    agency_id: AgencyId


class AgencyBody(BaseModel):
    """An agency. Contacts are not part of it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    kind: AgencyKind
    name: str
    nib: str | None
    regency_codes: Sorted
    facility_ids: Sorted
    status: Status


class RouteBody(BaseModel):
    """A row of the routing table."""

    model_config = ConfigDict(from_attributes=True)

    regency_code: str
    topic: Topic
    agency_id: str
    version: int


@router.post("/v1/agencies", status_code=201)
async def register_agency(form: AgencyForm, run: Run, response: Response) -> AgencyBody:
    """Register an agency or employer; it waits for a second person."""
    agency = await run(with_access_check(partial(usecases.register_agency, form.to_agency())))
    dependencies.set_etag(response, agency)
    return AgencyBody.model_validate(agency)


@router.get("/v1/agencies")
async def list_agencies(
    run: Run,
    kind: AgencyKind | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[AgencyBody]:
    """Agencies that the caller may see."""

    async def page(tx: Transaction) -> paging.PageBody[AgencyBody]:
        found = await tx.agencies.list_page(kind, cursor, limit)
        return paging.PageBody(
            items=[AgencyBody.model_validate(agency) for agency in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(with_access_check(page))


@router.get("/v1/agencies/{agency_id}")
async def show_agency(agency_id: str, run: Run, response: Response) -> AgencyBody:
    """One agency."""

    async def one(tx: Transaction) -> Agency:
        return await tx.agencies.get(agency_id)

    agency = await run(with_access_check(one))
    dependencies.set_etag(response, agency)
    return AgencyBody.model_validate(agency)


@router.post("/v1/agencies/{agency_id}/approve")
async def approve_agency(
    agency_id: str, run: Run, response: Response, if_match: dependencies.IfMatch
) -> AgencyBody:
    """Approve it: somebody else than who registered it."""
    return await _change_status(agency_id, Status.ACTIVE, "", run, response, if_match)


@router.post("/v1/agencies/{agency_id}/suspend")
async def suspend_agency(
    agency_id: str, body: Reason, run: Run, response: Response, if_match: dependencies.IfMatch
) -> AgencyBody:
    """Suspend it: its readers read nothing from now on, and lose nothing."""
    return await _change_status(agency_id, Status.SUSPENDED, body.reason, run, response, if_match)


@router.post("/v1/agencies/{agency_id}/resume")
async def resume_agency(
    agency_id: str, run: Run, response: Response, if_match: dependencies.IfMatch
) -> AgencyBody:
    """End a suspension."""
    return await _change_status(agency_id, Status.ACTIVE, "", run, response, if_match)


@router.post("/v1/agencies/{agency_id}/close")
async def close_agency(
    agency_id: str, body: Reason, run: Run, response: Response, if_match: dependencies.IfMatch
) -> AgencyBody:
    """Close it for good."""
    return await _change_status(agency_id, Status.CLOSED, body.reason, run, response, if_match)


@router.get("/v1/agency-routes")
async def list_routes(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[RouteBody]:
    """The routing table."""

    async def page(tx: Transaction) -> paging.PageBody[RouteBody]:
        found = await tx.agency_routes.page({}, cursor=cursor, limit=limit)
        return paging.PageBody(
            items=[RouteBody.model_validate(route) for route in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(page)


@router.put("/v1/agency-routes/{regency_code}/{topic}")
async def direct_topic(
    regency_code: Annotated[RegencyCode, Path()],
    topic: Topic,
    form: RouteForm,
    run: Run,
    if_match: dependencies.IfMatch,
) -> RouteBody:
    """Say who answers for a topic in a regency; who answered before is kept."""
    return RouteBody.model_validate(
        await run(
            partial(usecases.assign_route, regency_code, topic, form.agency_id, if_match=if_match)
        )
    )


async def _change_status(
    agency_id: str, to: Status, reason: str, run: Run, response: Response, if_match: int | None
) -> AgencyBody:
    agency = await run(
        with_access_check(
            partial(usecases.change_agency_status, agency_id, to, reason, if_match=if_match)
        )
    )
    dependencies.set_etag(response, agency)
    return AgencyBody.model_validate(agency)
