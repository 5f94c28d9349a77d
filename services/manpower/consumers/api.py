"""Routes of consumers. Not here: their grants at the gateway (grants)."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from chassis.moments import Moment
from services.manpower.agencies.rules import AgencyId, RegencyCode, Status
from services.manpower.consumers import usecases
from services.manpower.consumers.rules import Consumer, ConsumerKind, Grant
from services.manpower.consumers.usecases import ConsumerView
from services.manpower.transaction import Run

router = APIRouter(tags=["consumers"])

Text = Annotated[str, Field(min_length=1, max_length=200)]


class GrantBody(BaseModel):
    """A role with its regencies and its period."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    role: Text
    regency_codes: Annotated[frozenset[RegencyCode], Field(max_length=50)]
    valid_from: Moment
    valid_until: Moment


class ConsumerForm(BaseModel):
    """A consumer as it is requested."""

    model_config = dependencies.STRICT

    agency_id: AgencyId
    kind: ConsumerKind
    title: Text
    purpose: Text
    legal_basis: Text
    grants: Annotated[list[GrantBody], Field(min_length=1, max_length=20)]

    def to_consumer(self) -> Consumer:
        """Return the consumer that the form describes."""
        grants = tuple(Grant(**grant.model_dump()) for grant in self.grants)
        return Consumer(
            **self.model_dump(exclude={"grants"}),
            id=new_id(),
            owner="",
            grants=grants,
            requested_by="",
        )


class Reason(BaseModel):
    """The reason of a change of status."""

    model_config = dependencies.STRICT

    reason: Text


class RefusedBody(BaseModel):
    """A grant that the gateway refused to hold, with the code of its reason.

    `user_unknown`: the gateway has no such credential.
    """

    model_config = ConfigDict(from_attributes=True)

    credential_ref: str
    role: str
    refusal: str


class ConsumerBody(BaseModel):
    """A consumer."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    agency_id: str
    kind: ConsumerKind
    title: str
    purpose: str
    legal_basis: str
    owner: str
    status: Status
    grants: list[GrantBody]


class ConsumerShown(ConsumerBody):
    """A consumer, and its grants that the gateway refused."""

    refused: list[RefusedBody]

    @classmethod
    def of(cls, view: ConsumerView) -> ConsumerShown:
        """Return the body of a view."""
        consumer = ConsumerBody.model_validate(view.consumer)
        refused = [RefusedBody.model_validate(grant) for grant in view.refused]
        return cls(**consumer.model_dump(), refused=refused)


@router.post("/v1/consumers", status_code=201)
async def request_consumer(form: ConsumerForm, run: Run, response: Response) -> ConsumerBody:
    """Request a consumer of an agency; it waits for the approval of a second person."""
    command = partial(usecases.request_consumer, form.to_consumer())
    return _answer(await run(command), response)


@router.get("/v1/consumers")
async def list_consumers(
    run: Run,
    agency_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ConsumerBody]:
    """List consumers, of one agency or all."""
    page = await run(partial(usecases.list_consumers, agency_id, cursor, limit))
    return paging.PageBody(
        items=[ConsumerBody.model_validate(consumer) for consumer in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/consumers/{consumer_id}")
async def show_consumer(consumer_id: str, run: Run, response: Response) -> ConsumerShown:
    """Show one consumer, and its grants that the gateway refused."""
    view = await run(partial(usecases.show_consumer, consumer_id))
    dependencies.set_etag(response, view.consumer)
    return ConsumerShown.of(view)


@router.post("/v1/consumers/{consumer_id}/approve")
async def approve_consumer(
    consumer_id: str, run: Run, response: Response, version: dependencies.RequiredIfMatch
) -> ConsumerBody:
    """Approve a consumer; another person than the one who requested it must do this."""
    return await _change_status(consumer_id, Status.ACTIVE, "", version, run, response)


@router.post("/v1/consumers/{consumer_id}/suspend")
async def suspend_consumer(
    consumer_id: str,
    body: Reason,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> ConsumerBody:
    """Suspend a consumer (kill switch): its next request is refused; its feed is still written."""
    return await _change_status(consumer_id, Status.SUSPENDED, body.reason, version, run, response)


@router.post("/v1/consumers/{consumer_id}/resume")
async def resume_consumer(
    consumer_id: str, run: Run, response: Response, version: dependencies.RequiredIfMatch
) -> ConsumerBody:
    """End the suspension of a consumer; it continues from its cursor."""
    return await _change_status(consumer_id, Status.ACTIVE, "", version, run, response)


@router.post("/v1/consumers/{consumer_id}/close")
async def close_consumer(
    consumer_id: str,
    body: Reason,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> ConsumerBody:
    """Close a consumer permanently."""
    return await _change_status(consumer_id, Status.CLOSED, body.reason, version, run, response)


async def _change_status(
    consumer_id: str, to: Status, reason: str, version: int, run: Run, response: Response
) -> ConsumerBody:
    command = partial(usecases.change_consumer_status, consumer_id, to, reason, version)
    return _answer(await run(command), response)


def _answer(consumer: Consumer, response: Response) -> ConsumerBody:
    dependencies.set_etag(response, consumer)
    return ConsumerBody.model_validate(consumer)
