"""Use cases of split policies: draft, propose, approve, activate, retire.

Not here: rules.
"""

from __future__ import annotations

from datetime import date

from chassis.persistence.store import Page
from services.marketplace.policies import rules
from services.marketplace.policies.rules import (
    PolicyContent,
    PolicyId,
    PolicyScope,
    PolicyState,
    SplitPolicy,
    scope_id,
)
from services.marketplace.transaction import Transaction
from services.marketplace.zones import local_day


async def draft(policy_id: PolicyId, content: PolicyContent, tx: Transaction) -> SplitPolicy:
    """Draft the next version of the policy of a scope."""
    key = scope_id(content.facility_id, content.workshop_id, content.product_class)
    stored_scope = await tx.policy_scopes.seek(key)
    scope = stored_scope or PolicyScope(id=key, facility_id=content.facility_id)
    policy, scope_after = rules.draft(policy_id, content, scope, tx.caller.actor)
    if content.workshop_id is not None:
        await tx.workshops.get(content.workshop_id)
    if stored_scope is None:
        tx.policy_scopes.add(scope_after)
    else:
        tx.policy_scopes.save(stored_scope, scope_after)
    return tx.policies.add(policy)


async def list_policies(
    state: PolicyState | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[SplitPolicy]:
    """Return one page of policies, in one state or all."""
    return await tx.policies.list_page(state, cursor, limit)


async def read_policy(policy_id: PolicyId, tx: Transaction) -> SplitPolicy:
    """Return one policy."""
    return await tx.policies.get(policy_id)


async def propose(policy_id: PolicyId, version: int, tx: Transaction) -> SplitPolicy:
    """Propose a draft for approval."""
    before = await tx.policies.get(policy_id, if_match=version)
    return tx.policies.save(before, rules.propose(before, tx.caller.actor))


async def approve(policy_id: PolicyId, version: int, tx: Transaction) -> SplitPolicy:
    """Approve a policy that another officer proposed."""
    before = await tx.policies.get(policy_id, if_match=version)
    scope = await tx.policy_scopes.get(_policy_scope_id(before))
    after, scope_after = rules.approve(before, scope, tx.caller.actor, tx.now)
    tx.policy_scopes.save(scope, scope_after)
    return tx.policies.save(before, after)


async def activate(policy_id: PolicyId, version: int, tx: Transaction) -> SplitPolicy:
    """Activate an approved policy."""
    before = await tx.policies.get(policy_id, if_match=version)
    return tx.policies.save(before, rules.activate(before))


async def retire(policy_id: PolicyId, last_day: date, version: int, tx: Transaction) -> SplitPolicy:
    """Set the last day of an active policy."""
    before = await tx.policies.get(policy_id, if_match=version)
    scope = await tx.policy_scopes.get(_policy_scope_id(before))
    today = local_day(tx.now, before.zone)
    after, scope_after = rules.retire(before, scope, last_day, today)
    tx.policy_scopes.save(scope, scope_after)
    return tx.policies.save(before, after)


def _policy_scope_id(policy: SplitPolicy) -> str:
    return scope_id(policy.facility_id, policy.workshop_id, policy.product_class)
