"""Routes of applications: steps, consents, and a vacancy that closes meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.manpower.harness import RegionHarness, done, made, refused


@pytest.mark.scenario("P18/illegal-step", "MP-7/applications")
async def test_an_impossible_step_and_a_step_of_another_side_are_refused(
    region: RegionHarness,
) -> None:
    _, application = await region.applicant(await region.vacancy())
    officer = region.officer()
    employer = region.employer()
    for state in ("OFFERED", "PLACED"):
        step = region.step(officer, application, state)
        await refused(step, 409, "application_step_refused")
    await refused(region.step(officer, application, "VACANCY_CLOSED"), 403, "not_your_step")
    await refused(region.step(employer, application, "WITHDRAWN"), 403, "not_your_step")


@pytest.mark.scenario("MP-7/applications")
async def test_an_unsuccessful_step_needs_a_reason_of_the_list_and_is_kept(
    region: RegionHarness,
) -> None:
    _, application = await region.applicant(await region.vacancy())
    employer = region.employer()
    foreign_reason = region.step(employer, application, "UNSUCCESSFUL", reason="mantan napi")
    await refused(foreign_reason, 422, "reason_missing")
    step = region.step(employer, application, "UNSUCCESSFUL", reason="schedule")
    assert (await done(step))["state"] == "UNSUCCESSFUL"
    shown = await done(region.officer().get(f"/v1/job-applications/{application}"))
    states = [entry["to"] for entry in shown["history"]]
    assert states == ["DRAFT", "CONSENTED", "SUBMITTED", "UNSUCCESSFUL"]


async def test_a_step_needs_if_match_with_the_present_version(region: RegionHarness) -> None:
    _, application = await region.applicant(await region.vacancy())
    path = f"/v1/job-applications/{application}/steps"
    officer = region.officer()
    body = {"to": "SELECTED_FOR_INTERVIEW"}
    await refused(officer.post(path, json=body), 428, "version_required")
    stale = officer.post(path, json=body, headers={"if-match": '"1"'})
    await refused(stale, 412, "version_differs")


@pytest.mark.scenario("MP-6/application")
async def test_an_application_needs_a_consent_for_its_own_employer(region: RegionHarness) -> None:
    ref = await region.admitted()
    vacancy = await region.vacancy()
    other_employer = await region.add_other_employer()
    await region.consents(ref, "employer_share", recipient=other_employer, fields=("name",))
    officer = region.officer()
    form = {"candidate_id": ref, "vacancy_id": vacancy}
    application = (await made(officer.post("/v1/job-applications", json=form)))["id"]
    await refused(region.step(officer, application, "CONSENTED"), 422, "consent_missing")
    await refused(officer.post("/v1/job-applications", json=form), 409, "already_applied")
    for stranger in (region.employer(), region.dinas()):
        answer = await stranger.get(f"/v1/job-applications/{application}")
        assert answer.status_code == 404


async def test_no_application_stays_live_when_its_consent_is_withdrawn(
    region: RegionHarness,
) -> None:
    """The officer sends the application while the person withdraws the consent, four times."""
    for _ in range(4):
        ref = await region.admitted()
        vacancy = await region.vacancy()
        consent = await region.consents(ref, "employer_share", fields=("name",))
        application = await region.applies(ref, vacancy, until="CONSENTED")
        officer = region.officer()
        sent, withdrawn = await asyncio.gather(
            region.step(officer, application, "SUBMITTED"),
            region.change(officer, f"/v1/consents/{consent['id']}/withdraw"),
        )
        assert withdrawn.status_code == 200
        assert sent.status_code in {200, 409, 412, 422}
        assert await region.state_of(application) == "WITHDRAWN"


async def test_no_application_stays_live_when_its_vacancy_closes_meanwhile(
    region: RegionHarness,
) -> None:
    """A person applies while the vacancy closes, four times."""
    for _ in range(4):
        ref = await region.admitted()
        vacancy = await region.vacancy()
        form = {"candidate_id": ref, "vacancy_id": vacancy}
        close = f"/v1/vacancies/{vacancy}/close"
        applied, closed = await asyncio.gather(
            region.officer().post("/v1/job-applications", json=form),
            region.change(region.dinas(), close, json={"reason": "withdrawn"}),
        )
        assert closed.status_code == 200
        assert applied.status_code in {201, 409}
        live = {"vacancy_id": vacancy, "live": True}
        assert await region.db.count("job_applications", live) == 0


@pytest.mark.scenario("P17/closing")
async def test_a_vacancy_takes_applications_until_its_last_day_ends_in_wib(
    region: RegionHarness,
) -> None:
    vacancy = await region.vacancy()
    officer = region.officer()
    last_day = (await done(officer.get(f"/v1/vacancies/{vacancy}")))["valid_until"]
    midnight = datetime.fromisoformat(f"{last_day}T17:00:00+00:00").astimezone(UTC)
    forms = [{"candidate_id": await region.admitted(), "vacancy_id": vacancy} for _ in range(2)]
    region.travel(midnight - timedelta(milliseconds=1))
    await made(officer.post("/v1/job-applications", json=forms[0]))
    region.travel(midnight)
    late = officer.post("/v1/job-applications", json=forms[1])
    await refused(late, 409, "vacancy_not_open")
