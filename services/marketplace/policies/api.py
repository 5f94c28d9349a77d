"""Routes of split policies.

Not here: which policy is in effect for an order (rules).
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from chassis.moments import Day
from services.marketplace.money import Bps
from services.marketplace.policies import usecases
from services.marketplace.policies.rules import (
    Party,
    PolicyContent,
    PolicyId,
    PolicyState,
    Share,
    ShareBase,
    SplitPolicy,
)
from services.marketplace.transaction import Run
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
    effective_from: Day
    effective_to: Day | None = None
    legal_basis: str = Field(max_length=400)
    document_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    needs_legal_confirmation: bool = True


class RetirementIn(BaseModel):
    model_config = dependencies.STRICT
    last_day: Day


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
        """Return the body of a policy."""
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
async def draft_policy(body: PolicyIn, run: Run, response: Response) -> PolicyBody:
    """Draft the next version of the policy of a scope.

    Refused unless the shares sum to 100 % and the policy names its legal basis.
    """
    content = PolicyContent(
        facility_id=body.facility_id,
        zone=body.zone,
        workshop_id=body.workshop_id,
        product_class=body.product_class,
        base=body.base,
        shares=tuple(Share(party=share.party, bps=Bps(share.bps)) for share in body.shares),
        effective_from=body.effective_from,
        effective_to=body.effective_to,
        legal_basis=body.legal_basis,
        document_hash=body.document_hash,
        needs_legal_confirmation=body.needs_legal_confirmation,
    )
    policy = await run(partial(usecases.draft, PolicyId(new_id()), content))
    dependencies.set_etag(response, policy)
    return PolicyBody.of(policy)


@router.get("")
async def list_policies(
    run: Run,
    state: PolicyState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[PolicyBody]:
    """Return the policies of the caller's Lapas."""
    page = await run(partial(usecases.list_policies, state, cursor, limit))
    return paging.PageBody(
        items=[PolicyBody.of(policy) for policy in page.items], next_cursor=page.next_cursor
    )


@router.get("/{policy_id}")
async def read_policy(policy_id: str, run: Run, response: Response) -> PolicyBody:
    """Return one policy."""
    policy = await run(partial(usecases.read_policy, PolicyId(policy_id)))
    dependencies.set_etag(response, policy)
    return PolicyBody.of(policy)


@router.post("/{policy_id}/proposal")
async def propose_policy(
    policy_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> PolicyBody:
    """Propose a draft for approval."""
    policy = await run(partial(usecases.propose, PolicyId(policy_id), version))
    dependencies.set_etag(response, policy)
    return PolicyBody.of(policy)


@router.post("/{policy_id}/approval")
async def approve_policy(
    policy_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> PolicyBody:
    """Approve a policy that another officer proposed.

    Refused when its period overlaps another approved period of the same scope.
    """
    policy = await run(partial(usecases.approve, PolicyId(policy_id), version))
    dependencies.set_etag(response, policy)
    return PolicyBody.of(policy)


@router.post("/{policy_id}/activation")
async def activate_policy(
    policy_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> PolicyBody:
    """Activate an approved policy; it is in effect from its first day."""
    policy = await run(partial(usecases.activate, PolicyId(policy_id), version))
    dependencies.set_etag(response, policy)
    return PolicyBody.of(policy)


@router.post("/{policy_id}/retirement")
async def retire_policy(
    policy_id: str,
    body: RetirementIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> PolicyBody:
    """Set the last day of a policy; orders placed under it keep it."""
    command = partial(usecases.retire, PolicyId(policy_id), body.last_day, version)
    policy = await run(command)
    dependencies.set_etag(response, policy)
    return PolicyBody.of(policy)
