"""Split policies: whole shares, a legal basis, two signatures, no overlap."""

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
        shares=tuple(
            Share(party=party, bps=Bps(bps)) for party, bps in zip(Party, shares, strict=True)
        ),
        effective_from=first,
        effective_to=last,
        legal_basis="contoh",
        document_hash="0" * 64,
        needs_legal_confirmation=True,
        drafted_by="bendahara",
        drafted_for="kasubbag",
    )


def active(made: SplitPolicy, scope: PolicyScope = SCOPE) -> tuple[SplitPolicy, PolicyScope]:
    approved, after = rules.approve(
        rules.propose(made, Actor("bendahara")), scope, Actor("kalapas"), NOW
    )
    return rules.activate(approved), after


@pytest.mark.scenario("M13/rules")
def test_shares_of_10_500_bps_are_refused() -> None:
    with pytest.raises(rules.PolicyBpsSum) as refused:
        rules.propose(policy(shares=(5000, 2000, 3500)), Actor("bendahara"))
    assert refused.value.facts == {"bps": 10_500}


@pytest.mark.scenario("M13/rules")
@pytest.mark.parametrize(
    "approver", [*not_four_eyes("bendahara", "kasubbag"), *not_four_eyes("pengusul", "kasi")]
)
def test_neither_who_drafted_nor_who_proposed_nor_anybody_for_them_may_approve(
    approver: Actor,
) -> None:
    with pytest.raises(rules.PolicyOwnApproval):
        rules.approve(rules.propose(policy(), Actor("pengusul", "kasi")), SCOPE, approver, NOW)


@pytest.mark.scenario("M13/rules")
@pytest.mark.parametrize(
    ("first", "last", "overlaps"),
    [
        (date(2026, 6, 1), None, True),
        (date(2026, 6, 30), date(2026, 6, 30), True),
        (date(2025, 1, 1), date(2026, 1, 1), True),
        (date(2025, 1, 1), date(2025, 12, 31), False),
        (date(2026, 7, 1), None, False),
    ],
)
def test_two_approved_policies_of_one_scope_never_share_a_day(
    first: date,
    last: date | None,
    overlaps: bool,  # noqa: FBT001 - a row of the table
) -> None:
    _, scope = active(policy(last=date(2026, 6, 30)))
    if overlaps:
        with pytest.raises(rules.PolicyOverlaps):
            active(policy("p2", first=first, last=last), scope)
    else:
        assert active(policy("p2", first=first, last=last), scope)[0].state is PolicyState.ACTIVE


@pytest.mark.scenario("M13/rules")
def test_a_change_ends_the_old_version_and_begins_the_new_one_the_day_after() -> None:
    first, scope = active(policy())
    ended, scope = rules.retire(first, scope, date(2026, 11, 15), TODAY)
    second, _ = active(policy("p2", (3500, 5000, 1500), first=TODAY), scope)
    chosen = [
        rules.select_policy([ended, second], workshop_id="w", product_class="c", day=day).id
        for day in (date(2026, 11, 15), TODAY)
    ]
    assert chosen == ["p1", "p2"]


@pytest.mark.parametrize("last", [date(2026, 11, 14), date(2025, 12, 31)])
def test_a_policy_is_not_ended_in_the_past(last: date) -> None:
    first, scope = active(policy())
    with pytest.raises(rules.PolicyPeriodInvalid):
        rules.retire(first, scope, last, TODAY)


@pytest.mark.parametrize("broken", [{"legal_basis": "  "}, {"document_hash": ""}])
def test_a_policy_without_legal_basis_is_refused(broken: dict[str, str]) -> None:
    with pytest.raises(rules.PolicyLegalBasisMissing):
        rules.propose(replace(policy(), **broken), Actor("bendahara"))  # pyright: ignore[reportArgumentType]  # one field of the table


def test_a_party_is_named_once() -> None:
    twice = tuple(Share(party=Party.PREMI, bps=Bps(5000)) for _ in range(2))
    with pytest.raises(rules.PolicyPartyTwice):
        rules.check_content(replace(policy(), shares=twice))


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(rules.PolicyPeriodInvalid):
        rules.check_content(policy(first=date(2026, 2, 1), last=date(2026, 1, 1)))


def test_states_follow_one_another() -> None:
    drafted = policy()
    proposed = rules.propose(drafted, Actor("bendahara"))
    approved, scope = rules.approve(proposed, SCOPE, Actor("kalapas"), NOW)
    for refused in (
        lambda: rules.propose(proposed, Actor("bendahara")),
        lambda: rules.approve(drafted, SCOPE, Actor("kalapas"), NOW),
        lambda: rules.activate(proposed),
        lambda: rules.retire(approved, scope, TODAY, TODAY),
    ):
        with pytest.raises(rules.PolicyStateDiffers):
            refused()


def test_the_most_specific_active_policy_counts() -> None:
    house, _ = active(policy("house"))
    kind, _ = active(replace(policy("kind"), product_class="mebel"))
    shop, _ = active(replace(policy("shop"), workshop_id="w1"))
    both, _ = active(replace(policy("both"), workshop_id="w1", product_class="mebel"))

    def chosen(workshop: str, product_class: str) -> str:
        return rules.select_policy(
            [house, kind, shop, both], workshop_id=workshop, product_class=product_class, day=TODAY
        ).id

    assert [
        chosen("w1", "mebel"),
        chosen("w1", "roti"),
        chosen("w2", "mebel"),
        chosen("w2", "roti"),
    ] == ["both", "shop", "kind", "house"]


def test_what_is_only_approved_or_not_yet_begun_does_not_count() -> None:
    approved, _ = rules.approve(
        rules.propose(policy(), Actor("bendahara")), SCOPE, Actor("kalapas"), NOW
    )
    later, _ = active(policy("p2", first=date(2026, 12, 1)))
    with pytest.raises(rules.NoPolicyInEffect):
        rules.select_policy([approved, later], workshop_id="w", product_class="c", day=TODAY)
