"""Rules of split policies: whole shares, a legal basis, two signatures, no overlap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chassis.caller import Actor
from services.marketplace.money import Bps
from services.marketplace.policies import rules
from services.marketplace.policies.rules import (
    Party,
    PolicyId,
    PolicyScope,
    PolicyState,
    Share,
    ShareBase,
    SplitPolicy,
)
from tests.fakes import not_four_eyes
from tests.marketplace.factories import create_shares

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
TODAY = date(2026, 11, 16)
SCOPE = PolicyScope(id="LP-TJP/*/*", facility_id="LP-TJP")


def policy(
    id_: str = "p1",
    shares: tuple[int, int, int] = (5000, 1500, 3500),
    first: date = date(2026, 1, 1),
    last: date | None = None,
) -> SplitPolicy:
    return SplitPolicy(
        id=PolicyId(id_),
        facility_id="LP-TJP",
        zone="Asia/Jakarta",
        workshop_id=None,
        product_class=None,
        policy_version=1,
        base=ShareBase.NET_OF_COST,
        shares=create_shares(shares),
        effective_from=first,
        effective_to=last,
        legal_basis="contoh",
        document_hash="0" * 64,
        needs_legal_confirmation=True,
        drafted_by="bendahara",
        drafted_for="kasubbag",
    )


def activate(draft: SplitPolicy, scope: PolicyScope = SCOPE) -> tuple[SplitPolicy, PolicyScope]:
    """Return the draft after proposal, approval and activation, and its scope after them."""
    proposed = rules.propose(draft, Actor("bendahara"))
    approved, scope_after = rules.approve(proposed, scope, Actor("kalapas"), NOW)
    return rules.activate(approved), scope_after


@pytest.mark.scenario("M13/rules")
def test_shares_of_10_500_bps_are_refused() -> None:
    with pytest.raises(rules.PolicyBpsSum) as refused:
        rules.propose(policy(shares=(5000, 2000, 3500)), Actor("bendahara"))
    assert refused.value.facts == {"bps": 10_500}


@pytest.mark.scenario("M13/rules")
@pytest.mark.parametrize(
    "approver", [*not_four_eyes("bendahara", "kasubbag"), *not_four_eyes("pengusul", "kasi")]
)
def test_drafter_and_proposer_and_those_acting_for_them_may_not_approve(
    approver: Actor,
) -> None:
    with pytest.raises(rules.PolicyOwnApproval):
        rules.approve(rules.propose(policy(), Actor("pengusul", "kasi")), SCOPE, approver, NOW)


@pytest.mark.scenario("M13/rules")
@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 6, 1), None),
        (date(2026, 6, 30), date(2026, 6, 30)),
        (date(2025, 1, 1), date(2026, 1, 1)),
    ],
)
def test_two_approved_policies_of_one_scope_never_share_a_day(
    first: date, last: date | None
) -> None:
    _, scope = activate(policy(last=date(2026, 6, 30)))
    with pytest.raises(rules.PolicyOverlaps):
        activate(policy("p2", first=first, last=last), scope)


@pytest.mark.scenario("M13/rules")
@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2025, 1, 1), date(2025, 12, 31)), (date(2026, 7, 1), None)],
)
def test_two_approved_policies_of_one_scope_may_follow_each_other(
    first: date, last: date | None
) -> None:
    _, scope = activate(policy(last=date(2026, 6, 30)))
    follower, _ = activate(policy("p2", first=first, last=last), scope)
    assert follower.state is PolicyState.ACTIVE


@pytest.mark.scenario("M13/rules")
def test_a_new_version_begins_the_day_after_the_old_one_ends() -> None:
    first, scope = activate(policy())
    ended, scope = rules.retire(first, scope, date(2026, 11, 15), TODAY)
    second, _ = activate(policy("p2", (3500, 5000, 1500), first=TODAY), scope)
    chosen = [
        rules.select_policy([ended, second], workshop_id="w", product_class="c", day=day).id
        for day in (date(2026, 11, 15), TODAY)
    ]
    assert chosen == ["p1", "p2"]


@pytest.mark.parametrize("last", [date(2026, 11, 14), date(2025, 12, 31)])
def test_a_policy_cannot_end_in_the_past(last: date) -> None:
    first, scope = activate(policy())
    with pytest.raises(rules.PolicyPeriodInvalid):
        rules.retire(first, scope, last, TODAY)


@pytest.mark.parametrize("broken", [{"legal_basis": "  "}, {"document_hash": ""}])
def test_a_policy_without_legal_basis_is_refused(broken: dict[str, str]) -> None:
    changed = replace(policy(), **broken)  # pyright: ignore[reportArgumentType]
    with pytest.raises(rules.PolicyLegalBasisMissing):
        rules.propose(changed, Actor("bendahara"))


def test_a_party_named_twice_is_refused() -> None:
    twice = tuple(Share(party=Party.PREMI, bps=Bps(5000)) for _ in range(2))
    with pytest.raises(rules.PolicyPartyTwice):
        rules.check_content(replace(policy(), shares=twice))


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(rules.PolicyPeriodInvalid):
        rules.check_content(policy(first=date(2026, 2, 1), last=date(2026, 1, 1)))


def test_a_step_out_of_order_is_refused() -> None:
    drafted = policy()
    proposed = rules.propose(drafted, Actor("bendahara"))
    approved, scope = rules.approve(proposed, SCOPE, Actor("kalapas"), NOW)
    with pytest.raises(rules.PolicyStateDiffers):
        rules.propose(proposed, Actor("bendahara"))
    with pytest.raises(rules.PolicyStateDiffers):
        rules.approve(drafted, SCOPE, Actor("kalapas"), NOW)
    with pytest.raises(rules.PolicyStateDiffers):
        rules.activate(proposed)
    with pytest.raises(rules.PolicyStateDiffers):
        rules.retire(approved, scope, TODAY, TODAY)


@pytest.mark.parametrize(
    ("workshop", "product_class_of_order", "expected"),
    [
        ("w1", "mebel", "both"),
        ("w1", "roti", "workshop"),
        ("w2", "mebel", "class"),
        ("w2", "roti", "facility"),
    ],
)
def test_the_most_specific_active_policy_counts(
    workshop: str, product_class_of_order: str, expected: str
) -> None:
    scopes = {
        "facility": (None, None),
        "class": (None, "mebel"),
        "workshop": ("w1", None),
        "both": ("w1", "mebel"),
    }
    policies: list[SplitPolicy] = []
    for id_, (workshop_id, product_class) in scopes.items():
        draft = replace(policy(id_), workshop_id=workshop_id, product_class=product_class)
        policies.append(activate(draft)[0])
    selected = rules.select_policy(
        policies, workshop_id=workshop, product_class=product_class_of_order, day=TODAY
    )
    assert selected.id == expected


def test_a_policy_only_approved_or_not_yet_begun_does_not_count() -> None:
    proposed = rules.propose(policy(), Actor("bendahara"))
    approved, _ = rules.approve(proposed, SCOPE, Actor("kalapas"), NOW)
    later, _ = activate(policy("p2", first=date(2026, 12, 1)))
    with pytest.raises(rules.NoPolicyInEffect):
        rules.select_policy([approved, later], workshop_id="w", product_class="c", day=TODAY)
