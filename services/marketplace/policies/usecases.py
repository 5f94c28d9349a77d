"""What happens: split policies are drafted, proposed, approved by another, activated and retired."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from services.marketplace.policies import rules
from services.marketplace.policies.rules import PolicyId, PolicyScope, SplitPolicy, scope_id
from services.marketplace.transaction import Transaction
from services.marketplace.zones import local_day


async def draft(policy: SplitPolicy, tx: Transaction) -> SplitPolicy:
    """Draft the next version of a scope's policy."""
    key = scope_id(policy.facility_id, policy.workshop_id, policy.product_class)
    known = await tx.policy_scopes.seek(key)
    before = known or PolicyScope(id=key, facility_id=policy.facility_id)
    after = replace(before, last_version=before.last_version + 1)
    if known:
        tx.policy_scopes.save(known, after)
    else:
        tx.policy_scopes.add(after)
    if policy.workshop_id is not None:
        await tx.workshops.get(policy.workshop_id)
    return tx.policies.add(replace(policy, policy_version=after.last_version))


async def propose(policy_id: PolicyId, if_match: int | None, tx: Transaction) -> SplitPolicy:
    """Put a draft forward."""
    before = await tx.policies.get(policy_id, if_match=if_match)
    return tx.policies.save(before, rules.propose(before, tx.caller.actor))


async def approve(policy_id: PolicyId, if_match: int | None, tx: Transaction) -> SplitPolicy:
    """Sign what another has proposed."""
    before = await tx.policies.get(policy_id, if_match=if_match)
    scope = await tx.policy_scopes.get(_policy_scope_id(before))
    after, scope_after = rules.approve(before, scope, tx.caller.actor, tx.now)
    tx.policy_scopes.save(scope, scope_after)
    return tx.policies.save(before, after)


async def activate(policy_id: PolicyId, if_match: int | None, tx: Transaction) -> SplitPolicy:
    """Let an approved policy count."""
    before = await tx.policies.get(policy_id, if_match=if_match)
    return tx.policies.save(before, rules.activate(before))


async def retire(
    policy_id: PolicyId, last_day: date, if_match: int | None, tx: Transaction
) -> SplitPolicy:
    """Set the last day of a policy."""
    before = await tx.policies.get(policy_id, if_match=if_match)
    scope = await tx.policy_scopes.get(_policy_scope_id(before))
    after, scope_after = rules.retire(before, scope, last_day, local_day(tx.now, before.zone))
    tx.policy_scopes.save(scope, scope_after)
    return tx.policies.save(before, after)


def _policy_scope_id(policy: SplitPolicy) -> str:
    return scope_id(policy.facility_id, policy.workshop_id, policy.product_class)
