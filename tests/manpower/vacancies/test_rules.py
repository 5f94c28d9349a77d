"""Rules of vacancies and slots: taken and left are the capacity; the last day counts."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.manpower.agencies.rules import Agency, AgencyNotActive, Status
from services.manpower.vacancies import rules
from services.manpower.vacancies.rules import (
    Closing,
    EmployerRefused,
    HeadcountRefused,
    SlotsFull,
    Vacancy,
    VacancyMoveRefused,
    VacancyNotOpen,
    VacancyState,
    ValidityRefused,
    WageBand,
    WageBandRefused,
)
from tests.manpower import factories


class SlotsMachine(RuleBasedStateMachine):
    """Slots beside a plain count of what was granted."""

    @initialize(headcount=st.integers(1, 4))
    def begin(self, headcount: int) -> None:
        self.slots = rules.open_slots("vacancy-1", headcount)
        self.capacity = headcount
        self.granted = 0

    @rule()
    def take(self) -> None:
        if self.granted == self.capacity:
            with pytest.raises(SlotsFull):
                rules.take_slot(self.slots)
            return
        self.slots = rules.take_slot(self.slots)
        self.granted += 1

    @rule(headcount=st.integers(-1, 6))
    def resize(self, headcount: int) -> None:
        if headcount <= self.granted:
            with pytest.raises(HeadcountRefused):
                rules.resize_slots(self.slots, headcount)
            return
        self.slots = rules.resize_slots(self.slots, headcount)
        self.capacity = headcount

    @invariant()
    def taken_and_left_are_the_capacity(self) -> None:
        assert (self.slots.taken, self.slots.capacity) == (self.granted, self.capacity)
        assert self.slots.left == self.capacity - self.granted >= 0


@pytest.mark.scenario("MP-5/rule")
class TestSlotsAreNeverOverdrawnAndTakenAndLeftAreTheCapacity(SlotsMachine.TestCase):
    pass


def test_a_vacancy_without_a_slot_is_refused() -> None:
    with pytest.raises(HeadcountRefused):
        rules.open_slots("vacancy-1", 0)


@pytest.mark.scenario("P17/closing")
@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        (datetime(2026, 12, 31, 16, 59, 59, 999000, tzinfo=UTC), True),
        (datetime(2026, 12, 31, 17, tzinfo=UTC), False),
    ],
)
def test_a_vacancy_takes_applications_to_the_end_of_its_last_day_in_wib(
    now: datetime, *, is_open: bool
) -> None:
    posted = rules.post(
        factories.vacancy(closes_at=factories.NOW), factories.employer(), "user-1", factories.NOW
    )
    assert posted.takes_applications(now) is is_open
    if not is_open:
        with pytest.raises(VacancyNotOpen):
            rules.require_open(posted, now)


def post(vacancy: Vacancy, employer: Agency | None = None) -> Vacancy:
    return rules.post(vacancy, employer or factories.employer(), "user-1", factories.NOW)


def test_only_an_approved_employer_offers_work() -> None:
    with pytest.raises(EmployerRefused):
        post(factories.vacancy(), factories.agency())
    with pytest.raises(AgencyNotActive):
        post(factories.vacancy(), factories.employer(status=Status.PENDING))


def test_a_vacancy_whose_last_day_is_over_is_refused() -> None:
    """On its last day it is accepted."""
    with pytest.raises(ValidityRefused):
        post(factories.vacancy(valid_until=date(2026, 11, 23)))
    assert post(factories.vacancy(valid_until=date(2026, 11, 24)))


@pytest.mark.parametrize(
    "band", [WageBand(from_idr=4_000_000, to_idr=3_999_999), WageBand(from_idr=-1, to_idr=0)]
)
def test_a_wage_band_rises_and_is_not_negative(band: WageBand) -> None:
    with pytest.raises(WageBandRefused):
        post(factories.vacancy(wage_band=band))


def test_an_amended_vacancy_keeps_its_history() -> None:
    posted = post(factories.vacancy())
    extended = rules.amend(posted, factories.NOW, valid_until=date(2027, 1, 31))
    assert extended.history == posted.history
    assert extended.closes_at == datetime(2027, 1, 31, 17, tzinfo=UTC)


def test_a_closed_vacancy_is_not_amended() -> None:
    closed = rules.close(post(factories.vacancy()), Closing.WITHDRAWN, "user-1", factories.NOW)
    with pytest.raises(VacancyNotOpen):
        rules.amend(closed, factories.NOW, valid_until=date(2027, 1, 31))


def test_a_vacancy_closes_once_and_says_why() -> None:
    closed = rules.close(factories.vacancy(), Closing.FILLED_ELSEWHERE, "user-1", factories.NOW)
    assert (closed.state, closed.history[-1].reason) == (VacancyState.CLOSED, "filled_elsewhere")
    assert not closed.takes_applications(factories.NOW)
    with pytest.raises(VacancyMoveRefused):
        rules.close(closed, Closing.WITHDRAWN, "user-1", factories.NOW)
