"""Rules of TPP decisions alone: which verdict counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.classes.rules import TrainingClass
from services.training.tpp import rules
from services.training.tpp.rules import Decision, DecisionResult, DecisionScope, Standings, Verdict

DAY = date(2026, 11, 16)
CLASS = TrainingClass(
    id="c",
    facility_id="f",
    programme_id="g",
    edition=1,
    title="Las",
    batch_no="1",
    starts_on=DAY,
    ends_on=DAY,
)


def build_decision(
    verdict: Verdict,
    hearing_on: date,
    *,
    scope: DecisionScope = DecisionScope.PROGRAMME,
    ref: str = "g",
    valid_until: date | None = None,
    head_needed: bool = False,
    number: str = "1",
) -> Decision:
    result = DecisionResult(participant_ref="p", verdict=verdict, reason="x")
    return Decision(
        id=f"d{number}",
        facility_id="f",
        hearing_on=hearing_on,
        scope=scope,
        scope_ref=ref,
        results=(result,),
        valid_until=valid_until,
        document_ref="x",
        recorded_by="u",
        head_needed=head_needed,
    )


def find_objection(*decisions: Decision) -> str:
    standings = Standings(id="p", facility_id="f")
    for decision in decisions:
        standings = rules.add_verdict(standings, decision, decision.results[0])
    return rules.find_objection(standings, CLASS, "vocational", DAY)


@pytest.mark.scenario("T24")
def test_a_decision_that_is_not_usable_says_why() -> None:
    assert find_objection(build_decision(Verdict.RECOMMENDED, DAY)) == ""
    assert (
        find_objection(
            build_decision(Verdict.RECOMMENDED, DAY, scope=DecisionScope.BRANCH, ref="personal")
        )
        == "TPP_MISSING"
    )
    assert (
        find_objection(
            build_decision(Verdict.RECOMMENDED, DAY, valid_until=DAY - timedelta(days=1))
        )
        == "TPP_EXPIRED"
    )
    assert (
        find_objection(build_decision(Verdict.RECOMMENDED, DAY, head_needed=True))
        == "TPP_NOT_APPROVED"
    )
    assert (
        find_objection(
            build_decision(Verdict.RECOMMENDED, DAY),
            build_decision(Verdict.NOT_RECOMMENDED, DAY + timedelta(days=1), number="2"),
        )
        == "TPP_NOT_RECOMMENDED"
    )


@given(order=st.permutations([0, 1, 2]))
def test_hearings_recorded_in_any_order_give_the_latest_verdict(order: list[int]) -> None:
    hearings = [
        build_decision(Verdict.RECOMMENDED, DAY),
        build_decision(Verdict.NOT_RECOMMENDED, DAY + timedelta(days=1), number="2"),
        build_decision(Verdict.RECOMMENDED, DAY + timedelta(days=2), number="3"),
    ]
    assert find_objection(*(hearings[index] for index in order)) == ""


@pytest.mark.parametrize(
    ("days", "error"),
    [
        ({"hearing_on": date(1, 1, 1)}, rules.HearingTooOld),
        ({"hearing_on": DAY - timedelta(days=733)}, rules.HearingTooOld),
        ({"hearing_on": DAY + timedelta(days=1)}, rules.HearingInFuture),
        ({"hearing_on": DAY, "valid_until": DAY - timedelta(days=1)}, rules.ValidityWrong),
        ({"hearing_on": DAY, "valid_until": date(9999, 12, 31)}, rules.ValidityWrong),
    ],
)
def test_the_days_of_a_decision_have_bounds(days: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        rules.record(build_decision(Verdict.RECOMMENDED, **days), DAY)


def test_an_expired_decision_counts_no_more() -> None:
    decision = build_decision(
        Verdict.RECOMMENDED, DAY - timedelta(days=9), scope=DecisionScope.WORK, valid_until=DAY
    )
    assert rules.build_work_eligibility_events(decision, DAY)
    assert not rules.build_work_eligibility_events(decision, DAY + timedelta(days=1))
