"""Routes of placements: slots under races, own effort, repeated requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from chassis.ids import utc_now
from chassis.persistence.transactions import Runner, TransactionManager
from services.manpower.placements import usecases
from services.manpower.placements.rules import PlacementKind, PlacementTerms
from services.manpower.vacancies.rules import slots_lock
from tests.manpower.factories import PLACEMENT_BODY
from tests.manpower.harness import RegionHarness, done, made, refused

ACCEPTED_VERSION = 7
"""The version of an application after six steps."""


async def accepted_applications(region: RegionHarness, vacancy: str, count: int) -> list[str]:
    applicants = [await region.applicant(vacancy, "ACCEPTED") for _ in range(count)]
    return [application for _, application in applicants]


async def states_of(region: RegionHarness, applications: list[str]) -> Counter[str]:
    return Counter([await region.state_of(application) for application in applications])


@pytest.mark.scenario("P18/slots", "MP-5/race")
async def test_of_five_parallel_placements_for_two_slots_two_succeed(region: RegionHarness) -> None:
    """The other applications are closed with the vacancy."""
    vacancy = await region.vacancy(2)
    applications = await accepted_applications(region, vacancy, 5)
    officer = region.officer()
    answers = await asyncio.gather(
        *(region.place(officer, application) for application in applications)
    )
    assert Counter(answer.status_code for answer in answers) == {201: 2, 409: 3}
    codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert codes == {"application_step_refused"}
    assert await states_of(region, applications) == {"PLACED": 2, "VACANCY_CLOSED": 3}
    shown = await done(officer.get(f"/v1/vacancies/{vacancy}"))
    assert (shown["state"], shown["headcount"], shown["slots_left"]) == ("closed", 2, 0)
    assert await region.db.count("placements", {"vacancy_id": vacancy}) == 2
    assert (await region.db.find_one("vacancy_slots", {"_id": vacancy}))["taken"] == 2


@pytest.mark.scenario("MP-5/race")
async def test_placements_in_two_processes_cannot_take_one_slot_twice(
    region: RegionHarness,
) -> None:
    """Transaction managers of their own share no in-process lock: only the transaction protects."""
    vacancy = await region.vacancy(1)
    applications = await accepted_applications(region, vacancy, 4)
    terms = PlacementTerms(
        kind=PlacementKind.EMPLOYEE, started_on=utc_now().date(), permit_number="izin-contoh-9"
    )
    present = region.engine
    runs = [
        Runner(
            TransactionManager(
                present.db,
                present.transaction,
                present.ports,
                after_commit=present.after_commit,
            ),
            region.runner().cause,
        )
        for _ in applications
    ]
    outcomes = await asyncio.gather(
        *(
            run(partial(usecases.place_application, application, ACCEPTED_VERSION, terms))
            for run, application in zip(runs, applications, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert (await region.db.find_one("vacancy_slots", {"_id": vacancy}))["taken"] == 1
    assert await states_of(region, applications) == {"PLACED": 1, "VACANCY_CLOSED": 3}


async def test_work_found_by_own_effort_is_a_placement_without_a_vacancy(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    officer = region.officer()
    body = {"candidate_id": ref, "kind": "self_employed", "started_on": "2027-01-04"}
    await refused(officer.post("/v1/placements", json=body), 422, "not_free_to_work")
    await region.handled(await region.publish_release(ref))
    placement = await made(officer.post("/v1/placements", json=body))
    assert (placement["source"], placement["vacancy_id"]) == ("own_effort", None)


async def test_a_placement_names_an_application_or_a_candidate_not_both(
    region: RegionHarness,
) -> None:
    body = {
        "candidate_id": "person-1",
        "application_id": "application-1",
        "kind": "employee",
        "started_on": "2027-01-04",
    }
    await refused(region.officer().post("/v1/placements", json=body), 422, "body_invalid")


async def test_a_placement_repeated_with_the_same_key_takes_one_slot(region: RegionHarness) -> None:
    vacancy = await region.vacancy(2)
    [application] = await accepted_applications(region, vacancy, 1)
    officer = region.officer()
    body = PLACEMENT_BODY | {"application_id": application}
    headers = {
        "idempotency-key": "placement-1",
        **await region.if_match(f"/v1/job-applications/{application}"),
    }
    answers = await asyncio.gather(
        *(officer.post("/v1/placements", json=body, headers=headers) for _ in range(3))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await done(officer.get(f"/v1/vacancies/{vacancy}")))["slots_left"] == 1


async def test_a_placement_needs_if_match_with_the_version_of_its_application(
    region: RegionHarness,
) -> None:
    [application] = await accepted_applications(region, await region.vacancy(2), 1)
    officer = region.officer()
    body = PLACEMENT_BODY | {"application_id": application}
    await refused(officer.post("/v1/placements", json=body), 428, "version_required")
    stale = officer.post("/v1/placements", json=body, headers={"if-match": '"3"'})
    await refused(stale, 412, "version_differs")
    assert await region.state_of(application) == "ACCEPTED"


async def test_placements_on_two_vacancies_do_not_wait_for_each_other(
    region: RegionHarness,
) -> None:
    """A lock that is held for one vacancy's slots does not delay another vacancy's placement."""
    first, second = [await region.vacancy(1) for _ in range(2)]
    [waiting] = await accepted_applications(region, first, 1)
    [free] = await accepted_applications(region, second, 1)
    officer = region.officer()
    deadline = asyncio.get_running_loop().time() + 60
    async with region.engine.locks.hold([slots_lock(first)], deadline):
        held_up = asyncio.create_task(region.place(officer, waiting))
        await made(region.place(officer, free))
        assert not held_up.done()
    assert (await held_up).status_code in {201, 503}
