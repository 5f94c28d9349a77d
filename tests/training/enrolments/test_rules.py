"""Rules of enrolments alone: states, ends and completion."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.training.enrolments import rules
from services.training.enrolments.rules import (
    AlreadyCompleted,
    AlreadyEnded,
    EndReason,
    EnrolmentState,
)
from tests.training.rule_factories import DAY, build_enrolment


def test_an_enrolment_that_starts_later_is_pending_until_its_day() -> None:
    later = build_enrolment(starts_on=DAY + timedelta(days=1))
    assert rules.compute_state(later, DAY) is EnrolmentState.PENDING
    assert rules.compute_state(later, DAY + timedelta(days=1)) is EnrolmentState.ACTIVE


def test_an_end_is_final_and_a_completion_too() -> None:
    ended, _ = rules.end(build_enrolment(), EndReason.HEALTH, DAY, 0)
    with pytest.raises(AlreadyEnded):
        rules.end(ended, EndReason.RELEASED, DAY, 0)
    with pytest.raises(AlreadyCompleted):
        rules.end(build_enrolment(live=False, completed_on=DAY), EndReason.RELEASED, DAY, 0)
    assert (
        rules.compute_state(build_enrolment(live=False, completed_on=DAY), DAY)
        is EnrolmentState.COMPLETED
    )


@pytest.mark.scenario("T28")
def test_after_a_release_only_facts_that_predate_it_complete_a_course() -> None:
    released, _ = rules.end(build_enrolment(), EndReason.RELEASED, DAY, 0)
    rules.require_completable(released, DAY)
    with pytest.raises(AlreadyEnded):
        rules.require_completable(released, DAY + timedelta(days=1))
    withdrawn, _ = rules.end(build_enrolment(), EndReason.HEALTH, DAY, 0)
    with pytest.raises(AlreadyEnded):
        rules.require_completable(withdrawn, DAY)
