"""Rules of applications: steps along the table only, consents for the employer, flags."""

from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

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
from services.manpower.candidates.custody import Custody
from services.manpower.candidates.rules import Candidate, CandidateGone
from services.manpower.vacancies.rules import Vacancy, VacancyNotOpen, VacancyState
from services.manpower.visibility.rules import ConsentShare
from tests.manpower import factories


def take_step(
    application: Application, to: ApplicationState, side: Side, reason: str = ""
) -> Application:
    return rules.take_step(application, to, side, "user-1", factories.NOW, reason)


def draft(
    *others: Application, candidate: Candidate | None = None, vacancy: Vacancy | None = None
) -> Application:
    return rules.draft(
        "application-2",
        candidate or factories.candidate(),
        vacancy or factories.vacancy(),
        others,
        "user-1",
        factories.NOW,
    )


@pytest.mark.scenario("MP-7/applications")
@for_all(
    attempts=st.lists(
        st.tuples(st.sampled_from(ApplicationState), st.sampled_from(Side)), max_size=25
    )
)
def test_an_application_moves_only_along_the_table_and_keeps_every_step(
    attempts: list[tuple[ApplicationState, Side]],
) -> None:
    """A step of another side is refused as such."""
    application = draft()
    path = [application.state]
    for to, side in attempts:
        sides = TRANSITIONS.get((application.state, to))
        if sides is None or side not in sides:
            refusal = ApplicationStepRefused if sides is None else NotYourStep
            with pytest.raises(refusal):
                take_step(application, to, side, UnsuccessfulReason.SKILLS)
            continue
        after = take_step(application, to, side, UnsuccessfulReason.SKILLS)
        assert after.history[:-1] == application.history
        application = after
        path.append(to)
    assert [step.to for step in application.history] == path
    assert application.live is (application.state in LIVE_STATES)


def test_no_step_leads_out_of_an_end_state() -> None:
    assert {before for before, _ in TRANSITIONS} == LIVE_STATES


@pytest.mark.scenario("MP-6/application")
@pytest.mark.parametrize(
    "share", [factories.share(), factories.employer_share(recipient="usaha-lain")]
)
def test_a_draft_needs_a_consent_for_its_own_employer(share: ConsentShare) -> None:
    application = factories.application(
        state=ApplicationState.DRAFT, visibility=factories.visibility(share)
    )
    with pytest.raises(ConsentMissing):
        rules.attach_consent(application, "user-1", factories.NOW)


@pytest.mark.scenario("MP-6/application")
def test_an_application_is_sent_only_with_a_consent_for_its_employer() -> None:
    """The consent must still be in force when the application is sent."""
    drafted = factories.application(state=ApplicationState.DRAFT, consent_id=None)
    consented = rules.attach_consent(drafted, "user-1", factories.NOW)
    assert consented.consent_id == "consent-2"
    withdrawn = replace(consented, visibility=factories.visibility())
    with pytest.raises(ConsentMissing):
        rules.submit(withdrawn, factories.vacancy(), "user-1", factories.NOW)
    sent = rules.submit(consented, factories.vacancy(), "user-1", factories.NOW)
    assert sent.state is ApplicationState.SUBMITTED


def test_a_second_live_application_to_a_vacancy_is_refused() -> None:
    with pytest.raises(AlreadyApplied):
        draft(factories.application(state=ApplicationState.SUBMITTED))


def test_an_application_after_a_withdrawn_one_is_accepted() -> None:
    assert draft(factories.application(state=ApplicationState.WITHDRAWN, live=False))


def test_no_draft_for_a_closed_vacancy_or_a_person_who_is_gone() -> None:
    with pytest.raises(VacancyNotOpen):
        draft(vacancy=factories.vacancy(state=VacancyState.CLOSED))
    with pytest.raises(CandidateGone):
        draft(candidate=factories.candidate(stay=factories.stay(Custody.ENDED)))


def test_an_unsuccessful_application_names_a_reason_of_the_closed_list() -> None:
    submitted = factories.application(state=ApplicationState.SUBMITTED)
    unsuccessful = ApplicationState.UNSUCCESSFUL
    with pytest.raises(ReasonMissing):
        take_step(submitted, unsuccessful, Side.EMPLOYER, "mantan napi")
    ended = take_step(submitted, unsuccessful, Side.EMPLOYER, UnsuccessfulReason.SCHEDULE)
    last_step = ended.history[-1]
    assert (last_step.before, last_step.reason) == (ApplicationState.SUBMITTED, "schedule")


@pytest.mark.scenario("P17/skills")
def test_a_lost_required_unit_flags_the_application_until_it_is_back() -> None:
    required = factories.vacancy().requirements.units
    flagged = rules.update_skill_flag(factories.application(), frozenset(), required)
    assert flagged.flags == {Flag.SKILL_LOST}
    assert rules.update_skill_flag(flagged, required, required).flags == set()


@pytest.mark.parametrize(
    "role", ["head", "dinas_training", "dinas_kukm", "bapas", "kanwil", "", "dinas_placment"]
)
def test_a_role_that_is_not_listed_takes_no_step(role: str) -> None:
    with pytest.raises(NotYourStep):
        rules.side_of(role)


def test_each_listed_role_has_its_side() -> None:
    sides = {role: rules.side_of(role) for role in ("case_officer", "dinas_placement", "employer")}
    assert sides == {
        "case_officer": Side.OFFICER,
        "dinas_placement": Side.DINAS,
        "employer": Side.EMPLOYER,
    }
