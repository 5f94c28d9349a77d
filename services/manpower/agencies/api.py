"""Routes of agencies and of the routing table. Not here: who may change what (rules)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chassis.http import dependencies, paging
from services.manpower.agencies import rules, usecases
from services.manpower.agencies.routing_table import Topic
from services.manpower.agencies.rules import Agency, AgencyId, AgencyKind, RegencyCode, Status
from services.manpower.agencies.usecases import with_access_check
from services.manpower.transaction import Run

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
        """Return the agency that the form describes."""
        return Agency(
            **self.model_dump(exclude={"name"}),
            owner="",
            name=" ".join(self.name.split()),
            name_key=rules.name_key(self.name),
            registered_by="",
        )


class Reason(BaseModel):
    """The reason of a change of status."""

    model_config = dependencies.STRICT

    reason: Text


class RouteForm(BaseModel):
    """The agency that answers."""

    model_config = dependencies.STRICT

    agency_id: AgencyId


class ProposalBody(BaseModel):
    """A suspension or closure that waits for a second person."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    to: Status
    reason: str


class AgencyBody(BaseModel):
    """An agency, without its contacts.

    `owner` is the facility that changes it, `*` = above all facilities. `proposal` is a suspension
    or closure that waits for a second person (`approve`); `resume` drops it.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    kind: AgencyKind
    name: str
    nib: str | None
    regency_codes: Sorted
    facility_ids: Sorted
    owner: str
    status: Status
    proposal: ProposalBody | None


class RouteBody(BaseModel):
    """A row of the routing table."""

    model_config = ConfigDict(from_attributes=True)

    regency_code: str
    topic: Topic
    agency_id: str
    version: int


@router.post("/v1/agencies", status_code=201)
async def register_agency(form: AgencyForm, run: Run, response: Response) -> AgencyBody:
    """Register an agency or employer; it waits for the approval of a second person."""
    command = partial(usecases.register_agency, form.to_agency())
    return _answer(await run(with_access_check(command)), response)


@router.get("/v1/agencies")
async def list_agencies(
    run: Run,
    kind: AgencyKind | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[AgencyBody]:
    """List the agencies that the caller may see."""
    page = await run(with_access_check(partial(usecases.list_agencies, kind, cursor, limit)))
    return paging.PageBody(
        items=[AgencyBody.model_validate(agency) for agency in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/agencies/{agency_id}")
async def show_agency(agency_id: str, run: Run, response: Response) -> AgencyBody:
    """Show one agency."""
    agency = await run(with_access_check(partial(usecases.show_agency, agency_id)))
    return _answer(agency, response)


@router.post("/v1/agencies/{agency_id}/approve")
async def approve_agency(
    agency_id: str, run: Run, response: Response, version: dependencies.RequiredIfMatch
) -> AgencyBody:
    """Approve an agency, or its proposed suspension or closure, as the second person."""
    command = partial(usecases.approve_agency, agency_id, version)
    return _answer(await run(with_access_check(command)), response)


@router.post("/v1/agencies/{agency_id}/suspend")
async def suspend_agency(
    agency_id: str,
    body: Reason,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> AgencyBody:
    """Suspend an agency; its readers are refused from now on, and their cursors stay valid.

    An office, unlike an employer, is suspended once a second person agrees.
    """
    command = partial(usecases.restrict_agency, agency_id, Status.SUSPENDED, body.reason, version)
    return _answer(await run(with_access_check(command)), response)


@router.post("/v1/agencies/{agency_id}/resume")
async def resume_agency(
    agency_id: str, run: Run, response: Response, version: dependencies.RequiredIfMatch
) -> AgencyBody:
    """End the suspension of an agency, or drop a proposed one."""
    command = partial(usecases.resume_agency, agency_id, version)
    return _answer(await run(with_access_check(command)), response)


@router.post("/v1/agencies/{agency_id}/close")
async def close_agency(
    agency_id: str,
    body: Reason,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> AgencyBody:
    """Close an agency permanently; an office once a second person agrees."""
    command = partial(usecases.restrict_agency, agency_id, Status.CLOSED, body.reason, version)
    return _answer(await run(with_access_check(command)), response)


@router.get("/v1/agency-routes")
async def list_routes(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[RouteBody]:
    """List the routing table."""
    page = await run(partial(usecases.list_routes, cursor, limit))
    return paging.PageBody(
        items=[RouteBody.model_validate(route) for route in page.items],
        next_cursor=page.next_cursor,
    )


@router.put("/v1/agency-routes/{regency_code}/{topic}")
async def direct_topic(
    regency_code: Annotated[RegencyCode, Path()],
    topic: Topic,
    form: RouteForm,
    run: Run,
    response: Response,
    version: dependencies.IfMatch,
) -> RouteBody:
    """Name the agency that answers for a topic in a regency; the row keeps who answered before.

    The first assignment takes no If-Match, each later one needs it.
    """
    command = partial(usecases.assign_route, regency_code, topic, form.agency_id, version)
    route = await run(command)
    dependencies.set_etag(response, route)
    return RouteBody.model_validate(route)


def _answer(agency: Agency, response: Response) -> AgencyBody:
    dependencies.set_etag(response, agency)
    return AgencyBody.model_validate(agency)
