"""Rules of placements: one slot each, and the last slot closes the vacancy for all."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from chassis.errors import DomainError
from services.manpower.applications.rules import (
    Application,
    ApplicationState,
    ApplicationStepRefused,
    ConsentMissing,
)
from services.manpower.candidates.custody import Custody
from services.manpower.candidates.rules import Candidate, CandidateGone
from services.manpower.placements import rules
from services.manpower.placements.rules import (
    NotFreeToWork,
    PlacementFacts,
    PlacementKind,
    PlacementOutcome,
    PlacementSource,
    PlacementTerms,
    StartRefused,
)
from services.manpower.vacancies.rules import Slots, SlotsFull, VacancyState
from tests.manpower import factories

RELEASED = factories.candidate(
    stay=factories.stay(Custody.RELEASED, date(2026, 11, 2)),
    visibility=factories.visibility(factories.employer_share()),
)
TERMS = PlacementTerms(kind=PlacementKind.EMPLOYEE, started_on=date(2027, 1, 4))


def facts(
    taken: int = 0,
    *others: Application,
    application: Application | None = None,
    candidate: Candidate = RELEASED,
) -> PlacementFacts:
    """Return the facts of a placement on a vacancy with two slots."""
    return PlacementFacts(
        application=application or factories.application(),
        candidate=candidate,
        vacancy=factories.vacancy(),
        slots=Slots(id="vacancy-1", version=1, capacity=2, taken=taken),
        others=others,
    )


def place(
    facts: PlacementFacts, terms: PlacementTerms = TERMS, now: datetime = factories.NOW
) -> PlacementOutcome:
    return rules.place_application("placement-1", facts, terms, "user-1", now)


@pytest.mark.scenario("MP-5/placement")
def test_a_placement_takes_one_slot_and_leaves_the_vacancy_open() -> None:
    outcome = place(facts())
    assert (outcome.slots.taken, outcome.vacancy.state) == (1, VacancyState.OPEN)
    assert outcome.closed_applications == ()
    assert outcome.application.state is ApplicationState.PLACED
    assert outcome.placement.source is PlacementSource.APPLICATION


@pytest.mark.scenario("P18/last-slot")
def test_the_last_slot_closes_the_vacancy_and_its_live_applications() -> None:
    states = (ApplicationState.DRAFT, ApplicationState.SUBMITTED, ApplicationState.ACCEPTED)
    live = [factories.application(id=f"application-{state}", state=state) for state in states]
    withdrawn = factories.application(
        id="application-9", state=ApplicationState.WITHDRAWN, live=False
    )
    outcome = place(facts(1, *live, withdrawn))
    assert (outcome.slots.left, outcome.vacancy.state) == (0, VacancyState.CLOSED)
    assert outcome.vacancy.history[-1].reason == "filled"
    closed = [(each.before.id, each.after.state) for each in outcome.closed_applications]
    assert closed == [(each.id, ApplicationState.VACANCY_CLOSED) for each in live]


OFFERED = factories.application(state=ApplicationState.OFFERED)
WITHOUT_CONSENT = factories.application(visibility=factories.visibility())
INSIDE = factories.candidate()
GONE = factories.candidate(stay=factories.stay(Custody.ENDED))
BEFORE_RELEASE = replace(TERMS, started_on=date(2026, 11, 1))
REFUSED: list[tuple[PlacementFacts, PlacementTerms, type[DomainError]]] = [
    (facts(2), TERMS, SlotsFull),
    (facts(application=OFFERED), TERMS, ApplicationStepRefused),
    (facts(application=WITHOUT_CONSENT), TERMS, ConsentMissing),
    (facts(candidate=INSIDE), TERMS, NotFreeToWork),
    (facts(candidate=GONE), TERMS, CandidateGone),
    (facts(), BEFORE_RELEASE, StartRefused),
]


@pytest.mark.parametrize(("refused", "terms", "refusal"), REFUSED)
def test_a_placement_against_a_rule_is_refused_with_its_reason(
    refused: PlacementFacts, terms: PlacementTerms, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        place(refused, terms)


def test_a_recorded_permit_lets_a_person_inside_work_outside() -> None:
    permitted = replace(TERMS, permit_number="izin-contoh-1")
    outcome = place(facts(candidate=INSIDE), permitted)
    assert outcome.application.state is ApplicationState.PLACED


def test_work_found_by_own_effort_is_published_without_employer_and_wage() -> None:
    terms = replace(TERMS, kind=PlacementKind.SELF_EMPLOYED)
    placement, events = rules.place_by_own_effort(
        "placement-1", RELEASED, terms, "user-1", factories.NOW
    )
    assert (placement.source, placement.vacancy_id) == (PlacementSource.OWN_EFFORT, None)
    assert [event.model_dump(mode="json") for event in events] == [
        {
            "participant_ref": "person-1",
            "placement_id": "placement-1",
            "kind": "self_employed",
            "started_on": "2027-01-04",
        }
    ]


def test_an_expired_consent_stops_a_placement() -> None:
    with pytest.raises(ConsentMissing):
        place(facts(), TERMS, factories.NOW + timedelta(days=31))
