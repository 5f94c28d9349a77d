"""Completion over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from tests.training import factories
from tests.training.evidence import Evidence
from tests.training.factories import FacilityHarness


@pytest.mark.scenario("T28")
async def test_two_confirmations_at_once_complete_a_course_once(crowd: FacilityHarness) -> None:
    rule = {"required_parts": ["praktik"], "instructor_confirmation": True}
    programme_id = await factories.publish_programme(
        crowd.client, completion=rule, provider_neutral_name="Balai Latihan Bahari"
    )
    class_id = await factories.open_class(
        crowd, programme_id=programme_id, instructor_refs=["instruktur-7"], seats=1
    )
    person = list(crowd.people)[12]
    enrolment_id = await factories.enrol(crowd, class_id, person)
    path = f"/v1/enrolments/{enrolment_id}/completion"
    await factories.mark(
        crowd, await factories.plan_session(crowd, class_id), **{enrolment_id: "ATTENDED"}
    )
    await factories.change(
        crowd.officer,
        f"/v1/enrolments/{enrolment_id}/results",
        {"part": "praktik", "passed": False, "score": 50, "assessor_ref": "instruktur-7"},
    )
    not_yet = await factories.change(crowd.officer, path, {})
    assert (not_yet.status_code, not_yet.json()["code"], not_yet.json()["reasons"]) == (
        422,
        "not_yet_complete",
        ["PART_NOT_PASSED", "NOT_CONFIRMED"],
    )
    progress = (await crowd.officer.get(path)).json()
    assert [missing["code"] for missing in progress["missing"]] == ["PART_NOT_PASSED"]
    assert (progress["parts_missing"], progress["held_minutes"]) == (["praktik"], 240)
    await factories.change(
        crowd.officer,
        f"/v1/enrolments/{enrolment_id}/results",
        {"part": "praktik", "passed": True, "score": 80, "assessor_ref": "instruktur-7"},
    )
    stranger = await factories.change(crowd.officer, path, {"instructor_ref": "orang-lain"})
    assert stranger.json()["field"] == "instructor_ref"
    confirmation = {"instructor_ref": "instruktur-7"}
    shown = await crowd.officer.get(f"/v1/enrolments/{enrolment_id}")
    version = {"if-match": shown.headers["etag"]}
    evidence = Evidence(crowd.client)
    await evidence.skip()
    answers = await asyncio.gather(
        *(crowd.officer.post(path, json=confirmation, headers=version) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    ref = crowd.refs[person]
    assert await evidence.read_events() == [f"course-completed {ref}"]
    assert await evidence.read_changes() == {
        f"enrolments.changed {enrolment_id}": 1,
        f"class_seats.changed {class_id}": 1,
    }
    again = await factories.change(crowd.officer, path, confirmation)
    assert (again.status_code, again.json()["code"]) == (409, "already_completed")
    assert (await evidence.read_events(), await evidence.read_changes()) == ([], Counter())
    (event,) = [
        json.loads(row["body"])
        for row in await factories.list_events(crowd.client, ref)
        if "course-completed" in row["type"]
    ]
    assert event == {
        "participant_ref": ref,
        "enrolment_id": enrolment_id,
        "class_id": class_id,
        "programme_id": programme_id,
        "programme_version": 1,
        "title": "Pengolahan Hasil Laut",
        "units": [{"code": "A.1", "title": "Membersihkan ikan"}],
        "scheme_ref": "SKEMA-1",
        "provider_neutral_name": "Balai Latihan Bahari",
        "lesson_hours": 5,
        "held_minutes": 240,
        "attended_minutes": 240,
        "completed_on": str(factories.local_today()),
        "instructor_refs": ["instruktur-7"],
    }
    assert (await crowd.officer.get(f"/v1/classes/{class_id}")).json()["seats"]["seats_taken"] == 0
    assert (await crowd.officer.get(f"/v1/enrolments/{enrolment_id}")).json()[
        "state"
    ] == "COMPLETED"


@pytest.mark.scenario("T28")
async def test_a_class_keeps_its_edition_when_a_stricter_one_is_published(
    crowd: FacilityHarness,
) -> None:
    programme_id = await factories.publish_programme(
        crowd.client, completion={"min_attended_bps": 3_000}
    )
    class_id = await factories.open_class(crowd, programme_id=programme_id)
    enrolment_id = await factories.enrol(crowd, class_id, list(crowd.people)[13])
    body = {
        "title": "Edisi 2",
        "units": [{"code": "A.1", "title": "x"}],
        "lesson_hours": 20,
        "completion": {"min_attended_bps": 10_000},
    }
    assert (
        await factories.change(
            factories.administrator(crowd.client), f"/v1/programmes/{programme_id}/editions", body
        )
    ).json()["editions"][1]["number"] == 2
    await factories.mark(
        crowd,
        await factories.plan_session(crowd, class_id),
        **{enrolment_id: {"reason": "ATTENDED_PART", "minutes": 80}},
    )
    done = await factories.change(crowd.officer, f"/v1/enrolments/{enrolment_id}/completion", {})
    assert (done.status_code, done.json()["edition"]) == (200, 1)
