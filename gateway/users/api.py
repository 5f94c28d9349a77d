"""How users are registered: asked by manpower for the people and systems of agencies and employers."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis import web
from gateway.transaction import Run
from gateway.users import usecases

internal = APIRouter(dependencies=[web.asked_by("manpower", purposes=("manage-access",))])


class UserBody(BaseModel):
    """A user to be."""

    model_config = web.STRICT

    issuer: Annotated[str, Field(min_length=1, max_length=200)]
    external: Annotated[str, Field(min_length=1, max_length=200)]


class UserMade(BaseModel):
    """Our id for the user."""

    user_id: str


@internal.post("/internal/users", status_code=201)
async def register_user(body: UserBody, run: Run) -> UserMade:
    """Register a user."""
    user = await run(partial(usecases.register_user, body.issuer, body.external))
    return UserMade(user_id=user.id)
