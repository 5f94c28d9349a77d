"""Split policies over HTTP: refusals, and approvals that race."""

from __future__ import annotations

import pytest

from tests.fakes import not_four_eyes
from tests.marketplace.harness import (
    STANDARD_SHARES,
    Json,
    LapasHarness,
    created,
    if_match,
    ok,
    together,
)

OTHER_SHARES = {"premi": 3500, "pnbp": 5000, "modal": 1500}


async def propose_by_others(lapas: LapasHarness) -> Json:
    """Return a policy that one officer drafted and another proposed, each for a principal."""
    drafter = lapas.as_("treasurer").by("konseptor", "bendahara")
    body = lapas.policy_body(OTHER_SHARES)
    drafted = await created(drafter.post("/v1/split-policies", json=body))
    proposer = lapas.as_("treasurer").by("pengusul", "kasi")
    path = f"/v1/split-policies/{drafted['id']}/proposal"
    return await ok(proposer.post(path, headers=if_match(drafted)))


@pytest.mark.scenario("M13/orders")
async def test_shares_that_do_not_sum_to_100_percent_are_refused(lapas: LapasHarness) -> None:
    body = lapas.policy_body({"premi": 5000, "pnbp": 2000, "modal": 3500})
    answer = await lapas.as_("treasurer").post("/v1/split-policies", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["bps"]) == (
        422,
        "policy_bps_sum",
        10_500,
    )
    assert answer.json()["title"] == "Jumlah semua bagian harus tepat 100 %"


@pytest.mark.scenario("M13/orders")
async def test_drafter_proposer_and_those_acting_for_them_may_not_approve(
    lapas: LapasHarness,
) -> None:
    proposed = await propose_by_others(lapas)
    path = f"/v1/split-policies/{proposed['id']}/approval"
    for actor in (*not_four_eyes("konseptor", "bendahara"), *not_four_eyes("pengusul", "kasi")):
        answer = await lapas.as_("head").by(*actor).post(path, headers=if_match(proposed))
        assert (answer.status_code, answer.json()["code"]) == (403, "policy_own_approval"), actor


@pytest.mark.scenario("M13/orders")
async def test_an_approval_over_another_approved_period_is_refused(lapas: LapasHarness) -> None:
    proposed = await propose_by_others(lapas)
    path = f"/v1/split-policies/{proposed['id']}/approval"
    answer = await lapas.as_("head").post(path, headers=if_match(proposed))
    assert (answer.status_code, answer.json()["code"]) == (409, "policy_overlaps")
    assert proposed["policy_version"] == 2


async def test_two_approvals_of_overlapping_policies_at_once_leave_one(lapas: LapasHarness) -> None:
    other = LapasHarness(lapas.client)
    treasurer = other.as_("treasurer")
    body = other.policy_body(STANDARD_SHARES)
    drafts = [await created(treasurer.post("/v1/split-policies", json=body)) for _ in range(4)]
    proposals = [
        await other.change("treasurer", draft, "/v1/split-policies", "proposal") for draft in drafts
    ]
    head = other.as_("head")
    approvals = [
        head.post(f"/v1/split-policies/{policy['id']}/approval", headers=if_match(policy))
        for policy in proposals
    ]
    answers = await together(*approvals)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert [draft["policy_version"] for draft in drafts] == [1, 2, 3, 4]
