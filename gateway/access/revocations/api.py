"""The route by which manpower revokes tokens of agencies' and employers' users and systems.

Not here: rules.
"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis.http import dependencies
from gateway.access.revocations import usecases
from gateway.access.revocations.rules import RevocationKind
from gateway.access.transaction import Run

internal_api = APIRouter(
    dependencies=[dependencies.require_service("manpower", purposes=("manage-access",))]
)


class RevocationBody(BaseModel):
    """What to revoke: a token by its `jti`, a session by its `sid`, or a user's tokens."""

    model_config = dependencies.STRICT

    kind: RevocationKind
    target: Annotated[str, Field(min_length=1, max_length=200)]


@internal_api.post("/internal/revocations", status_code=204)
async def withdraw_trust(body: RevocationBody, run: Run) -> None:
    """Revoke; in force within seconds, also for streams."""
    use_cases = {
        RevocationKind.TOKEN: usecases.revoke_token,
        RevocationKind.SUBJECT: usecases.revoke_subject,
        RevocationKind.SESSION: usecases.revoke_session,
    }
    await run(partial(use_cases[body.kind], body.target))
