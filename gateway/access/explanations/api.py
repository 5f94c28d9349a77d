"""Routes that explain access: the decisions about one request, and the versions of a role.

Not here: rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from chassis.errors import NotFound, Refused
from chassis.http import dependencies
from chassis.ids import utc_now
from chassis.moments import Day, Moment
from gateway.access.explanations import rules, usecases
from gateway.access.explanations.rules import AccessQuestion, ExplainedRoute, ExplanationStep
from gateway.access.grants.rules import Grant
from gateway.access.issuer_dependencies import NonRepeatableRun
from gateway.access.permissions import PUBLIC, ROLES, versions
from gateway.access.permissions.roles import TITLES
from gateway.access.permissions.versions import RoleVersion
from gateway.host_group import Group
from gateway.texts import TEXTS

router = APIRouter()

# Finds the routes of a path on a host group, by method; None if the group has no such path.
FindRoutes = Callable[[Group, str], Mapping[str, ExplainedRoute] | None]


class RoleUnknown(NotFound):
    """No such role, or no such version of it."""

    title = TEXTS["errors.role_unknown"]


class SubjectNeeded(Refused):
    """The question must name either a user, or a role with claims."""

    title = TEXTS["errors.subject_needed"]
    field = "user_id"


class QuestionForm(BaseModel):
    """A request to explain, of a user or of a role with claims.

    `resource` are the claims of one row, for example {"facility": "LP-TJP"}.
    """

    model_config = dependencies.STRICT

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, Field(max_length=500, pattern=r"^/")]
    host: Group = Group.STAFF
    user_id: str = ""
    acting_grant: str = ""
    role: str = ""
    claims: dict[str, Annotated[list[str], Field(max_length=100)]] = {}
    resource: dict[str, str] = {}
    at: Moment | None = None


class StepBody(BaseModel):
    """One decision."""

    asks: str
    passes: bool
    words: str


class ExplanationBody(BaseModel):
    """The decisions in the gateway's order; the last one decides."""

    allowed: bool
    steps: list[StepBody]

    @classmethod
    def of(cls, steps: list[ExplanationStep]) -> ExplanationBody:
        bodies = [
            StepBody(asks=step.question, passes=step.passes, words=step.text.localised)
            for step in steps
        ]
        return cls(allowed=all(step.passes for step in steps), steps=bodies)


class RoleBody(BaseModel):
    """A role at a date; `title` is its name for administrators."""

    role: str
    title: str
    version: int
    since: date | None
    permissions: list[str]


class RolesBody(BaseModel):
    """All roles as they are now."""

    items: list[RoleBody]


class ChangesBody(BaseModel):
    """The permissions that a role gained and lost between two versions."""

    role: str
    adds: list[str]
    removes: list[str]


@router.post("/v1/access/explain")
async def explain(body: QuestionForm, request: Request, run: NonRepeatableRun) -> ExplanationBody:
    """Explain an access decision step by step: route, user, grant, permission, letter, rows."""
    if bool(body.user_id) == bool(body.role):
        raise SubjectNeeded
    if body.role and body.role not in ROLES:
        raise RoleUnknown
    at = (body.at or utc_now()).astimezone(UTC)
    is_disabled = False
    grants: Sequence[Grant] | None = None
    effective_grants: Sequence[Grant] = ()
    if body.user_id:
        user, grants, effective_grants = await run(
            partial(usecases.get_user_with_grants, body.user_id, at)
        )
        is_disabled = user.disabled_at is not None
    find_routes: FindRoutes = request.app.state.find_routes
    question = AccessQuestion(
        method=body.method,
        path=body.path,
        grants=grants,
        effective_grants=effective_grants,
        chosen_grant=body.acting_grant,
        is_disabled=is_disabled,
        role=body.role,
        claims=body.claims,
        resource=body.resource,
        at=at,
    )
    path, _, _ = body.path.partition("?")
    routes = find_routes(body.host, path)
    return ExplanationBody.of(rules.explain(question, routes, versions.read_history()))


@router.get("/v1/access/roles")
async def list_roles() -> RolesBody:
    """List all roles with their versions in force and their permissions."""
    return RolesBody(
        items=[
            _role_body(role, versions.read_history().get(role, ()), date.max)
            for role in (*sorted(ROLES), PUBLIC)
        ]
    )


@router.get("/v1/access/roles/{role}")
async def show_role(role: str, at: Day | None = None) -> RoleBody:
    """Show a role's permissions at a date, by default now."""
    return _role_body(role, _get_versions(role), at or date.max)


@router.get("/v1/access/roles/{role}/changes")
async def show_changes(
    role: str, older: Annotated[int, Query(ge=0)], newer: Annotated[int, Query(ge=0)]
) -> ChangesBody:
    """Show the permissions gained and lost between two versions; 0 is before the first."""
    known = _get_versions(role)
    if max(older, newer) > len(known):
        raise RoleUnknown
    adds, removes = versions.compare_versions(known, older, newer)
    return ChangesBody(role=role, adds=sorted(adds), removes=sorted(removes))


def _get_versions(role: str) -> tuple[RoleVersion, ...]:
    known = versions.read_history().get(role)
    if known is None:
        raise RoleUnknown
    return known


def _role_body(role: str, versions_of_role: tuple[RoleVersion, ...], day: date) -> RoleBody:
    version = versions.version_on(versions_of_role, day)
    number = version.number if version else 0
    return RoleBody(
        role=role,
        title=TITLES[role].localised,
        version=number,
        since=version.since if version else None,
        permissions=sorted(versions.permissions_at(versions_of_role, number)),
    )
