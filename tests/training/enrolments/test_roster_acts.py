"""A class by roster acts: names, applications, enrolments, marks, results, completions."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import Evidence, read_outcomes
from tests.training.factories import FacilityHarness

WITH_APPLICATION = {"tpp_required": True, "application_required": True}
STRANGER = "orang-lapas-lain"


async def post(facility: FacilityHarness, path: str, body: Any, key: str = "") -> Any:
    headers = {"idempotency-key": key} if key else {}
    return await facility.officer.post(path, json=body, headers=headers)


async def test_names_of_many_are_read_with_one_audit_row(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id(), new_id()])
    other = await factories.create_harness(service, [new_id()])
    refs = list(facility.refs.values())
    body = {"participant_refs": [*refs, *other.refs.values(), "x"], "purpose": "class-list"}
    answer = await post(facility, "/v1/participants/names", body)
    assert {each["participant_ref"]: each["name"] for each in answer.json()["items"]} == {
        ref: f"Uji {source}" for source, ref in facility.refs.items()
    }
    assert answer.json()["as_of"]
    rows = await factories.database(service).find("audit", {"action": "identities.listed"})
    [row] = [row for row in rows if sorted(refs) == row["refs"]]
    assert row["purpose"] == "class-list"
    refused = await post(facility, "/v1/participants/names", {"participant_refs": refs})
    assert (refused.status_code, refused.json()["field"]) == (422, "purpose")
    too_many = body | {"participant_refs": ["x"] * 501}
    assert (await post(facility, "/v1/participants/names", too_many)).status_code == 422


@pytest.mark.timeout(300)
async def test_a_class_is_taken_from_application_to_completion_by_lists(
    service: AsgiClient,
) -> None:
    people = [new_id() for _ in range(4)]
    facility = await factories.create_harness(service, people)
    refs = [facility.refs[person] for person in people]
    programme_id = await factories.publish_programme(
        service, eligibility=WITH_APPLICATION, completion={"required_parts": ["praktik"]}
    )
    class_id = await factories.open_class(facility, programme_id=programme_id)
    path = f"/v1/classes/{class_id}"

    key = new_id()
    applicants = {"participant_refs": [*refs[:3], STRANGER]}
    applied = await post(facility, f"{path}/applications", applicants, key)
    assert read_outcomes(applied) == {
        **{ref: ("applied", []) for ref in refs[:3]},
        STRANGER: ("refused", ["participant_unknown"]),
    }
    seen = Evidence(service)
    await seen.skip()
    again = await post(facility, f"{path}/applications", applicants, key)
    assert again.json() == applied.json()
    twice = await post(facility, f"{path}/applications", applicants)
    assert [outcome for outcome, _ in read_outcomes(twice).values()][:3] == ["repeated"] * 3
    assert await seen.read_events() == []

    verdicts = dict.fromkeys(people[:2], "RECOMMENDED")
    await factories.record_decision(facility, programme_id, verdicts)
    report = await post(facility, f"{path}/suitability", {"participant_refs": [*refs, STRANGER]})
    reasons = {
        item["participant_ref"]: [reason["code"] for reason in item["reasons"]]
        for item in report.json()["items"]
    }
    assert reasons == {refs[0]: [], refs[1]: [], refs[2]: ["TPP_MISSING"], refs[3]: ["TPP_MISSING"]}

    enrolled = await post(facility, f"{path}/enrolments", {"participant_refs": refs[:3]})
    assert read_outcomes(enrolled) == {
        refs[0]: ("applied", []),
        refs[1]: ("applied", []),
        refs[2]: ("refused", ["TPP_MISSING"]),
    }
    [text] = [reason["text"] for reason in enrolled.json()["lines"][2]["reasons"]]
    assert "TPP" in text
    assert await factories.count_taken(facility, class_id) == (2, 2)
    first, second = [line["result_id"] for line in enrolled.json()["lines"][:2]]
    session_id = await factories.plan_session(facility, class_id)
    await factories.mark(facility, session_id, **{first: "ATTENDED", second: "REFUSED"})

    async def list_versions(*ids: str) -> list[dict[str, Any]]:
        found = [await factories.read_enrolment(facility, each) for each in ids]
        return [
            {"enrolment_id": each["enrolment_id"], "version": each["version"]} for each in found
        ]

    result = {"part": "praktik", "passed": True, "score": 80, "assessor_ref": "instruktur"}
    lines: list[dict[str, Any]] = [line | result for line in await list_versions(first, second)]
    lines[1]["version"] += 1
    results = await post(facility, f"{path}/results", {"lines": lines})
    assert read_outcomes(results) == {
        first: ("applied", []),
        second: ("refused", ["version_differs"]),
    }

    await seen.skip()
    completions = {"lines": await list_versions(first, second)}
    completed = await post(facility, f"{path}/completions", completions)
    assert read_outcomes(completed) == {
        first: ("applied", []),
        second: (
            "refused",
            ["ATTENDANCE_BELOW_MINIMUM", "LESSON_HOURS_BELOW_MINIMUM", "PART_NOT_PASSED"],
        ),
    }
    assert await seen.read_events() == [f"course-completed {refs[0]}"]
    assert f"enrolments.changed {second}" not in await seen.read_changes()
    repeated = await post(facility, f"{path}/completions", completions)
    assert read_outcomes(repeated)[first] == ("repeated", [])
    other = await factories.open_class(facility)
    foreign = await post(facility, f"/v1/classes/{other}/completions", completions)
    assert read_outcomes(foreign)[first] == ("refused", ["enrolment_unknown"])
