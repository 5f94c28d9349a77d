"""What is allowed: split policies, how proceeds are shared. Versioned data with a legal basis and two signatures, never a constant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from chassis.caller import Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.marketplace.money import WHOLE_BPS, Bps, total
from services.marketplace.zones import Zone

PolicyId = NewType("PolicyId", str)


class PolicyUnknown(NotFound):
    title = "Kebijakan pembagian tidak ditemukan"


class PolicyBpsSum(Refused):
    title = "Jumlah bagian harus tepat 10.000 bps"
    field = "shares"


class PolicyPartyTwice(Refused):
    title = "Setiap pihak hanya boleh disebut satu kali"
    field = "shares"


class PolicyLegalBasisMissing(Refused):
    title = "Dasar hukum dan dokumennya wajib diisi"
    field = "legal_basis"


class PolicyOwnApproval(Forbidden):
    title = "Pengusul tidak boleh menyetujui usulannya sendiri"


class PolicyOverlaps(Conflict):
    title = "Masa berlaku bertumpang tindih dengan kebijakan lain untuk lingkup yang sama"


class PolicyStateDiffers(Conflict):
    title = "Keadaan kebijakan tidak memungkinkan langkah ini"


class PolicyPeriodInvalid(Refused):
    title = "Masa berlaku tidak benar"
    field = "effective_to"


class NoPolicyInEffect(Conflict):
    title = "Belum ada kebijakan pembagian yang berlaku untuk produk ini"


class Party(StrEnum):
    PREMI = "premi"
    PNBP = "pnbp"
    MODAL = "modal"


class ShareBase(StrEnum):
    """What the shares are taken of: the line total less its frozen cost, or the line total."""

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
    """One party's part; their order in the policy settles ties."""

    party: Party
    bps: Bps


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """What an order line keeps of the policy it was placed under, for ever."""

    policy_id: PolicyId
    policy_version: int
    base: ShareBase
    shares: tuple[Share, ...]
    needs_legal_confirmation: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPolicy:
    """One version of how the proceeds of a scope are shared. Content never changes; a change is a new version."""

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
        """What an order line freezes."""
        return PolicyTerms(
            policy_id=self.id,
            policy_version=self.policy_version,
            base=self.base,
            shares=self.shares,
            needs_legal_confirmation=self.needs_legal_confirmation,
        )

    @property
    def specificity(self) -> int:
        """How specific the scope is: workshop before product class before the facility."""
        return 2 * (self.workshop_id is not None) + (self.product_class is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The days for which one approved version of a scope stands."""

    policy_id: PolicyId
    first: date
    last: date | None

    def overlaps(self, other: Period) -> bool:
        """Whether the two have a day in common."""
        return (self.last is None or other.first <= self.last) and (
            other.last is None or self.first <= other.last
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyScope:
    """What all versions of one scope share: the last version number and the approved periods. Every approval writes it, so two never overlap."""

    id: str
    facility_id: str
    last_version: int = 0
    periods: tuple[Period, ...] = ()
    version: int = 0


def scope_id(facility_id: str, workshop_id: str | None, product_class: str | None) -> str:
    """The id of a scope."""
    return f"{facility_id}/{workshop_id or '*'}/{product_class or '*'}"


def check_content(policy: SplitPolicy) -> None:
    """Refuse shares that are not the whole, a party named twice, a missing legal basis, or an empty period."""
    if total(share.bps for share in policy.shares) != WHOLE_BPS:
        raise PolicyBpsSum(bps=total(share.bps for share in policy.shares))
    if len({share.party for share in policy.shares}) != len(policy.shares):
        raise PolicyPartyTwice
    if not policy.legal_basis.strip() or not policy.document_hash:
        raise PolicyLegalBasisMissing
    if policy.effective_to is not None and policy.effective_to < policy.effective_from:
        raise PolicyPeriodInvalid


def propose(policy: SplitPolicy, actor: Actor) -> SplitPolicy:
    """Put a draft forward under one's own name."""
    _require_state(policy, PolicyState.DRAFT)
    check_content(policy)
    return replace(
        policy, state=PolicyState.PROPOSED, proposed_by=actor.by, proposed_for=actor.on_behalf_of
    )


def approve(
    policy: SplitPolicy, scope: PolicyScope, actor: Actor, now: datetime
) -> tuple[SplitPolicy, PolicyScope]:
    """The second signature: never the proposer's or for the proposer, never over another approved period of the same scope."""
    _require_state(policy, PolicyState.PROPOSED)
    if actor.conflicts_with(Actor(policy.proposed_by, policy.proposed_for)) or actor.conflicts_with(
        Actor(policy.drafted_by, policy.drafted_for)
    ):
        raise PolicyOwnApproval
    check_content(policy)
    period = Period(policy_id=policy.id, first=policy.effective_from, last=policy.effective_to)
    if met := next((other for other in scope.periods if period.overlaps(other)), None):
        raise PolicyOverlaps(policy_id=met.policy_id)
    return replace(
        policy, state=PolicyState.APPROVED, approved_by=actor.by, approved_at=now
    ), replace(scope, periods=(*scope.periods, period))


def activate(policy: SplitPolicy) -> SplitPolicy:
    """Let an approved policy count from its first day on."""
    _require_state(policy, PolicyState.APPROVED)
    return replace(policy, state=PolicyState.ACTIVE)


def retire(
    policy: SplitPolicy, scope: PolicyScope, last_day: date, today: date
) -> tuple[SplitPolicy, PolicyScope]:
    """Set the last day of an active policy: yesterday at the earliest, its own end at the latest. Orders placed under it keep it."""
    _require_state(policy, PolicyState.ACTIVE)
    latest = policy.effective_to or last_day
    if not max(policy.effective_from, today - timedelta(days=1)) <= last_day <= latest:
        raise PolicyPeriodInvalid
    periods = tuple(
        replace(period, last=last_day) if period.policy_id == policy.id else period
        for period in scope.periods
    )
    return replace(policy, state=PolicyState.RETIRED, effective_to=last_day), replace(
        scope, periods=periods
    )


def select_policy(
    policies: Iterable[SplitPolicy], *, workshop_id: str, product_class: str, day: date
) -> SplitPolicy:
    """The most specific policy that counts for this workshop and product class on this day; NoPolicyInEffect when there is none."""
    fitting = [policy for policy in policies if _covers(policy, workshop_id, product_class, day)]
    if not fitting:
        raise NoPolicyInEffect
    return max(fitting, key=lambda policy: policy.specificity)


def share_weights(shares: Sequence[Share]) -> list[tuple[str, int]]:
    """The shares as weights for `allocate`, in the policy's order."""
    return [(share.party, share.bps) for share in shares]


def _covers(policy: SplitPolicy, workshop_id: str, product_class: str, day: date) -> bool:
    return (
        policy.state in {PolicyState.ACTIVE, PolicyState.RETIRED}
        and policy.effective_from <= day
        and (policy.effective_to is None or day <= policy.effective_to)
        and policy.workshop_id in {None, workshop_id}
        and policy.product_class in {None, product_class}
    )


def _require_state(policy: SplitPolicy, state: PolicyState) -> None:
    if policy.state is not state:
        raise PolicyStateDiffers(state=policy.state)
