"""Applications under a decision of the TPP that is in force, or no longer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import Evidence
from tests.training.factories import FacilityHarness

WITH_DECISION = {"tpp_required": True, "application_required": True}


async def open_class(facility: FacilityHarness) -> tuple[str, str]:
    """Open a class that demands a decision; return its id and its programme's."""
    programme_id = await factories.publish_programme(facility.client, eligibility=WITH_DECISION)
    return await factories.open_class(facility, programme_id=programme_id), programme_id


async def apply(facility: FacilityHarness, person: str, class_id: str) -> dict[str, object]:
    """Hand in an application; return it as it is then."""
    form = await factories.apply(facility, person, class_id)
    assert form.status_code == 201, form.text
    application_id = form.json()["applications"][0]["application_id"]
    return await factories.read_application(facility, application_id)


@pytest.mark.scenario("T7")
async def test_an_application_under_a_decision_in_force_is_approved_at_once(
    crowd: FacilityHarness,
) -> None:
    person = list(crowd.people)[14]
    class_id, programme_id = await open_class(crowd)
    decided = await factories.record_decision(crowd, programme_id, {person: "RECOMMENDED"})
    before = len(await factories.list_event_types(crowd.client, crowd.refs[person]))
    application = await apply(crowd, person, class_id)
    assert (application["state"], application["decision_id"]) == (
        "APPROVED",
        decided.json()["decision_id"],
    )
    types = await factories.list_event_types(crowd.client, crowd.refs[person])
    assert types[before:] == ["application-submitted", "application-approved"]
    assert (await factories.try_enrol(crowd, class_id, person)).status_code == 201


@pytest.mark.scenario("T7")
async def test_an_application_handed_in_again_is_approved_at_once(crowd: FacilityHarness) -> None:
    person = list(crowd.people)[15]
    class_id, programme_id = await open_class(crowd)
    application = await apply(crowd, person, class_id)
    path = f"/v1/class-applications/{application['application_id']}"
    await factories.change(crowd.officer, f"{path}/withdrawal", {})
    await factories.record_decision(crowd, programme_id, {person: "RECOMMENDED"})
    again = await factories.change(crowd.officer, f"{path}/resubmission")
    assert again.json()["state"] == "APPROVED"


@pytest.mark.parametrize("verdict", ["NOT_RECOMMENDED", "DEFERRED"])
async def test_an_application_after_another_verdict_waits(
    crowd: FacilityHarness, verdict: str
) -> None:
    person = list(crowd.people)[16]
    class_id, programme_id = await open_class(crowd)
    await factories.record_decision(crowd, programme_id, {person: verdict})
    assert (await apply(crowd, person, class_id))["state"] == "SUBMITTED"


async def test_an_expired_decision_decides_nothing(crowd: FacilityHarness) -> None:
    person = list(crowd.people)[17]
    class_id, programme_id = await open_class(crowd)
    application = await apply(crowd, person, class_id)
    days = {
        "hearing_on": str(factories.local_today() - timedelta(days=30)),
        "valid_until": str(factories.local_today() - timedelta(days=1)),
    }
    verdicts = {person: "RECOMMENDED"}
    recorded = await factories.record_decision(crowd, programme_id, verdicts, **days)
    assert recorded.status_code == 201
    work = await factories.record_decision(crowd, "", verdicts, scope="work", **days)
    assert work.status_code == 201
    shown = await factories.read_application(crowd, str(application["application_id"]))
    assert (shown["state"], shown["decision_id"]) == ("SUBMITTED", None)
    types = await factories.list_event_types(crowd.client, crowd.refs[person])
    assert not {"application-approved", "work-eligibility-decided"} & set(types)
    other = await factories.open_class(crowd, programme_id=programme_id)
    assert (await apply(crowd, person, other))["state"] == "SUBMITTED"


