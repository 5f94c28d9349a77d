"""How grants are given and ended: asked by manpower, which owns what a grant of an agency or an employer says."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from chassis import web
from chassis.auth import Asker
from gateway.grants import usecases
from gateway.transaction import Run

internal = APIRouter()
ManpowerAsks = Annotated[Asker, web.asked_by("manpower", purposes=("manage-access",))]


class GrantBody(BaseModel):
    """A grant to be."""

    model_config = web.STRICT

    user_id: str
    role: str
    claims: dict[str, Annotated[list[str], Field(max_length=100)]]
    valid_from: AwareDatetime
    valid_until: AwareDatetime


class GrantMade(BaseModel):
    """Our id for the grant."""

    grant_id: str


@internal.post("/internal/grants", status_code=201)
async def give_grant(body: GrantBody, asker: ManpowerAsks, run: Run) -> GrantMade:
    """Give a grant."""
    grant = await run(partial(usecases.give_grant, body.user_id, body.role, body.claims, body.valid_from, body.valid_until, asker.service))
    return GrantMade(grant_id=grant.id)


@internal.post("/internal/grants/{grant_id}/end", status_code=204)
async def end_grant(grant_id: str, asker: ManpowerAsks, run: Run) -> None:
    """End a grant; effective within seconds, also for streams."""
    await run(partial(usecases.end_grant, grant_id, asker.service))
