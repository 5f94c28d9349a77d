"""Applications over HTTP: forms, seats, withdrawals."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.training import factories
from tests.training.evidence import Evidence
from tests.training.factories import FacilityHarness

WITH_DECISION = {"tpp_required": True, "application_required": True}


WITH_APPLICATION = {"tpp_required": False, "application_required": True}


@pytest.mark.scenario("T7")
async def test_only_an_approved_application_becomes_a_seat(crowd: FacilityHarness) -> None:
    programme_id = await factories.publish_programme(crowd.client, eligibility=WITH_DECISION)
    class_id = await factories.open_class(crowd, programme_id=programme_id)
    person = next(iter(crowd.people))
    ref = crowd.refs[person]
    evidence = Evidence(crowd.client)
    await evidence.skip()
    made = (await factories.apply(crowd, person, class_id)).json()
    application_id = made["applications"][0]["application_id"]
    assert await evidence.read_events() == [f"application-submitted {ref}"]
    assert (await evidence.read_changes())[f"class_applications.added {application_id}"] == 1
    seat = {"class_id": class_id, "participant_ref": ref}
    assert (await crowd.officer.post("/v1/enrolments", json=seat)).json()["reasons"] == [
        "TPP_MISSING"
    ]
    assert (await evidence.read_events(), await evidence.read_changes()) == ([], Counter())
    decided = await factories.record_decision(crowd, programme_id, {person: "RECOMMENDED"})
    assert (await factories.read_application(crowd, application_id))["state"] == "APPROVED"
    assert await evidence.read_events() == [f"application-approved {ref}"]
    changes = await evidence.read_changes()
    assert set(changes.values()) == {1}
    assert changes[f"class_applications.changed {application_id}"] == 1
    enrolment = (await crowd.officer.post("/v1/enrolments", json=seat)).json()
    assert await evidence.read_events() == [f"participant-enrolled {ref}"]
    assert await evidence.read_changes() == Counter(
        {
            f"class_applications.changed {application_id}": 1,
            f"class_seats.changed {class_id}": 1,
            f"enrolments.added {enrolment['enrolment_id']}": 1,
        }
    )
    done = await factories.read_application(crowd, application_id)
    assert (done["state"], done["enrolment_id"], enrolment["application_id"]) == (
        "ALLOCATED",
        enrolment["enrolment_id"],
        application_id,
    )
    assert done["decision_id"] == decided.json()["decision_id"]
    assert (await crowd.officer.post("/v1/enrolments", json=seat)).json()["reasons"] == [
        "ALREADY_ENROLLED"
    ]
    assert (await evidence.read_events(), await evidence.read_changes()) == ([], Counter())


@pytest.mark.scenario("T7")
async def test_an_application_that_is_not_decided_prevents_the_enrolment(
    crowd: FacilityHarness,
) -> None:
    person = next(iter(crowd.people))
    programme_id = await factories.publish_programme(crowd.client, eligibility=WITH_APPLICATION)
    class_id = await factories.open_class(crowd, programme_id=programme_id)
    await factories.apply(crowd, person, class_id)
    refused = await factories.try_enrol(crowd, class_id, person)
    assert refused.json()["code"] == "application_pending"


@pytest.mark.scenario("T7")
async def test_a_required_application_that_is_missing_prevents_the_enrolment(
    crowd: FacilityHarness,
) -> None:
    programme_id = await factories.publish_programme(crowd.client, eligibility=WITH_APPLICATION)
    class_id = await factories.open_class(crowd, programme_id=programme_id)
    refused = await factories.try_enrol(crowd, class_id, next(iter(crowd.people)))
    assert refused.json()["code"] == "application_needed"


@pytest.mark.scenario("T7")
async def test_a_form_with_no_too_many_or_repeated_classes_is_refused(
    crowd: FacilityHarness,
) -> None:
    classes = [await factories.open_class(crowd) for _ in range(6)]
    person = list(crowd.people)[1]
    assert [
        (await factories.apply(crowd, person, *chosen)).json()["code"]
        for chosen in (classes, [], [classes[0], classes[0]])
    ] == ["too_many_classes", "too_many_classes", "class_repeated"]
    assert (
        await factories.database(crowd.client).count(
            "class_applications", {"participant_ref": crowd.refs[person]}
        )
        == 0
    )
    assert (await factories.apply(crowd, person, *classes[:5])).status_code == 201
    twice = await factories.apply(crowd, person, classes[5], classes[0])
    assert (twice.status_code, twice.json()["code"], twice.json()["class_id"]) == (
        409,
        "already_applied",
        classes[0],
    )
    assert (
        await factories.database(crowd.client).count(
            "class_applications", {"participant_ref": crowd.refs[person]}
        )
        == 5
    )
    draft = await crowd.officer.post(
        "/v1/classes",
        json={
            "facility_id": crowd.facility_id,
            "programme_id": await factories.publish_programme(crowd.client),
            "batch_no": "9",
            "starts_on": "2030-01-01",
            "ends_on": "2030-02-01",
            "seats_total": 5,
        },
    )
    assert (await factories.apply(crowd, person, draft.json()["class_id"])).json()[
        "code"
    ] == "class_not_open"


@pytest.mark.scenario("T7")
async def test_a_withdrawn_application_returns_only_without_a_newer_one(
    crowd: FacilityHarness,
) -> None:
    class_id = await factories.open_class(crowd)
    person = list(crowd.people)[2]
    evidence = Evidence(crowd.client)
    await evidence.skip()
    first = (await factories.apply(crowd, person, class_id)).json()["applications"][0][
        "application_id"
    ]
    withdrawal = f"/v1/class-applications/{first}/withdrawal"
    back = f"/v1/class-applications/{first}/resubmission"
    assert (await factories.change(crowd.officer, back)).json()["code"] == "step_refused"
    assert (
        await factories.change(crowd.officer, withdrawal, {"reason": "ingin kelas lain"})
    ).json()["state"] == "WITHDRAWN"
    assert (await factories.change(crowd.officer, back)).json()["state"] == "SUBMITTED"
    assert (await factories.change(crowd.officer, withdrawal, {})).json()["state"] == "WITHDRAWN"
    assert (await factories.apply(crowd, person, class_id)).status_code == 201
    locked = await factories.change(crowd.officer, back)
    assert (locked.status_code, locked.json()["code"]) == (409, "newer_exists")
    assert await evidence.read_events() == [f"application-submitted {crowd.refs[person]}"] * 3


async def test_two_forms_at_once_for_one_class_give_one_application(crowd: FacilityHarness) -> None:
    class_id = await factories.open_class(crowd)
    person = list(crowd.people)[3]
    answers = await asyncio.gather(*(factories.apply(crowd, person, class_id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert (
        await factories.database(crowd.client).count(
            "class_applications", {"participant_ref": crowd.refs[person], "live": True}
        )
        == 1
    )
