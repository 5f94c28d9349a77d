"""Merges over HTTP and by a snapshot: every record of both people."""

from __future__ import annotations

from collections import Counter

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import Evidence

WITH_APPLICATION = {"tpp_required": False, "application_required": True}


@pytest.mark.scenario("T6")
async def test_a_merge_leaves_one_enrolment_seat_mark_and_an_alias(
    service: AsgiClient,
) -> None:
    old = new_id()
    kept = new_id()
    facility = await factories.create_harness(
        service, [kept, old, *(new_id() for _ in range(10))], live_from=None
    )
    class_a = await factories.open_class(facility)
    wanted = await factories.open_class(
        facility,
        programme_id=await factories.publish_programme(service, eligibility=WITH_APPLICATION),
    )
    kept_in_a = await factories.enrol(facility, class_a, kept)
    old_in_a = await factories.enrol(facility, class_a, old)
    session_id = await factories.plan_session(facility, class_a)
    await factories.mark(facility, session_id, **{kept_in_a: "SICK", old_in_a: "ATTENDED"})
    result = {"part": "praktik", "passed": True, "assessor_ref": "instruktur-1"}
    other = await factories.open_class(facility)
    old_in_other = await factories.enrol(facility, other, old)
    assert (
        await factories.change(facility.officer, f"/v1/enrolments/{old_in_other}/results", result)
    ).status_code == 201
    applied = await facility.officer.post(
        "/v1/class-applications",
        json={"participant_ref": facility.refs[old], "class_ids": [wanted]},
    )
    application_id = applied.json()["applications"][0]["application_id"]
    today = f"{factories.local_today():%d/%m/%Y}"
    await facility.list_again(**{old: {"Ekspirasi": today, "2/3": ""}})
    opened = await factories.list_all(facility.officer, "/v1/training-tasks", kind="NEW_BLOCK")
    assert {task["participant_ref"] for task in opened} == {facility.refs[old]}
    evidence = Evidence(service)
    await evidence.skip()
    merged_list = await facility.list_again(**{old: {"Digabung ke": kept}})

    assert merged_list["counts"] == {"merged": 1}
    ref = facility.refs[kept]
    events = await evidence.read_events()
    assert sorted(events) == sorted(
        [
            f"participant-merged {facility.refs[old]}",
            f"participant-merged {ref}",
            f"participant-withdrawn {ref}",
        ]
    )
    changes = await evidence.read_changes()
    assert set(changes.values()) == {1}, changes
    tasks = await factories.list_all(facility.officer, "/v1/training-tasks", kind="NEW_BLOCK")
    assert [task["id"] for task in tasks] == [task["id"] for task in opened]
    assert {task["participant_ref"] for task in tasks} == {ref}
    assert (
        await factories.read_seats_taken(facility, class_a),
        (await factories.read_enrolment(facility, kept_in_a))["state"],
        (await factories.read_enrolment(facility, old_in_a))["end_reason"],
    ) == (1, "ACTIVE", "MERGED")
    assert {
        (await factories.read_enrolment(facility, enrolment_id))["participant_ref"]
        for enrolment_id in (kept_in_a, old_in_a, old_in_other)
    } == {ref}
    assert len((await factories.read_enrolment(facility, old_in_other))["results"]) == 1
    assert await factories.read_attendance(facility, session_id) == {
        f"{kept_in_a}/1": ("MARKED", "ATTENDED")
    }
    (record,) = await factories.list_all(facility.officer, f"/v1/sessions/{session_id}/attendance")
    assert {change["now"] for change in record["history"]} >= {"SICK", "ATTENDED"}
    assert (await facility.officer.get(f"/v1/class-applications/{application_id}")).json()[
        "participant_ref"
    ] == ref
    assert (await facility.officer.get(f"/v1/participants/{facility.refs[old]}")).json()[
        "participant_ref"
    ] == ref
    await facility.list_again(**{old: {"Digabung ke": kept, "Kamar": "Z9"}})
    await facility.list_again(**{old: None})
    assert (await evidence.read_events(), await evidence.read_changes()) == ([], Counter())
    record = await factories.database(service).find_one("participants", {"_id": facility.refs[old]})
    assert record
    again = await facility.officer.post(
        f"/v1/participants/{facility.refs[old]}/merge",
        json={"into_ref": ref},
        headers={"if-match": str(record["version"])},
    )
    assert again.json()["code"] == "already_merged"


@pytest.mark.scenario("T6")
async def test_an_officers_merge_moves_tasks_and_resolves_the_proposal(
    service: AsgiClient,
) -> None:
    first = new_id()
    second = new_id()
    nik = "9901010503900017"
    facility = await factories.create_harness(service, {first: {"NIK": nik}})
    await facility.list_again(**{second: {"NIK": nik, "Tgl Lahir": "06/03/1990"}})
    (proposal,) = await factories.list_all(
        facility.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
    )
    assert (
        proposal["participant_ref"],
        proposal["facts"]["other_ref"],
        proposal["facts"]["differs"],
    ) == (facility.refs[second], facility.refs[first], "name,birth_date")
    merged = await factories.change(
        facility.officer,
        f"/v1/participants/{facility.refs[second]}/merge",
        {"into_ref": facility.refs[first]},
    )
    assert (merged.status_code, merged.json()["participant_ref"]) == (200, facility.refs[first])
    (settled,) = await factories.list_all(
        facility.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
    )
    assert (settled["state"], settled["resolution"]) == ("RESOLVED", "merged")
    both_listed = await facility.list_again(**{second: {"Kamar": "H1"}})
    assert both_listed["counts"] == {}