async def test_an_approval_after_the_validity_decides_nothing(service: AsgiClient) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person], head_approval_required=True)
    class_id, programme_id = await open_class(facility)
    application = await apply(facility, person, class_id)
    yesterday = str(factories.local_today() - timedelta(days=1))
    days = {"hearing_on": yesterday, "valid_until": yesterday}
    decision = await factories.record_decision(
        facility, programme_id, {person: "RECOMMENDED"}, **days
    )
    head = factories.officer(service, facility.facility_id, "head", "kalapas")
    path = f"/v1/tpp-decisions/{decision.json()['decision_id']}/head-approval"
    assert (await factories.change(head, path)).status_code == 200
    shown = await factories.read_application(facility, str(application["application_id"]))
    assert shown["state"] == "SUBMITTED"


async def test_an_application_and_a_decision_at_once_end_as_approved(
    service: AsgiClient,
) -> None:
    people = [new_id() for _ in range(8)]
    facility = await factories.create_harness(service, people)
    class_id, programme_id = await open_class(facility)
    answers = await asyncio.gather(
        *(factories.apply(facility, person, class_id) for person in people),
        *(
            factories.record_decision(facility, programme_id, {person: "RECOMMENDED"})
            for person in people
        ),
    )
    assert {answer.status_code for answer in answers} == {201}
    applications = await factories.list_all(
        facility.officer, "/v1/class-applications", class_id=class_id
    )
    assert [each["state"] for each in applications] == ["APPROVED"] * len(people)


@pytest.mark.parametrize(
    ("scope", "scope_ref"),
    [
        ("programme", "tidak-ada"),
        ("branch", "vokasi"),
        ("class", "tidak-ada"),
        ("class", "foreign"),
        ("programme", ""),
    ],
)
@pytest.mark.scenario("T24")
async def test_a_scope_that_names_nothing_here_is_refused(
    crowd: FacilityHarness, scope: str, scope_ref: str
) -> None:
    if scope_ref == "foreign":
        other = await factories.create_harness(crowd.client, [new_id()])
        scope_ref = await factories.open_class(other)
    verdicts = {next(iter(crowd.people)): "RECOMMENDED"}
    refused = await factories.record_decision(crowd, scope_ref, verdicts, scope=scope)
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        422,
        "scope_unknown",
        "scope_ref",
    )


@pytest.mark.parametrize(
    ("field", "day"), [("hearing_on", "0001-01-01"), ("valid_until", "9999-12-31")]
)
async def test_an_impossible_day_of_a_decision_names_its_field(
    crowd: FacilityHarness, field: str, day: str
) -> None:
    verdicts = {next(iter(crowd.people)): "RECOMMENDED"}
    refused = await factories.record_decision(crowd, "", verdicts, scope="work", **{field: day})
    assert (refused.status_code, refused.json()["field"]) == (422, field)


async def test_a_facility_demands_the_heads_approval_unless_it_says_otherwise(
    service: AsgiClient,
) -> None:
    body = {
        "facility_id": factories.new_facility_id(),
        "name": "UPT",
        "kind": "lapas",
        "time_zone": "Asia/Jakarta",
        "regencies": ["19.02"],
    }
    opened = await factories.administrator(service).post("/v1/facilities", json=body)
    assert opened.json()["head_approval_required"] is True


@pytest.mark.scenario("T7")
async def test_closing_a_class_removes_its_open_applications(crowd: FacilityHarness) -> None:
    person = list(crowd.people)[18]
    class_id, _ = await open_class(crowd)
    application = await apply(crowd, person, class_id)
    evidence = Evidence(crowd.client)
    await evidence.skip()
    for step, body in (("start", None), ("closing", {"reason": "instruktur pindah"})):
        assert (
            await factories.change(crowd.officer, f"/v1/classes/{class_id}/{step}", body)
        ).status_code == 200
    shown = await factories.read_application(crowd, str(application["application_id"]))
    assert (shown["state"], shown["reason"]) == ("REMOVED", "CLASS_CLOSED")
    assert await evidence.read_events() == []
    assert await evidence.read_changes() == {
        f"classes.changed {class_id}": 2,
        f"class_applications.changed {application['application_id']}": 1,
    }
