"""Routes of grants: manpower writes those of partners, administrators those of their places.

Not here: rules.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.moments import Moment
from gateway.access.grants import usecases
from gateway.access.grants.rules import Grant, GrantKind, GrantTerms
from gateway.access.transaction import Run

router = APIRouter()
internal_api = APIRouter(
    dependencies=[dependencies.require_service("manpower", purposes=("manage-access",))]
)

Scopes = dict[str, Annotated[list[str], Field(max_length=100)]]
Reference = Annotated[str, Field(min_length=1, max_length=200)]


class GrantForm(BaseModel):
    """The terms of a grant."""

    model_config = dependencies.STRICT

    user_id: str
    role: str
    claims: Scopes
    valid_from: Moment
    valid_until: Moment

    def terms(self) -> GrantTerms:
        """Return the terms of the grant."""
        return GrantTerms(
            role=self.role,
            claims=self.claims,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


class AssignmentForm(GrantForm):
    """A grant that an administrator gives: the user's own role, or a delegated one by letter.

    `excluded` are permissions ("METHOD /template") that the holder does not get.
    """

    kind: GrantKind = GrantKind.OWN
    letter: Annotated[str, Field(max_length=100)] = ""
    on_behalf_of: Annotated[str, Field(max_length=100)] = ""
    excluded: Annotated[list[str], Field(max_length=100)] = []

    def terms(self) -> GrantTerms:
        """Return the terms of the grant."""
        return GrantTerms(
            role=self.role,
            claims=self.claims,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            kind=self.kind,
            letter=self.letter,
            on_behalf_of=self.on_behalf_of,
            excluded=self.excluded,
        )


class GrantPut(BaseModel):
    """Our id of the grant, as the header `acting-grant` names it."""

    grant_id: str


class GrantBody(BaseModel):
    """A grant as administrators see it."""

    grant_id: str
    user_id: str
    role: str
    claims: dict[str, tuple[str, ...]]
    valid_from: datetime
    valid_until: datetime
    given_by: str
    ended_at: datetime | None
    kind: GrantKind
    letter: str
    on_behalf_of: str
    excluded: tuple[str, ...]

    @classmethod
    def of(cls, grant: Grant) -> GrantBody:
        return cls(
            grant_id=grant.id,
            **{name: getattr(grant, name) for name in cls.model_fields if name != "grant_id"},
        )


@internal_api.put("/internal/grants/{reference}")
async def put_grant(reference: Reference, body: GrantForm, run: Run) -> GrantPut:
    """Create or update the grant of this reference; a repeat changes nothing."""
    grant = await run(partial(usecases.put_grant, reference, body.user_id, body.terms()))
    return GrantPut(grant_id=grant.id)


@internal_api.delete("/internal/grants/{reference}", status_code=204)
async def withdraw_grant(reference: Reference, run: Run) -> None:
    """End the grant of this reference; in force within seconds, also for streams.

    A repeat changes nothing.
    """
    await run(partial(usecases.withdraw_grant, reference))


@router.post("/v1/access/grants", status_code=201)
async def give_grant(body: AssignmentForm, run: Run) -> GrantBody:
    """Give a user a role with row scopes for a period."""
    return GrantBody.of(await run(partial(usecases.give_grant, body.user_id, body.terms())))


@router.get("/v1/access/grants")
async def list_grants(
    run: Run, user_id: str = "", cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[GrantBody]:
    """List the grants of the administrator's places, optionally of one user."""
    page = await run(partial(usecases.list_grants, user_id, cursor, limit))
    return paging.PageBody(
        items=[GrantBody.of(grant) for grant in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/access/grants/{grant_id}")
async def show_grant(grant_id: str, run: Run) -> GrantBody:
    """Show one grant."""
    return GrantBody.of(await run(partial(usecases.show_grant, grant_id)))


@router.post("/v1/access/grants/{grant_id}/end")
async def end_grant(grant_id: str, run: Run) -> GrantBody:
    """End a grant; in force within seconds, also for streams."""
    return GrantBody.of(await run(partial(usecases.end_grant, grant_id)))
