"""A class that is closed: sessions to come, participants, seats, events and audit rows."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import Evidence

REASON = {"reason": "instruktur pindah tugas"}


@pytest.mark.scenario("T28")
async def test_a_class_closed_early_is_judged_by_the_sessions_held(service: AsgiClient) -> None:
    diligent = new_id()
    absent = new_id()
    facility = await factories.create_harness(service, [diligent, absent])
    class_id = await factories.open_class(facility, seats=2)
    enrolled = [await factories.enrol(facility, class_id, ref) for ref in (diligent, absent)]
    first, second = enrolled
    held = await factories.plan_session(facility, class_id)
    left = await factories.plan_session(facility, class_id, in_days=3)
    await factories.mark(facility, held, **{first: "ATTENDED", second: "REFUSED"})
    path = f"/v1/classes/{class_id}"
    await factories.change(facility.officer, f"{path}/start")
    early = await factories.change(
        facility.officer, f"/v1/enrolments/{first}/completion", {"instructor_ref": ""}
    )
    assert early.json()["reasons"] == ["ATTENDANCE_BELOW_MINIMUM"]
    evidence = Evidence(service)
    await evidence.skip()
    refused = await factories.change(facility.officer, f"{path}/closing")
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        422,
        "closing_reason_needed",
        "reason",
    )
    assert refused.json()["sessions_left"] == 1
    assert (await evidence.read_events(), await evidence.read_changes()) == ([], Counter())
    closed = await factories.change(facility.officer, f"{path}/closing", REASON)
    assert (closed.json()["state"], closed.json()["closed_because"]) == ("CLOSED", REASON["reason"])
    assert await evidence.read_events() == sorted(
        [
            f"course-completed {facility.refs[diligent]}",
            f"participant-withdrawn {facility.refs[absent]}",
        ],
        key=lambda event: event.split()[1],
    )
    waiting = await factories.database(service).find("attendance", {"session_id": left})
    assert waiting == []
    changes = await evidence.read_changes()
    removed = {name for name in changes if name.startswith("attendance.removed ")}
    assert len(removed) == 2
    assert changes == Counter(
        {
            **dict.fromkeys(removed, 1),
            f"classes.changed {class_id}": 1,
            f"sessions.changed {left}": 1,
            f"enrolments.changed {first}": 1,
            f"enrolments.changed {second}": 1,
            f"class_seats.changed {class_id}": 2,
        }
    )
    states = [(await factories.read_enrolment(facility, each))["state"] for each in enrolled]
    assert states == ["COMPLETED", "NOT_COMPLETED"]
    assert await factories.count_taken(facility, class_id) == (0, 0)
    session = (await facility.officer.get(f"/v1/sessions/{left}")).json()
    assert (session["state"], session["reason"]) == ("CANCELLED", REASON["reason"])
    [completed] = [
        json.loads(row["body"])
        for row in await factories.list_events(service, facility.refs[diligent])
        if "course-completed" in row["type"]
    ]
    assert (completed["held_minutes"], completed["attended_minutes"]) == (240, 240)
    again = await factories.change(facility.officer, f"{path}/closing", REASON)
    assert (again.status_code, again.json()["code"]) == (409, "class_state_refuses")
    assert (await evidence.read_events(), await evidence.read_changes()) == ([], Counter())


async def test_a_closing_confirms_where_the_programme_asks_for_it(service: AsgiClient) -> None:
    people = [new_id(), new_id()]
    facility = await factories.create_harness(service, people)
    programme_id = await factories.publish_programme(
        service, completion={"instructor_confirmation": True}
    )
    states: list[str] = []
    for person, confirming in zip(people, ("", "instruktur-7"), strict=True):
        class_id = await factories.open_class(
            facility, programme_id=programme_id, instructor_refs=["instruktur-7"]
        )
        enrolment_id = await factories.enrol(facility, class_id, person)
        held = await factories.plan_session(facility, class_id)
        await factories.mark(facility, held, **{enrolment_id: "ATTENDED"})
        path = f"/v1/classes/{class_id}"
        await factories.change(facility.officer, f"{path}/start")
        stranger = REASON | {"instructor_ref": "orang-lain"}
        refused = await factories.change(facility.officer, f"{path}/closing", stranger)
        assert (refused.status_code, refused.json()["field"]) == (422, "instructor_ref")
        body = REASON | {"instructor_ref": confirming}
        closed = await factories.change(facility.officer, f"{path}/closing", body)
        assert closed.status_code == 200, closed.text
        states.append((await factories.read_enrolment(facility, enrolment_id))["state"])
    assert states == ["NOT_COMPLETED", "COMPLETED"]
