"""Routes of the credentials of consumers. Not here: who approves them (rules)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.http import dependencies, paging
from chassis.moments import Moment
from services.manpower.credentials import approval_process, usecases
from services.manpower.credentials.rules import Credential, CredentialState
from services.manpower.credentials.usecases import CredentialTerms
from services.manpower.transaction import Run

router = APIRouter(tags=["consumers"])


class CredentialForm(BaseModel):
    """The id of an existing user or system of the gateway, and its last moment; no secret."""

    model_config = dependencies.STRICT

    credential_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{2,99}$")]
    valid_until: Moment

    def to_terms(self) -> CredentialTerms:
        """Return what is proposed."""
        return CredentialTerms(**self.model_dump())


class Reason(BaseModel):
    """The reason of a detachment or a return."""

    model_config = dependencies.STRICT

    reason: Annotated[str, Field(min_length=1, max_length=200)]


class CredentialStepBody(BaseModel):
    """A step that was taken."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    to: CredentialState
    by: str
    on_behalf_of: str
    reason: str


class CredentialBody(BaseModel):
    """A credential of a consumer."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    consumer_id: str
    user_id: str
    credential_ref: str
    valid_until: datetime
    state: CredentialState
    steps: list[CredentialStepBody]


@router.post("/v1/consumers/{consumer_id}/credentials", status_code=201)
async def propose_credential(
    consumer_id: str, form: CredentialForm, request: Request, run: Run, response: Response
) -> CredentialBody:
    """Propose an existing user or system for a consumer; a second person must agree."""
    credential = await approval_process.propose_credential(
        consumer_id, form.to_terms(), request.app.state.gateway, run
    )
    return _answer(credential, response)


@router.get("/v1/consumers/{consumer_id}/credentials")
async def list_credentials(
    consumer_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[CredentialBody]:
    """List the credentials of a consumer, ended ones too."""
    page = await run(partial(usecases.list_credentials, consumer_id, cursor, limit))
    return paging.PageBody(
        items=[CredentialBody.model_validate(credential) for credential in page.items],
        next_cursor=page.next_cursor,
    )


@router.post("/v1/consumer-credentials/{credential_id}/approve")
async def approve_credential(
    credential_id: str,
    request: Request,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> CredentialBody:
    """Agree to attach or to detach a credential.

    Neither the person who proposed it nor an administrator of that user may agree.
    """
    credential = await approval_process.approve_credential(
        credential_id, version, request.app.state.gateway, run
    )
    return _answer(credential, response)


@router.post("/v1/consumer-credentials/{credential_id}/return")
async def return_proposal(
    credential_id: str,
    body: Reason,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> CredentialBody:
    """Return a proposal: the credential is as it was before."""
    command = partial(usecases.return_proposal, credential_id, body.reason, version)
    return _answer(await run(command), response)


@router.post("/v1/consumer-credentials/{credential_id}/detach")
async def propose_detachment(
    credential_id: str,
    body: Reason,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> CredentialBody:
    """Propose to detach a credential; a second person must agree."""
    command = partial(usecases.propose_detachment, credential_id, body.reason, version)
    return _answer(await run(command), response)


def _answer(credential: Credential, response: Response) -> CredentialBody:
    dependencies.set_etag(response, credential)
    return CredentialBody.model_validate(credential)
