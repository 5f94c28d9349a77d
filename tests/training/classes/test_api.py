"""Classes over HTTP: refusals, versions, seats and cancelling."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.factories import FacilityHarness


async def test_cancelling_a_class_removes_its_applications_and_seats(
    crowd: FacilityHarness,
) -> None:
    class_id = await factories.open_class(crowd)
    person, applicant = list(crowd.people)[15:17]
    enrolment_id = await factories.enrol(crowd, class_id, person)
    form = (await factories.apply(crowd, applicant, class_id)).json()
    application_id = form["applications"][0]["application_id"]
    cancelled = await factories.change(
        crowd.officer, f"/v1/classes/{class_id}/cancellation", {"reason": "instruktur berhalangan"}
    )
    assert cancelled.json()["state"] == "CANCELLED"
    assert (await crowd.officer.get(f"/v1/enrolments/{enrolment_id}")).json()[
        "end_reason"
    ] == "CLASS_CANCELLED"
    assert (await factories.read_application(crowd, application_id))["state"] == "REMOVED"
    again = await factories.change(
        crowd.officer, f"/v1/classes/{class_id}/cancellation", {"reason": "sekali lagi"}
    )
    assert again.json()["code"] == "class_state_refuses"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"ends_on": "2020-01-01"}, "dates_reversed", "ends_on"),
        ({"seats_total": 0}, "body_invalid", "seats_total"),
        ({"seats_total": "7"}, "body_invalid", "seats_total"),
        ({"programme_id": "tidak-ada"}, "programme_unknown", None),
        ({"edition": 9}, "edition_unknown", None),
        ({"facility_id": "LAIN"}, "facility_unknown", None),
        ({"warna": "biru"}, "body_invalid", "warna"),
    ],
)
async def test_a_class_that_does_not_fit_is_refused_by_name(
    crowd: FacilityHarness, change: dict[str, Any], code: str, field: str | None
) -> None:
    body = {
        "facility_id": crowd.facility_id,
        "programme_id": await factories.publish_programme(crowd.client),
        "batch_no": "1",
        "starts_on": "2027-01-01",
        "ends_on": "2027-02-01",
        "seats_total": 5,
    }
    refused = await crowd.officer.post("/v1/classes", json=body | change)
    assert (refused.json()["code"], refused.json().get("field")) == (code, field)
    assert refused.status_code in {404, 422}


@pytest.mark.scenario("T32")
async def test_one_of_two_changes_with_one_version_is_refused(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id()])
    class_id = await factories.open_class(facility, instructor_refs=["i-1"])
    etag = (await facility.officer.get(f"/v1/classes/{class_id}")).headers["etag"]
    answers = await asyncio.gather(
        *(
            facility.officer.patch(
                f"/v1/classes/{class_id}",
                json={"location": f"ruang {number}"},
                headers={"if-match": etag},
            )
            for number in range(2)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    shown = (await facility.officer.get(f"/v1/classes/{class_id}")).json()
    assert (shown["instructor_refs"], shown["batch_no"]) == (["i-1"], "1")


@pytest.mark.scenario("T21/resize")
async def test_a_quota_is_never_set_below_the_seats_taken(crowd: FacilityHarness) -> None:
    class_id = await factories.open_class(crowd, seats=5)
    await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments",
        json={"participant_refs": [crowd.refs[ref] for ref in list(crowd.people)[:4]]},
    )
    version = {
        "if-match": str(
            (await crowd.officer.get(f"/v1/classes/{class_id}")).json()["seats"]["version"]
        )
    }
    less = await crowd.officer.patch(
        f"/v1/classes/{class_id}/seats", json={"seats_total": 3}, headers=version
    )
    more = await crowd.officer.patch(
        f"/v1/classes/{class_id}/seats", json={"seats_total": 9}, headers=version
    )
    assert (less.json()["code"], less.json()["seats_taken"], more.json()["seats_total"]) == (
        "seats_below_taken",
        4,
        9,
    )
    assert (await factories.count_taken(crowd, class_id))[0] == 4
