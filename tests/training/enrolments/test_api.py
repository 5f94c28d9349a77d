"""Enrolments over HTTP: seats under contention, reasons and overrides."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import read_outcomes
from tests.training.factories import FacilityHarness

BUSY = 503


@pytest.fixture(scope="module")
async def crowd(service: AsgiClient) -> FacilityHarness:
    """Create a facility with sixty people, for tests under contention."""
    return await factories.create_harness(service, [new_id() for _ in range(60)])


@pytest.mark.scenario("T20")
@pytest.mark.timeout(180)
async def test_fifty_at_once_for_seven_seats_give_exactly_seven(crowd: FacilityHarness) -> None:
    class_id = await factories.open_class(crowd, seats=7)
    over: list[int] = []

    async def watch() -> None:
        while True:
            over.append((await factories.count_taken(crowd, class_id))[0])

    async def enrol(ref: str) -> Any:
        """Repeat while the service is busy, as the answer asks: the machine may be slow."""
        while (answer := await factories.try_enrol(crowd, class_id, ref)).status_code == BUSY:
            assert "retry-after" in answer.headers
        return answer

    watching = asyncio.create_task(watch())
    answers = await asyncio.gather(*(enrol(ref) for ref in list(crowd.people)[:50]))
    watching.cancel()
    assert Counter(answer.json().get("code", "enrolled") for answer in answers) == {
        "enrolled": 7,
        "class_full": 43,
    }
    assert await factories.count_taken(crowd, class_id) == (7, 7)
    assert max(over) <= 7


@pytest.mark.scenario("T20")
async def test_one_person_twice_at_once_gets_one_seat(crowd: FacilityHarness) -> None:
    class_id = await factories.open_class(crowd)
    ref = next(iter(crowd.people))
    answers = await asyncio.gather(*(factories.try_enrol(crowd, class_id, ref) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    assert await factories.count_taken(crowd, class_id) == (1, 1)


@pytest.mark.scenario("T20")
async def test_five_into_three_seats_are_none_and_three_are_three(crowd: FacilityHarness) -> None:
    class_id = await factories.open_class(crowd, seats=3)
    refs = [crowd.refs[ref] for ref in list(crowd.people)[:5]]
    many = await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments", json={"participant_refs": refs}
    )
    assert (many.json()["code"], await factories.count_taken(crowd, class_id)) == (
        "class_full",
        (0, 0),
    )
    three = await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments", json={"participant_refs": refs[:3]}
    )
    assert list(read_outcomes(three).values()) == [("applied", [])] * 3
    assert await factories.count_taken(crowd, class_id) == (3, 3)
    twice = await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments", json={"participant_refs": [refs[4], refs[4]]}
    )
    assert (twice.status_code, twice.json()["code"]) == (422, "line_repeated")


@pytest.mark.scenario("T20")
async def test_ending_and_enrolling_at_once_never_exceeds_the_last_seat(
    crowd: FacilityHarness,
) -> None:
    class_id = await factories.open_class(crowd, seats=1)
    refs = list(crowd.people)
    enrolment_id = await factories.enrol(crowd, class_id, refs[0])
    end = factories.change(
        crowd.officer, f"/v1/enrolments/{enrolment_id}/end", {"reason": "HEALTH"}
    )
    answers = await asyncio.gather(
        end, *(factories.try_enrol(crowd, class_id, ref) for ref in refs[1:6])
    )
    assert answers[0].status_code == 200
    seats, live = await factories.count_taken(crowd, class_id)
    assert seats == live <= 1
    again = await factories.change(
        crowd.officer, f"/v1/enrolments/{enrolment_id}/end", {"reason": "HEALTH"}
    )
    assert (again.json()["code"], await factories.count_taken(crowd, class_id)) == (
        "already_ended",
        (seats, live),
    )


@pytest.mark.scenario("T23/first-codes")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Keberadaan": "Sidang"}, "NOT_PRESENT"),
        (
            {"Ekspirasi": f"{factories.local_today():%d/%m/%Y}", "2/3": ""},
            "RELEASE_BEFORE_CLASS_END",
        ),
        ({"Ekspirasi": "", "2/3": ""}, "FACT_UNKNOWN"),
    ],
)
async def test_each_reason_is_the_same_in_the_report_and_at_the_enrolment(
    service: AsgiClient, values: dict[str, str], code: str
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, {person: values})
    class_id = await factories.open_class(facility)
    report = (
        await facility.officer.get(f"/v1/classes/{class_id}/suitability/{facility.refs[person]}")
    ).json()
    assert [(reason["code"], reason["severity"]) for reason in report["reasons"]] == [
        (code, "BLOCK")
    ]
    assert report["reasons"][0]["message"]
    refused = await factories.try_enrol(facility, class_id, person)
    assert (refused.status_code, refused.json()["code"], refused.json()["reasons"]) == (
        422,
        "not_suitable",
        [code],
    )
    assert await factories.count_taken(facility, class_id) == (0, 0)


@pytest.mark.scenario("T23/first-codes")
async def test_a_warning_requires_an_override_text_which_is_kept(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, {person: {"Ekspirasi": "", "2/3": ""}})
    rule = {
        "tpp_required": False,
        "application_required": False,
        "severities": {"RELEASE_BEFORE_CLASS_END": "WARN"},
    }
    class_id = await factories.open_class(
        facility, programme_id=await factories.publish_programme(service, eligibility=rule)
    )
    refused = await factories.try_enrol(facility, class_id, person)
    assert (
        refused.status_code,
        refused.json()["code"],
        refused.json()["field"],
        refused.json()["reasons"],
    ) == (422, "override_needed", "override", ["FACT_UNKNOWN"])
    body = {
        "class_id": class_id,
        "participant_ref": facility.refs[person],
        "override": "sudah vonis 5 tahun, ekspirasi menyusul",
    }
    seat = await facility.officer.post("/v1/enrolments", json=body)
    assert (seat.status_code, seat.json()["override"]) == (201, body["override"])
    strict = await factories.open_class(facility)
    await facility.list_again(**{person: {"Ekspirasi": "01/01/2040"}})
    assert (
        await facility.officer.get(f"/v1/classes/{strict}/suitability/{facility.refs[person]}")
    ).json()["reasons"] == []
    await facility.list_again(**{person: {"Ekspirasi": f"{factories.local_today():%d/%m/%Y}"}})
    moved_up = await factories.try_enrol(facility, strict, person)
    assert moved_up.json()["reasons"] == ["RELEASE_BEFORE_CLASS_END"]


async def test_a_person_or_class_of_another_facility_is_not_found(crowd: FacilityHarness) -> None:
    other = await factories.create_harness(crowd.client, [new_id()])
    class_id = await factories.open_class(other)
    ref = next(iter(crowd.people))
    assert (await factories.try_enrol(crowd, class_id, ref)).json()["code"] == "class_unknown"
    own = await crowd.officer.post(
        "/v1/enrolments",
        json={
            "class_id": await factories.open_class(crowd),
            "participant_ref": next(iter(other.refs.values())),
        },
    )
    assert (own.status_code, own.json()["code"]) == (404, "participant_unknown")
    nobody = crowd.client.as_("training_officer")
    assert (await nobody.get("/v1/classes")).json()["items"] == []
    assert (await nobody.get(f"/v1/classes/{class_id}")).status_code == 404
