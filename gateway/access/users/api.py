"""Routes of users: manpower registers partners' users, administrators those of their places.

Not here: rules.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from gateway.access.transaction import Run
from gateway.access.users import usecases
from gateway.access.users.rules import User

router = APIRouter()
internal_api = APIRouter(
    dependencies=[dependencies.require_service("manpower", purposes=("manage-access",))]
)

Text = Annotated[str, Field(min_length=1, max_length=200)]


class UserKey(BaseModel):
    """A user's key: the issuer, and the issuer's name for the user."""

    model_config = dependencies.STRICT

    issuer: Text
    external: Text


class UserAtHome(UserKey):
    """A user's key, and the place that registers the user.

    An outside office's user has no home (""); administrators of all places register it.
    """

    home: Annotated[str, Field(max_length=200)]


class UserKnown(BaseModel):
    """Our id of the user."""

    user_id: str


class UserBody(BaseModel):
    """A user as administrators see them."""

    user_id: str
    issuer: str
    external: str
    home: str
    homes: tuple[str, ...]
    disabled_at: datetime | None

    @classmethod
    def of(cls, user: User) -> UserBody:
        return cls(
            user_id=user.id,
            issuer=user.issuer,
            external=user.external,
            home=user.homes[0],
            homes=user.homes,
            disabled_at=user.disabled_at,
        )


@internal_api.put("/internal/users")
async def register_partner_user(body: UserKey, run: Run) -> UserKnown:
    """Register a user; a repeat returns the same id."""
    user = await run(partial(usecases.register_external_user, body.issuer, body.external, ""))
    return UserKnown(user_id=user.id)


@router.put("/v1/access/users")
async def register_user(body: UserAtHome, run: Run) -> UserBody:
    """Register a user of another issuer; a repeat returns the same user.

    The response does not reveal whether another place registered the user before.
    """
    user = await run(
        partial(usecases.register_external_user, body.issuer, body.external, body.home)
    )
    return UserBody.of(user)


@router.get("/v1/access/users")
async def list_users(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[UserBody]:
    """List the users of the administrator's places."""
    page = await run(partial(usecases.list_users, cursor, limit))
    return paging.PageBody(
        items=[UserBody.of(user) for user in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/access/users/{user_id}")
async def show_user(user_id: str, run: Run) -> UserBody:
    """Show one user."""
    # The body has no version: it would reveal changes by other places.
    return UserBody.of(await run(partial(usecases.show_user, user_id)))


@router.post("/v1/access/users/{user_id}/disable")
async def disable_user(user_id: str, run: Run) -> UserBody:
    """Disable a user; in force within seconds, also for streams."""
    return UserBody.of(await run(partial(usecases.disable_user, user_id)))


@router.post("/v1/access/users/{user_id}/enable")
async def enable_user(user_id: str, run: Run) -> UserBody:
    """Enable a user again."""
    return UserBody.of(await run(partial(usecases.enable_user, user_id)))
