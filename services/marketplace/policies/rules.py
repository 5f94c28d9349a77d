"""Rules of split policies: how proceeds are shared.

A policy is versioned data with a legal basis. One officer proposes it, another approves it.
Not here: the division of one order line (proceeds).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from chassis.caller import Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.marketplace.money import WHOLE_BPS, Bps, total
from services.marketplace.settings import TEXTS
from services.marketplace.zones import Zone

PolicyId = NewType("PolicyId", str)


class PolicyUnknown(NotFound):
    title = TEXTS["errors.policy_unknown"]


class PolicyBpsSum(Refused):
    title = TEXTS["errors.policy_bps_sum"]
    field = "shares"


class PolicyPartyTwice(Refused):
    title = TEXTS["errors.policy_party_twice"]
    field = "shares"


class PolicyLegalBasisMissing(Refused):
    title = TEXTS["errors.policy_legal_basis_missing"]
    field = "legal_basis"


class PolicyOwnApproval(Forbidden):
    title = TEXTS["errors.policy_own_approval"]


class PolicyOverlaps(Conflict):
    title = TEXTS["errors.policy_overlaps"]


class PolicyStateDiffers(Conflict):
    title = TEXTS["errors.policy_state_differs"]


class PolicyPeriodInvalid(Refused):
    title = TEXTS["errors.policy_period_invalid"]
    field = "effective_to"


class NoPolicyInEffect(Conflict):
    title = TEXTS["errors.no_policy_in_effect"]


class Party(StrEnum):
    PREMI = "premi"
    PNBP = "pnbp"
    MODAL = "modal"


class ShareBase(StrEnum):
    """The amount that the shares divide: the line total, with or without its frozen cost."""

    NET_OF_COST = "net_of_cost"
    GROSS = "gross"


class PolicyState(StrEnum):
    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The share of one party. The order of shares in the policy settles ties."""

    party: Party
    bps: Bps


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """The part of a policy that an order line freezes; it never changes."""

    policy_id: PolicyId
    policy_version: int
    base: ShareBase
    shares: tuple[Share, ...]
    needs_legal_confirmation: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyContent:
    """The content of a policy as its drafter gives it.

    The scope is the whole Lapas, narrowed by `workshop_id` and `product_class` if they are given.
    """

    facility_id: str
    zone: Zone
    workshop_id: str | None
    product_class: str | None
    base: ShareBase
    shares: tuple[Share, ...]
    effective_from: date
    effective_to: date | None
    legal_basis: str
    document_hash: str
    needs_legal_confirmation: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPolicy:
    """One version of a split policy. Its content never changes; a change is a new version."""

    id: PolicyId
    facility_id: str
    zone: Zone
    workshop_id: str | None
    product_class: str | None
    policy_version: int
    base: ShareBase
    shares: tuple[Share, ...]
    effective_from: date
    effective_to: date | None
    legal_basis: str
    document_hash: str
    needs_legal_confirmation: bool
    drafted_by: str
    drafted_for: str = ""
    proposed_by: str = ""
    proposed_for: str = ""
    approved_by: str = ""
    approved_at: datetime | None = None
    state: PolicyState = PolicyState.DRAFT
    version: int = 0

    @property
    def terms(self) -> PolicyTerms:
        """The terms that an order line freezes."""
        return PolicyTerms(
            policy_id=self.id,
            policy_version=self.policy_version,
            base=self.base,
            shares=self.shares,
            needs_legal_confirmation=self.needs_legal_confirmation,
        )

    @property
    def specificity(self) -> int:
        """The rank of the scope: a workshop ranks above a product class, both above the Lapas."""
        rank = 0
        if self.workshop_id is not None:
            rank += 2
        if self.product_class is not None:
            rank += 1
        return rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The days for which one approved version of a scope is in effect."""

    policy_id: PolicyId
    first: date
    last: date | None

    def overlaps(self, other: Period) -> bool:
        """Return whether the two periods have a day in common."""
        other_begins_in_time = self.last is None or other.first <= self.last
        self_begins_in_time = other.last is None or self.first <= other.last
        return other_begins_in_time and self_begins_in_time


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyScope:
    """The last version number and the approved periods of one scope.

    Every approval writes this document, so two approvals cannot overlap.
    """

    id: str
    facility_id: str
    last_version: int = 0
    periods: tuple[Period, ...] = ()
    version: int = 0


def scope_id(facility_id: str, workshop_id: str | None, product_class: str | None) -> str:
    """Return the id of a scope."""
    return f"{facility_id}/{workshop_id or '*'}/{product_class or '*'}"


def draft(
    policy_id: PolicyId, content: PolicyContent, scope: PolicyScope, actor: Actor
) -> tuple[SplitPolicy, PolicyScope]:
    """Draft the next version of a scope's policy. Raises as `check_content` does."""
    policy_version = scope.last_version + 1
    policy = SplitPolicy(
        id=policy_id,
        facility_id=content.facility_id,
        zone=content.zone,
        workshop_id=content.workshop_id,
        product_class=content.product_class,
        policy_version=policy_version,
        base=content.base,
        shares=content.shares,
        effective_from=content.effective_from,
        effective_to=content.effective_to,
        legal_basis=content.legal_basis,
        document_hash=content.document_hash,
        needs_legal_confirmation=content.needs_legal_confirmation,
        drafted_by=actor.by,
        drafted_for=actor.on_behalf_of,
    )
    check_content(policy)
    return policy, replace(scope, last_version=policy_version)


