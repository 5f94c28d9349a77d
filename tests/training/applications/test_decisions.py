"""TPP decisions over HTTP: what they decide, and their approval."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient, not_four_eyes
from tests.training import factories
from tests.training.factories import FacilityHarness

WITH_DECISION = {"tpp_required": True, "application_required": True}


@pytest.mark.scenario("T24")
async def test_one_hearing_decides_nine_and_reports_the_one_who_withdrew(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(10)])
    class_id = await factories.open_class(
        facility, programme_id=await factories.publish_programme(service, eligibility=WITH_DECISION)
    )
    application_ids = {
        ref: (await factories.apply(facility, ref, class_id)).json()["applications"][0][
            "application_id"
        ]
        for ref in facility.people
    }
    gone = list(facility.people)[4]
    await factories.change(
        facility.officer, f"/v1/class-applications/{application_ids[gone]}/withdrawal", {}
    )
    verdicts = dict.fromkeys(facility.people, "RECOMMENDED")
    declined, deferred = list(facility.people)[:2]
    verdicts[declined] = "NOT_RECOMMENDED"
    verdicts[deferred] = "DEFERRED"
    decided = (
        await factories.record_decision(facility, "", verdicts, scope="class", scope_ref=class_id)
    ).json()
    states = [
        (await factories.read_application(facility, application_ids[ref]))["state"]
        for ref in facility.people
    ]
    assert states == [
        "DECLINED",
        "DEFERRED",
        "APPROVED",
        "APPROVED",
        "WITHDRAWN",
        *["APPROVED"] * 5,
    ]
    assert decided["not_applied"] == [facility.refs[gone]]
    (task,) = await factories.list_all(
        facility.officer, "/v1/training-tasks", kind="DECISION_NOT_APPLIED"
    )
    assert task["participant_ref"] == facility.refs[gone]
    assert (
        await factories.change(
            facility.officer, f"/v1/class-applications/{application_ids[deferred]}/resubmission"
        )
    ).json()["state"] == "SUBMITTED"


@pytest.mark.scenario("T24")
async def test_a_verdict_other_than_recommended_requires_a_reason(crowd: FacilityHarness) -> None:
    person = next(iter(crowd.people))
    results = [{"participant_ref": crowd.refs[person], "verdict": "DEFERRED"}]
    refused = await factories.record_decision(crowd, "", {}, scope="work", results=results)
    assert (refused.status_code, refused.json()["code"]) == (422, "reason_needed")


@pytest.mark.scenario("T24")
async def test_a_decision_for_the_head_counts_from_the_approval_on(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person], head_approval_required=True)
    programme_id = await factories.publish_programme(service, eligibility=WITH_DECISION)
    class_id = await factories.open_class(facility, programme_id=programme_id)
    application_id = (await factories.apply(facility, person, class_id)).json()["applications"][0][
        "application_id"
    ]
    decision = (
        await factories.record_decision(
            replace(facility, officer=facility.officer.by("perekam", "kasi")),
            programme_id,
            {person: "RECOMMENDED"},
        )
    ).json()
    seat = {"class_id": class_id, "participant_ref": facility.refs[person]}
    assert (
        (await factories.read_application(facility, application_id))["state"],
        decision["in_force"],
    ) == (
        "SUBMITTED",
        False,
    )
    assert (await facility.officer.post("/v1/enrolments", json=seat)).json()["reasons"] == [
        "TPP_NOT_APPROVED"
    ]
    for actor in not_four_eyes("perekam", "kasi"):
        deputy = factories.officer(service, facility.facility_id, "head").by(*actor)
        refused = await factories.change(
            deputy, f"/v1/tpp-decisions/{decision['decision_id']}/head-approval"
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "same_person_approves"), actor
    head = factories.officer(service, facility.facility_id, "head", "kalapas")
    approved = await factories.change(
        head, f"/v1/tpp-decisions/{decision['decision_id']}/head-approval"
    )
    assert (
        approved.json()["in_force"],
        (await factories.read_application(facility, application_id))["state"],
    ) == (
        True,
        "APPROVED",
    )
    assert (await facility.officer.post("/v1/enrolments", json=seat)).status_code == 201
    assert (
        await factories.change(head, f"/v1/tpp-decisions/{decision['decision_id']}/head-approval")
    ).json()["code"] == "approval_not_needed"


@pytest.mark.parametrize(
    ("verdict", "eligibilities"),
    [("RECOMMENDED", [True]), ("NOT_RECOMMENDED", [False]), ("DEFERRED", [])],
)
async def test_a_decision_on_work_publishes_the_work_eligibility(
    crowd: FacilityHarness, verdict: str, eligibilities: list[bool]
) -> None:
    person = list(crowd.people)[5]
    before = len(await factories.list_events(crowd.client, crowd.refs[person]))
    assert (
        await factories.record_decision(
            crowd,
            "",
            {person: verdict},
            scope="work",
            valid_until=str(factories.local_today() + timedelta(days=90)),
        )
    ).status_code == 201
    new = (await factories.list_events(crowd.client, crowd.refs[person]))[before:]
    assert [(row["type"], json.loads(row["body"])["eligible"]) for row in new] == [
        ("training.work-eligibility-decided.v1", eligible) for eligible in eligibilities
    ]


async def test_a_decision_naming_a_person_of_another_facility_is_refused(
    crowd: FacilityHarness,
) -> None:
    other = await factories.create_harness(crowd.client, [new_id()])
    person = list(crowd.people)[6]
    results = [
        {"participant_ref": ref, "verdict": "RECOMMENDED"}
        for ref in (crowd.refs[person], next(iter(other.refs.values())))
    ]
    body = {
        "facility_id": crowd.facility_id,
        "hearing_on": str(factories.local_today()),
        "scope": "branch",
        "scope_ref": "vocational",
        "results": results,
        "document_ref": "x",
    }
    refused = await crowd.officer.post("/v1/tpp-decisions", json=body)
    assert (refused.status_code, refused.json()["code"], refused.json()["refs"]) == (
        422,
        "participants_unknown",
        list(other.refs.values()),
    )
    assert (
        await factories.database(crowd.client).find_one(
            "tpp_standings", {"_id": crowd.refs[person]}
        )
        is None
    )


async def test_a_decision_of_a_hearing_in_the_future_is_refused(crowd: FacilityHarness) -> None:
    tomorrow = str(factories.local_today() + timedelta(days=1))
    verdicts = {next(iter(crowd.people)): "RECOMMENDED"}
    refused = await factories.record_decision(
        crowd, "", verdicts, scope="work", hearing_on=tomorrow
    )
    assert (refused.json()["code"], refused.json()["field"]) == ("hearing_in_future", "hearing_on")
