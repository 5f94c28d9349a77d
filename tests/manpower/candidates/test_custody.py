"""Rules of custody: all release kinds of training, and corrections by an officer."""

from datetime import date, timedelta

import pytest

from services.manpower.candidates import custody, rules
from services.manpower.candidates.custody import Custody, CustodyRefused
from tests.manpower import factories

TODAY = date(2026, 11, 24)


def test_every_release_kind_of_training_gives_a_custody() -> None:
    assert len(custody.RELEASE_KINDS) == 12
    ended = {kind for kind, to in custody.RELEASE_KINDS.items() if to is Custody.ENDED}
    assert ended == {"death", "escape", "deportation"}


def correct(to: Custody, kind: str, on: date = TODAY) -> rules.Candidate:
    """Return a candidate inside after an officer's correction."""
    candidate = factories.candidate()
    movement = custody.correct_custody(
        candidate.id, candidate.visibility, to, kind, on, factories.NOW
    )
    return rules.record_movement(candidate, movement)


def test_an_officer_corrects_the_custody_of_a_candidate() -> None:
    released = correct(Custody.RELEASED, "remission_release", date(2026, 8, 17))
    assert released.stay.custody is Custody.RELEASED
    assert released.stay.effective_on == date(2026, 8, 17)
    assert correct(Custody.RELEASED, "kind_of_tomorrow").stay.custody is Custody.RELEASED


def test_a_correction_that_contradicts_itself_or_is_to_come_is_refused() -> None:
    with pytest.raises(CustodyRefused):
        correct(Custody.INSIDE, "remission_release")
    with pytest.raises(CustodyRefused):
        correct(Custody.RELEASED, "free", TODAY + timedelta(days=1))