def check_content(policy: SplitPolicy) -> None:
    """Check the shares, the legal basis and the period.

    Raises PolicyBpsSum, PolicyPartyTwice, PolicyLegalBasisMissing or PolicyPeriodInvalid.
    """
    bps = total(share.bps for share in policy.shares)
    if bps != WHOLE_BPS:
        raise PolicyBpsSum(bps=bps)
    parties = {share.party for share in policy.shares}
    if len(parties) != len(policy.shares):
        raise PolicyPartyTwice
    if not policy.legal_basis.strip() or not policy.document_hash:
        raise PolicyLegalBasisMissing
    if policy.effective_to is not None and policy.effective_to < policy.effective_from:
        raise PolicyPeriodInvalid


def propose(policy: SplitPolicy, actor: Actor) -> SplitPolicy:
    """Propose a draft in the actor's name."""
    _require_state(policy, PolicyState.DRAFT)
    check_content(policy)
    return replace(
        policy, state=PolicyState.PROPOSED, proposed_by=actor.by, proposed_for=actor.on_behalf_of
    )


def approve(
    policy: SplitPolicy, scope: PolicyScope, actor: Actor, now: datetime
) -> tuple[SplitPolicy, PolicyScope]:
    """Approve a proposed policy as a second person.

    Raises PolicyOwnApproval when the approver drafted or proposed it, or acts for or through
    somebody who did. Raises PolicyOverlaps when another approved period of the scope shares a day.
    """
    _require_state(policy, PolicyState.PROPOSED)
    proposer = Actor(policy.proposed_by, policy.proposed_for)
    drafter = Actor(policy.drafted_by, policy.drafted_for)
    if actor.conflicts_with(proposer) or actor.conflicts_with(drafter):
        raise PolicyOwnApproval
    check_content(policy)
    period = Period(policy_id=policy.id, first=policy.effective_from, last=policy.effective_to)
    for approved_period in scope.periods:
        if period.overlaps(approved_period):
            raise PolicyOverlaps(policy_id=approved_period.policy_id)
    approved = replace(policy, state=PolicyState.APPROVED, approved_by=actor.by, approved_at=now)
    return approved, replace(scope, periods=(*scope.periods, period))


def activate(policy: SplitPolicy) -> SplitPolicy:
    """Activate an approved policy; it is in effect from its first day."""
    _require_state(policy, PolicyState.APPROVED)
    return replace(policy, state=PolicyState.ACTIVE)


def retire(
    policy: SplitPolicy, scope: PolicyScope, last_day: date, today: date
) -> tuple[SplitPolicy, PolicyScope]:
    """Set the last day of an active policy; orders placed under it keep it.

    The earliest last day is yesterday, the latest is the policy's own end. Raises
    PolicyPeriodInvalid.
    """
    _require_state(policy, PolicyState.ACTIVE)
    earliest = max(policy.effective_from, today - timedelta(days=1))
    if last_day < earliest:
        raise PolicyPeriodInvalid
    if policy.effective_to is not None and last_day > policy.effective_to:
        raise PolicyPeriodInvalid
    periods = tuple(
        replace(period, last=last_day) if period.policy_id == policy.id else period
        for period in scope.periods
    )
    retired = replace(policy, state=PolicyState.RETIRED, effective_to=last_day)
    return retired, replace(scope, periods=periods)


def select_policy(
    policies: Iterable[SplitPolicy], *, workshop_id: str, product_class: str, day: date
) -> SplitPolicy:
    """Return the most specific policy in effect for this workshop and product class on this day.

    Raises NoPolicyInEffect.
    """
    in_effect = [policy for policy in policies if _covers(policy, workshop_id, product_class, day)]
    if not in_effect:
        raise NoPolicyInEffect
    return max(in_effect, key=lambda policy: policy.specificity)


def share_weights(shares: Sequence[Share]) -> list[tuple[str, int]]:
    """Return the shares as weights for `allocate`, in the policy's order."""
    return [(share.party, share.bps) for share in shares]


def _covers(policy: SplitPolicy, workshop_id: str, product_class: str, day: date) -> bool:
    if policy.state not in {PolicyState.ACTIVE, PolicyState.RETIRED}:
        return False
    if day < policy.effective_from:
        return False
    if policy.effective_to is not None and day > policy.effective_to:
        return False
    if policy.workshop_id not in {None, workshop_id}:
        return False
    return policy.product_class in {None, product_class}


def _require_state(policy: SplitPolicy, state: PolicyState) -> None:
    if policy.state is not state:
        raise PolicyStateDiffers(state=policy.state)
