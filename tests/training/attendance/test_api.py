"""Sessions and attendance over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import read_outcomes
from tests.training.factories import FacilityHarness


async def list_conflicts(facility: FacilityHarness, session_id: str) -> list[dict[str, str]]:
    """Return the facts of the tasks about contradicting marks of a session."""
    path = "/v1/training-tasks"
    tasks = await factories.list_all(facility.officer, path, kind="MARK_CONFLICT")
    return [task["facts"] for task in tasks if task["facts"]["session_id"] == session_id]


async def test_a_contradicting_mark_opens_a_task_and_changes_no_record(
    crowd: FacilityHarness,
) -> None:
    class_id = await factories.open_class(crowd)
    enrolment_id = await factories.enrol(crowd, class_id, list(crowd.people)[7])
    session_id = await factories.plan_session(crowd, class_id)
    first = {"reason": "ATTENDED_PART", "minutes": 90, "client_id": "d1-1"}
    held = await factories.mark(crowd, session_id, **{enrolment_id: first})
    assert read_outcomes(held) == {enrolment_id: ("applied", [])}
    assert (await crowd.officer.get(f"/v1/sessions/{session_id}")).json()["state"] == "HELD"
    again = await factories.mark(crowd, session_id, **{enrolment_id: first})
    assert read_outcomes(again) == {enrolment_id: ("repeated", [])}
    assert not await list_conflicts(crowd, session_id)
    refused = await factories.mark(
        crowd, session_id, **{enrolment_id: {"reason": "SICK", "client_id": "d2-1"}}
    )
    assert read_outcomes(refused) == {enrolment_id: ("refused", ["MARK_CONFLICT"])}
    (facts,) = await list_conflicts(crowd, session_id)
    assert (facts["stands"], facts["refused"]) == ("ATTENDED_PART", "SICK")
    (record,) = await factories.list_all(crowd.officer, f"/v1/sessions/{session_id}/attendance")
    assert (record["reason"], record["minutes"], len(record["history"])) == ("ATTENDED_PART", 90, 1)
    changed = await crowd.officer.patch(
        f"/v1/attendance/{record['attendance_id']}",
        json={"reason": "ATTENDED"},
        headers={"if-match": str(record["version"])},
    )
    assert (changed.json()["minutes"], [change["now"] for change in changed.json()["history"]]) == (
        240,
        ["ATTENDED_PART", "ATTENDED"],
    )
    recorded = [
        kind
        for kind in await factories.list_event_types(
            crowd.client, crowd.refs[list(crowd.people)[7]]
        )
        if kind == "attendance-recorded"
    ]
    assert len(recorded) == 1
    assert [row["type"] for row in await factories.list_events(crowd.client, class_id)] == [
        "training.class-opened.v1",
        "training.session-held.v1",
    ]


@pytest.mark.parametrize(
    ("mark", "code", "field"),
    [
        ({"reason": "TIDUR"}, "body_invalid", "marks.0.reason"),
        ({"reason": "ATTENDED_PART", "minutes": 240}, "minutes_needed", "minutes"),
        ({"reason": "ATTENDED_PART", "minutes": "90"}, "body_invalid", "marks.0.minutes"),
        ({"reason": "OTHER"}, "text_needed", "note"),
        ({"reason": "AUTO_SUSPENDED"}, "set_by_system", "reason"),
        ({"reason": "ATTENDED", "nama": "x"}, "body_invalid", "marks.0.nama"),
    ],
)
async def test_a_mark_that_does_not_fit_names_its_field_and_holds_no_session(
    crowd: FacilityHarness, mark: dict[str, Any], code: str, field: str
) -> None:
    class_id = await factories.open_class(crowd)
    enrolment_id = await factories.enrol(crowd, class_id, list(crowd.people)[8])
    session_id = await factories.plan_session(crowd, class_id)
    refused = await factories.mark(crowd, session_id, **{enrolment_id: mark})
    if code == "body_invalid":
        assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
            422,
            code,
            field,
        )
    else:
        [line] = refused.json()["lines"]
        [reason] = line["reasons"]
        assert (line["outcome"], reason["code"], reason["field"]) == ("refused", code, field)
        assert reason["text"]
    assert (await crowd.officer.get(f"/v1/sessions/{session_id}")).json()["state"] == "PLANNED"


async def test_nobody_is_marked_before_the_session_or_outside_the_class(
    crowd: FacilityHarness,
) -> None:
    class_id = await factories.open_class(crowd)
    other = await factories.open_class(crowd)
    person = list(crowd.people)[9]
    enrolment_id = await factories.enrol(crowd, class_id, person)
    elsewhere = await factories.enrol(crowd, other, person)
    tomorrow = await factories.plan_session(crowd, class_id, in_days=1, starts_at="08:00")
    assert (await factories.mark(crowd, tomorrow, **{enrolment_id: "ATTENDED"})).json()[
        "code"
    ] == "session_not_begun"
    session_id = await factories.plan_session(crowd, class_id)
    refused = await factories.mark(crowd, session_id, **{elsewhere: "ATTENDED"})
    assert read_outcomes(refused) == {elsewhere: ("refused", ["not_in_session"])}


async def test_two_sessions_of_a_class_at_one_time_are_refused(crowd: FacilityHarness) -> None:
    class_id = await factories.open_class(crowd)
    await factories.plan_session(crowd, class_id)
    twice = await crowd.officer.post(
        f"/v1/classes/{class_id}/sessions",
        json={"held_on": str(factories.local_today()), "starts_at": "00:00", "minutes": 60},
    )
    assert (twice.status_code, twice.json()["code"]) == (409, "session_exists")


async def test_a_session_outside_the_dates_of_its_class_is_refused(crowd: FacilityHarness) -> None:
    class_id = await factories.open_class(crowd)
    outside = await crowd.officer.post(
        f"/v1/classes/{class_id}/sessions",
        json={"held_on": "2020-01-01", "starts_at": "08:00", "minutes": 60},
    )
    assert (outside.json()["code"], outside.json()["field"]) == ("session_outside_class", "held_on")


async def test_paper_of_a_session_before_a_release_is_typed_in_after_it(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person, *(new_id() for _ in range(9))])
    class_id = await factories.open_class(facility)
    enrolment_id = await factories.enrol(facility, class_id, person)
    released = {"Ket. Keluar": "BM", "Tanggal Keluar": f"{factories.local_today():%d/%m/%Y}"}
    facility.move_to_today()
    await facility.list_again(**{person: released})
    ended = await factories.read_enrolment(facility, enrolment_id)
    assert (ended["state"], ended["ended_on"]) == ("ENDED", str(factories.local_today()))
    session_id = await factories.plan_session(facility, class_id)
    marked = await factories.mark(facility, session_id, **{enrolment_id: "ATTENDED"})
    assert read_outcomes(marked) == {enrolment_id: ("applied", [])}
    records = await factories.read_attendance(facility, session_id)
    assert records == {f"{enrolment_id}/1": ("MARKED", "ATTENDED")}


async def test_the_good_marks_of_a_session_go_in_and_the_others_say_why(
    crowd: FacilityHarness,
) -> None:
    class_id = await factories.open_class(crowd)
    people = list(crowd.people)[:3]
    good, bad, _ = [await factories.enrol(crowd, class_id, person) for person in people]
    session_id = await factories.plan_session(crowd, class_id)
    marks = {good: "ATTENDED", bad: "OTHER", "tidak-ada": "SICK"}
    report = await factories.mark(crowd, session_id, **marks)
    assert report.status_code == 200
    assert read_outcomes(report) == {
        good: ("applied", []),
        bad: ("refused", ["text_needed"]),
        "tidak-ada": ("refused", ["not_in_session"]),
    }
    assert report.json()["counts"] == {"applied": 1, "repeated": 0, "refused": 2}
    records = await factories.read_attendance(crowd, session_id)
    assert records[f"{good}/1"] == ("MARKED", "ATTENDED")
    assert (await crowd.officer.get(f"/v1/sessions/{session_id}")).json()["state"] == "HELD"
