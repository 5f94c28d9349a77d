"""The stored split policies and their scopes.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.policies.rules import PolicyScope, PolicyState, PolicyUnknown, SplitPolicy


class Policies(Store[SplitPolicy]):
    kind = SplitPolicy
    collection = "split_policies"
    unknown = PolicyUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id", "workshop_id", "product_class", "policy_version", unique=True),)
    schema = 2

    async def list_ever_active(self, facility_id: str) -> list[SplitPolicy]:
        """Return all policies of a facility that are or were active.

        Unscoped: a buyer has no facility, and an order is placed under one of these policies.
        """
        ever_active = {"$in": [PolicyState.ACTIVE, PolicyState.RETIRED]}
        return await self.find({"facility_id": facility_id, "state": ever_active}, scoped=False)

    async def list_page(
        self, state: PolicyState | None, cursor: str | None, limit: int
    ) -> Page[SplitPolicy]:
        """Return one page of the policies in the caller's scope, in one state or all."""
        return await self.page({"state": state} if state else {}, cursor=cursor, limit=limit)


class PolicyScopes(Store[PolicyScope]):
    kind = PolicyScope
    collection = "split_policy_scopes"
    scope = {"facility": "facility_id"}
