"""How split policies are asked for."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.marketplace.money import Bps
from services.marketplace.policies import usecases
from services.marketplace.policies.rules import (
    Party,
    PolicyId,
    PolicyState,
    Share,
    ShareBase,
    SplitPolicy,
    check_content,
)
from services.marketplace.transaction import Run, Transaction
from services.marketplace.zones import Zone

router = APIRouter(prefix="/v1/split-policies", tags=["Kebijakan pembagian"])


class ShareBody(BaseModel):
    model_config = dependencies.STRICT
    party: Party
    bps: Annotated[int, Field(strict=True, ge=0, le=10_000)]


class PolicyIn(BaseModel):
    model_config = dependencies.STRICT
    facility_id: str = Field(min_length=1, max_length=40)
    zone: Zone = "Asia/Jakarta"
    workshop_id: str | None = None
    product_class: str | None = Field(None, max_length=40)
    base: ShareBase
    shares: list[ShareBody] = Field(min_length=1, max_length=3)
    effective_from: date
    effective_to: date | None = None
    legal_basis: str = Field(max_length=400)
    document_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    needs_legal_confirmation: bool = True


class RetirementIn(BaseModel):
    model_config = dependencies.STRICT
    last_day: date


class PolicyBody(BaseModel):
    id: str
    version: int
    facility_id: str
    workshop_id: str | None
    product_class: str | None
    policy_version: int
    base: str
    shares: list[ShareBody]
    effective_from: date
    effective_to: date | None
    legal_basis: str
    document_hash: str
    needs_legal_confirmation: bool
    proposed_by: str
    approved_by: str
    state: str

    @classmethod
    def of(cls, policy: SplitPolicy) -> Self:
        """The body of a policy."""
        return cls(
            id=policy.id,
            version=policy.version,
            facility_id=policy.facility_id,
            workshop_id=policy.workshop_id,
            product_class=policy.product_class,
            policy_version=policy.policy_version,
            base=policy.base,
            shares=[ShareBody(party=share.party, bps=share.bps) for share in policy.shares],
            effective_from=policy.effective_from,
            effective_to=policy.effective_to,
            legal_basis=policy.legal_basis,
            document_hash=policy.document_hash,
            needs_legal_confirmation=policy.needs_legal_confirmation,
            proposed_by=policy.proposed_by,
            approved_by=policy.approved_by,
            state=policy.state,
        )


@router.post("", status_code=201)
async def draft_policy(body: PolicyIn, run: Run) -> PolicyBody:
    """Draft the next version of a scope's policy. Refused unless its shares are the whole and it names its legal basis."""

    async def draft(tx: Transaction) -> SplitPolicy:
        policy = SplitPolicy(
            id=PolicyId(new_id()),
            facility_id=body.facility_id,
            zone=body.zone,
            workshop_id=body.workshop_id,
            product_class=body.product_class,
            policy_version=0,
            base=body.base,
            shares=tuple(Share(party=share.party, bps=Bps(share.bps)) for share in body.shares),
            effective_from=body.effective_from,
            effective_to=body.effective_to,
            legal_basis=body.legal_basis,
            document_hash=body.document_hash,
            needs_legal_confirmation=body.needs_legal_confirmation,
            drafted_by=tx.caller.subject,
            drafted_for=tx.caller.on_behalf_of,
        )
        check_content(policy)
        return await usecases.draft(policy, tx)

    return PolicyBody.of(await run(draft))


@router.get("")
async def list_policies(
    run: Run,
    state: PolicyState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[PolicyBody]:
    """The policies of the caller's Lapas."""

    async def read(tx: Transaction) -> paging.PageBody[PolicyBody]:
        page = await tx.policies.list_page(state, cursor, limit)
        return paging.PageBody(
            items=[PolicyBody.of(policy) for policy in page.items], next_cursor=page.next_cursor
        )

    return await run(read)


@router.get("/{policy_id}")
async def read_policy(policy_id: str, run: Run, response: Response) -> PolicyBody:
    """One policy."""

    async def read(tx: Transaction) -> SplitPolicy:
        return await tx.policies.get(policy_id)

    policy = await run(read)
    dependencies.set_etag(response, policy)
    return PolicyBody.of(policy)


@router.post("/{policy_id}/proposal")
async def propose_policy(policy_id: str, run: Run, if_match: dependencies.IfMatch) -> PolicyBody:
    """Put a draft forward."""
    return PolicyBody.of(await run(partial(usecases.propose, PolicyId(policy_id), if_match)))


@router.post("/{policy_id}/approval")
async def approve_policy(policy_id: str, run: Run, if_match: dependencies.IfMatch) -> PolicyBody:
    """Sign what another has proposed; never over another approved period of the same scope."""
    return PolicyBody.of(await run(partial(usecases.approve, PolicyId(policy_id), if_match)))


@router.post("/{policy_id}/activation")
async def activate_policy(policy_id: str, run: Run, if_match: dependencies.IfMatch) -> PolicyBody:
    """Let an approved policy count from its first day on."""
    return PolicyBody.of(await run(partial(usecases.activate, PolicyId(policy_id), if_match)))


@router.post("/{policy_id}/retirement")
async def retire_policy(
    policy_id: str, body: RetirementIn, run: Run, if_match: dependencies.IfMatch
) -> PolicyBody:
    """Set the last day of a policy; orders placed under it keep it."""
    return PolicyBody.of(
        await run(partial(usecases.retire, PolicyId(policy_id), body.last_day, if_match))
    )
