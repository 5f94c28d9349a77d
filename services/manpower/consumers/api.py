"""How consumers are asked for."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.manpower.agencies.rules import AgencyId, Moment, RegencyCode, Status
from services.manpower.consumers import usecases
from services.manpower.consumers.rules import Consumer, ConsumerKind, Grant
from services.manpower.transaction import Run, Transaction

router = APIRouter(tags=["consumers"])

Text = Annotated[str, Field(min_length=1, max_length=200)]
Sorted = Annotated[list[str], BeforeValidator(sorted)]


class GrantBody(BaseModel):
    """A role with its regencies and its time."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    role: Text
    regency_codes: Annotated[frozenset[RegencyCode], Field(max_length=50)]
    valid_from: Moment
    valid_until: Moment


class ConsumerForm(BaseModel):
    """A consumer as it is asked for."""

    model_config = dependencies.STRICT

    agency_id: AgencyId
    kind: ConsumerKind
    title: Text
    purpose: Text
    legal_basis: Text
    grants: Annotated[list[GrantBody], Field(min_length=1, max_length=20)]

    def to_consumer(self) -> Consumer:
        """The consumer in this form."""
        grants = tuple(Grant(**each.model_dump()) for each in self.grants)
        return Consumer(
            **self.model_dump(exclude={"grants"}), id=new_id(), grants=grants, requested_by=""
        )


class CredentialForm(BaseModel):
    """The name of a credential in the gateway; never its secret."""

    model_config = dependencies.STRICT

    credential_ref: Text


class Reason(BaseModel):
    """Why a status changes."""

    model_config = dependencies.STRICT

    reason: Text


class RefusedBody(BaseModel):
    """A grant that the gateway refused to hold, with the code of its reason (`user_unknown`: it has no such credential)."""

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
    status: Status
    credential_refs: Sorted
    grants: list[GrantBody]


class ConsumerShown(ConsumerBody):
    """A consumer, and what of its grants does not work."""

    refused: list[RefusedBody]


@router.post("/v1/consumers", status_code=201)
async def request_consumer(form: ConsumerForm, run: Run, response: Response) -> ConsumerBody:
    """Ask for a consumer of an agency; it waits for a second person."""
    return _answer(await run(partial(usecases.request_consumer, form.to_consumer())), response)


@router.get("/v1/consumers")
async def list_consumers(
    run: Run,
    agency_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ConsumerBody]:
    """Consumers."""

    async def page(tx: Transaction) -> paging.PageBody[ConsumerBody]:
        found = await tx.consumers.list_page(agency_id, cursor, limit)
        return paging.PageBody(
            items=[ConsumerBody.model_validate(consumer) for consumer in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(page)


@router.get("/v1/consumers/{consumer_id}")
async def show_consumer(consumer_id: str, run: Run, response: Response) -> ConsumerShown:
    """One consumer, and what of its grants the gateway refused."""

    async def one(tx: Transaction) -> ConsumerShown:
        consumer = await tx.consumers.get(consumer_id)
        refused = [
            RefusedBody(credential_ref=order.user_id, role=order.role, refusal=order.refusal)
            for order in await tx.grant_orders.list_refused(consumer_id)
        ]
        return ConsumerShown(**_answer(consumer, response).model_dump(), refused=refused)

    return await run(one)


@router.post("/v1/consumers/{consumer_id}/approve")
async def approve_consumer(
    consumer_id: str, run: Run, response: Response, if_match: dependencies.IfMatch
) -> ConsumerBody:
    """Approve it: somebody else than who asked for it."""
    return _answer(
        await run(
            partial(
                usecases.change_consumer_status, consumer_id, Status.ACTIVE, "", if_match=if_match
            )
        ),
        response,
    )


@router.post("/v1/consumers/{consumer_id}/suspend")
async def suspend_consumer(
    consumer_id: str, body: Reason, run: Run, response: Response, if_match: dependencies.IfMatch
) -> ConsumerBody:
    """The kill switch: its next request is refused; its feed goes on being written."""
    return _answer(
        await run(
            partial(
                usecases.change_consumer_status,
                consumer_id,
                Status.SUSPENDED,
                body.reason,
                if_match=if_match,
            )
        ),
        response,
    )


@router.post("/v1/consumers/{consumer_id}/resume")
async def resume_consumer(
    consumer_id: str, run: Run, response: Response, if_match: dependencies.IfMatch
) -> ConsumerBody:
    """End a suspension; it goes on from its cursor."""
    return _answer(
        await run(
            partial(
                usecases.change_consumer_status, consumer_id, Status.ACTIVE, "", if_match=if_match
            )
        ),
        response,
    )


@router.post("/v1/consumers/{consumer_id}/close")
async def close_consumer(
    consumer_id: str, body: Reason, run: Run, response: Response, if_match: dependencies.IfMatch
) -> ConsumerBody:
    """Close it for good."""
    return _answer(
        await run(
            partial(
                usecases.change_consumer_status,
                consumer_id,
                Status.CLOSED,
                body.reason,
                if_match=if_match,
            )
        ),
        response,
    )


@router.post("/v1/consumers/{consumer_id}/credentials")
async def attach_credential(
    consumer_id: str,
    form: CredentialForm,
    run: Run,
    response: Response,
    if_match: dependencies.IfMatch,
) -> ConsumerBody:
    """Record that a credential of the gateway's belongs to it."""
    return _answer(
        await run(
            partial(usecases.attach_credential, consumer_id, form.credential_ref, if_match=if_match)
        ),
        response,
    )


def _answer(consumer: Consumer, response: Response) -> ConsumerBody:
    dependencies.set_etag(response, consumer)
    return ConsumerBody.model_validate(consumer)
