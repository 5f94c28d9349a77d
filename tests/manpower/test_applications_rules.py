"""Applications and placements: states move only along the table, every step is kept, and the last slot closes the vacancy for all."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.errors import DomainError
from services.manpower.applications import rules
from services.manpower.applications.rules import (
    LIVE_STATES,
    TRANSITIONS,
    AlreadyApplied,
    Application,
    ApplicationState,
    ApplicationStepRefused,
    ConsentMissing,
    Flag,
    NotYourStep,
    ReasonMissing,
    Side,
    UnsuccessfulReason,
)
from services.manpower.candidates.rules import CandidateGone, Custody
from services.manpower.placements import rules as placements
from services.manpower.placements.rules import (
    NotFreeToWork,
    PlacementFacts,
    PlacementKind,
    PlacementSource,
    PlacementTerms,
    StartRefused,
)
from services.manpower.vacancies.rules import Slots, SlotsFull, VacancyNotOpen, VacancyState
from tests.manpower import factories

RELEASED = factories.candidate(
    stay=factories.stay(Custody.RELEASED, date(2026, 11, 2)),
    visibility=factories.visibility(factories.employer_share()),
)
TERMS = PlacementTerms(kind=PlacementKind.EMPLOYEE, started_on=date(2027, 1, 4))


def case(
    taken: int = 0, capacity: int = 2, *others: Application, application: Application | None = None
) -> PlacementFacts:
    return PlacementFacts(
        application=application or factories.application(),
        candidate=RELEASED,
        vacancy=factories.vacancy(),
        slots=Slots(id="vacancy-1", version=1, capacity=capacity, taken=taken),
        others=others,
    )


@pytest.mark.scenario("MP-7/applications")
@for_all(
    attempts=st.lists(
        st.tuples(st.sampled_from(ApplicationState), st.sampled_from(Side)), max_size=25
    )
)
def test_an_application_moves_only_along_the_table_by_those_whose_step_it_is_and_keeps_every_step(
    attempts: list[tuple[ApplicationState, Side]],
) -> None:
    application = rules.draft(
        "application-1", factories.candidate(), factories.vacancy(), [], "user-1", factories.NOW
    )
    path = [application.state]
    for to, side in attempts:
        sides = TRANSITIONS.get((application.state, to))
        if sides is None or side not in sides:
            with pytest.raises(ApplicationStepRefused if sides is None else NotYourStep):
                rules.take_step(
                    application, to, side, "user-1", factories.NOW, UnsuccessfulReason.SKILLS
                )
            continue
        after = rules.take_step(
            application, to, side, "user-1", factories.NOW, UnsuccessfulReason.SKILLS
        )
        assert after.history[:-1] == application.history
        application = after
        path.append(to)
    assert [step.to for step in application.history] == path
    assert application.live is (application.state in LIVE_STATES)


def test_no_step_leads_out_of_an_end_state() -> None:
    assert {before for before, _ in TRANSITIONS} == LIVE_STATES


@pytest.mark.scenario("MP-6/application")
def test_an_application_is_sent_only_with_a_consent_for_this_employer_that_is_in_force() -> None:
    silent = factories.application(
        state=ApplicationState.DRAFT, visibility=factories.visibility(factories.share())
    )
    with pytest.raises(ConsentMissing):
        rules.attach_consent(silent, "user-1", factories.NOW)
    for_another = factories.application(
        state=ApplicationState.DRAFT,
        visibility=factories.visibility(factories.employer_share(recipient="usaha-lain")),
    )
    with pytest.raises(ConsentMissing):
        rules.attach_consent(for_another, "user-1", factories.NOW)
    consented = rules.attach_consent(
        factories.application(state=ApplicationState.DRAFT, consent_id=None),
        "user-1",
        factories.NOW,
    )
    assert consented.consent_id == "consent-2"
    with pytest.raises(ConsentMissing):
        rules.submit(
            replace(consented, visibility=factories.visibility()),
            factories.vacancy(),
            "user-1",
            factories.NOW,
        )
    assert (
        rules.submit(consented, factories.vacancy(), "user-1", factories.NOW).state
        is ApplicationState.SUBMITTED
    )


def test_a_second_live_application_to_a_vacancy_is_refused_and_one_after_a_withdrawal_is_not() -> (
    None
):
    live = factories.application(state=ApplicationState.SUBMITTED)
    with pytest.raises(AlreadyApplied):
        rules.draft(
            "application-2",
            factories.candidate(),
            factories.vacancy(),
            [live],
            "user-1",
            factories.NOW,
        )
    assert rules.draft(
        "application-2",
        factories.candidate(),
        factories.vacancy(),
        [replace(live, live=False)],
        "user-1",
        factories.NOW,
    )


def test_nobody_applies_to_a_closed_vacancy_nor_for_somebody_who_is_gone() -> None:
    with pytest.raises(VacancyNotOpen):
        rules.draft(
            "application-1",
            factories.candidate(),
            factories.vacancy(state=VacancyState.CLOSED),
            [],
            "user-1",
            factories.NOW,
        )
    with pytest.raises(CandidateGone):
        rules.draft(
            "application-1",
            factories.candidate(stay=factories.stay(Custody.ENDED)),
            factories.vacancy(),
            [],
            "user-1",
            factories.NOW,
        )


def test_an_unsuccessful_application_names_a_reason_of_the_closed_list() -> None:
    submitted = factories.application(state=ApplicationState.SUBMITTED)
    with pytest.raises(ReasonMissing):
        rules.take_step(
            submitted,
            ApplicationState.UNSUCCESSFUL,
            Side.EMPLOYER,
            "user-1",
            factories.NOW,
            "mantan napi",
        )
    ended = rules.take_step(
        submitted,
        ApplicationState.UNSUCCESSFUL,
        Side.EMPLOYER,
        "user-1",
        factories.NOW,
        UnsuccessfulReason.SCHEDULE,
    )
    assert (ended.history[-1].before, ended.history[-1].reason) == (
        ApplicationState.SUBMITTED,
        "schedule",
    )


@pytest.mark.scenario("P17/certificate")
def test_a_required_unit_that_is_lost_flags_the_application_until_it_is_back() -> None:
    required = factories.vacancy().requirements.units
    flagged = rules.update_skill_flag(factories.application(), frozenset(), required)
    assert flagged.flags == {Flag.SKILL_LOST}
    assert rules.update_skill_flag(flagged, required, required).flags == set()


@pytest.mark.scenario("MP-5/placement")
def test_a_placement_takes_one_slot_and_leaves_the_vacancy_open_while_one_is_free() -> None:
    filled = placements.place_application("placement-1", case(), TERMS, "user-1", factories.NOW)
    assert (filled.slots.taken, filled.vacancy.state, filled.closed_applications) == (
        1,
        VacancyState.OPEN,
        (),
    )
    assert filled.application.state is ApplicationState.PLACED
    assert filled.placement.source is PlacementSource.APPLICATION


@pytest.mark.scenario("P18/last-slot")
def test_the_last_slot_closes_the_vacancy_and_every_other_live_application_to_it() -> None:
    waiting = [
        factories.application(id=f"application-{n}", state=state)
        for n, state in enumerate(
            (ApplicationState.DRAFT, ApplicationState.SUBMITTED, ApplicationState.ACCEPTED), 2
        )
    ]
    over = factories.application(id="application-9", state=ApplicationState.WITHDRAWN, live=False)
    filled = placements.place_application(
        "placement-1", case(1, 2, *waiting, over), TERMS, "user-1", factories.NOW
    )
    assert (filled.slots.left, filled.vacancy.state, filled.vacancy.history[-1].reason) == (
        0,
        VacancyState.CLOSED,
        "filled",
    )
    assert [(before.id, after.state) for before, after in filled.closed_applications] == [
        (each.id, ApplicationState.VACANCY_CLOSED) for each in waiting
    ]


REFUSED: list[tuple[PlacementFacts, PlacementTerms, type[DomainError]]] = [
    (case(2, 2), TERMS, SlotsFull),
    (
        case(application=factories.application(state=ApplicationState.OFFERED)),
        TERMS,
        ApplicationStepRefused,
    ),
    (
        case(application=factories.application(visibility=factories.visibility())),
        TERMS,
        ConsentMissing,
    ),
    (replace(case(), candidate=factories.candidate()), TERMS, NotFreeToWork),
    (
        replace(case(), candidate=factories.candidate(stay=factories.stay(Custody.ENDED))),
        TERMS,
        CandidateGone,
    ),
    (case(), replace(TERMS, started_on=date(2026, 11, 1)), StartRefused),
]


@pytest.mark.parametrize(("facts", "terms", "refusal"), REFUSED)
def test_a_placement_that_must_not_be_is_refused_with_its_reason(
    facts: PlacementFacts, terms: PlacementTerms, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        placements.place_application("placement-1", facts, terms, "user-1", factories.NOW)


def test_a_recorded_permit_lets_somebody_inside_work_outside() -> None:
    inside = replace(case(), candidate=factories.candidate())
    assert (
        placements.place_application(
            "placement-1",
            inside,
            replace(TERMS, permit_number="izin-contoh-1"),
            "user-1",
            factories.NOW,
        ).application.state
        is ApplicationState.PLACED
    )


def test_work_found_alone_needs_no_vacancy_and_is_told_without_employer_and_wage() -> None:
    placement, events = placements.place_by_own_effort(
        "placement-1",
        RELEASED,
        replace(TERMS, kind=PlacementKind.SELF_EMPLOYED),
        "user-1",
        factories.NOW,
    )
    assert placement.source is PlacementSource.OWN_EFFORT
    assert [event.model_dump(mode="json") for event in events] == [
        {
            "participant_ref": "person-1",
            "placement_id": "placement-1",
            "kind": "self_employed",
            "started_on": "2027-01-04",
        }
    ]


def test_an_expired_consent_stops_a_placement() -> None:
    late = factories.NOW + timedelta(days=31)
    with pytest.raises(ConsentMissing):
        placements.place_application("placement-1", case(), TERMS, "user-1", late)
