"""From a wish to a completed course over HTTP: applications, hearings, attendance, completion."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient, not_four_eyes
from tests.training import factories
from tests.training.factories import Place

BY_DECISION = {"tpp_required": True, "application_required": True}
BY_WISH = {"tpp_required": False, "application_required": True}


@pytest.fixture(scope="module")
async def crowd(service: AsgiClient) -> Place:
    """A facility with twenty people; every test has classes of its own."""
    return await factories.place(service, [new_id() for _ in range(20)])


async def apply(place: Place, source_ref: str, *class_ids: str) -> Any:
    return await place.officer.post(
        "/v1/class-applications",
        json={"participant_ref": place.refs[source_ref], "class_ids": list(class_ids)},
    )


async def hearing(place: Place, programme_id: str, verdicts: dict[str, str], **said: Any) -> Any:
    results = [
        {
            "participant_ref": place.refs[ref],
            "verdict": verdict,
            "reason": "" if verdict == "RECOMMENDED" else "alasan",
        }
        for ref, verdict in verdicts.items()
    ]
    body = {
        "facility_id": place.facility_id,
        "hearing_on": str(factories.today()),
        "scope": "programme",
        "scope_ref": programme_id,
        "results": results,
        "document_ref": "TPP/2026/1",
    }
    return await place.officer.post("/v1/tpp-decisions", json=body | said)


async def application(place: Place, application_id: str) -> dict[str, Any]:
    return (await place.officer.get(f"/v1/class-applications/{application_id}")).json()


# T7


@pytest.mark.scenario("T7")
async def test_an_approved_wish_becomes_a_seat_and_a_waiting_one_blocks(crowd: Place) -> None:
    programme_id = await factories.programme(crowd.client, eligibility=BY_DECISION)
    class_id = await factories.open_class(crowd, programme_id=programme_id)
    p = next(iter(crowd.people))
    made = (await apply(crowd, p, class_id)).json()
    application_id = made["applications"][0]["application_id"]
    seat = {"class_id": class_id, "participant_ref": crowd.refs[p]}
    assert (await crowd.officer.post("/v1/enrolments", json=seat)).json()["reasons"] == [
        "TPP_MISSING"
    ]
    decided = await hearing(crowd, programme_id, {p: "RECOMMENDED"})
    assert (await application(crowd, application_id))["state"] == "APPROVED"
    enrolment = (await crowd.officer.post("/v1/enrolments", json=seat)).json()
    done = await application(crowd, application_id)
    assert (done["state"], done["enrolment_id"], enrolment["application_id"]) == (
        "ALLOCATED",
        enrolment["enrolment_id"],
        application_id,
    )
    assert done["decision_id"] == decided.json()["decision_id"]
    assert (await crowd.officer.post("/v1/enrolments", json=seat)).json()["reasons"] == [
        "ALREADY_ENROLLED"
    ]
    pending = await factories.open_class(
        crowd, programme_id=await factories.programme(crowd.client, eligibility=BY_WISH)
    )
    await apply(crowd, p, pending)
    assert (await crowd.officer.post("/v1/enrolments", json=seat | {"class_id": pending})).json()[
        "code"
    ] == "application_pending"
    unwished = await factories.open_class(
        crowd, programme_id=await factories.programme(crowd.client, eligibility=BY_WISH)
    )
    assert (await crowd.officer.post("/v1/enrolments", json=seat | {"class_id": unwished})).json()[
        "code"
    ] == "application_needed"


@pytest.mark.scenario("T7")
async def test_a_form_is_refused_whole_when_it_names_none_too_many_or_one_class_twice(
    crowd: Place,
) -> None:
    classes = [await factories.open_class(crowd) for _ in range(6)]
    p = list(crowd.people)[1]
    assert [
        (await apply(crowd, p, *chosen)).json()["code"]
        for chosen in (classes, [], [classes[0], classes[0]])
    ] == ["too_many_classes", "too_many_classes", "class_repeated"]
    assert (
        await factories.database(crowd.client).count(
            "class_applications", {"participant_ref": crowd.refs[p]}
        )
        == 0
    )
    assert (await apply(crowd, p, *classes[:5])).status_code == 201
    twice = await apply(crowd, p, classes[5], classes[0])
    assert (twice.status_code, twice.json()["code"], twice.json()["class_id"]) == (
        409,
        "already_applied",
        classes[0],
    )
    assert (
        await factories.database(crowd.client).count(
            "class_applications", {"participant_ref": crowd.refs[p]}
        )
        == 5
    )
    draft = await crowd.officer.post(
        "/v1/classes",
        json={
            "facility_id": crowd.facility_id,
            "programme_id": await factories.programme(crowd.client),
            "batch_no": "9",
            "starts_on": "2030-01-01",
            "ends_on": "2030-02-01",
            "seats_total": 5,
        },
    )
    assert (await apply(crowd, p, draft.json()["class_id"])).json()["code"] == "class_not_open"


@pytest.mark.scenario("T7")
async def test_a_withdrawn_wish_comes_back_only_as_submitted_and_not_past_a_newer_one(
    crowd: Place,
) -> None:
    class_id = await factories.open_class(crowd)
    p = list(crowd.people)[2]
    first = (await apply(crowd, p, class_id)).json()["applications"][0]["application_id"]
    withdrawal, back = (
        f"/v1/class-applications/{first}/withdrawal",
        f"/v1/class-applications/{first}/resubmission",
    )
    assert (await crowd.officer.post(back)).json()["code"] == "step_refused"
    assert (await crowd.officer.post(withdrawal, json={"reason": "ingin kelas lain"})).json()[
        "state"
    ] == "WITHDRAWN"
    assert (await crowd.officer.post(back)).json()["state"] == "SUBMITTED"
    assert (await crowd.officer.post(withdrawal, json={})).json()["state"] == "WITHDRAWN"
    assert (await apply(crowd, p, class_id)).status_code == 201
    locked = await crowd.officer.post(back)
    assert (locked.status_code, locked.json()["code"]) == (409, "newer_exists")
    submitted = [
        kind
        for kind in await factories.types_of(crowd.client, crowd.refs[p])
        if kind == "application-submitted"
    ]
    assert len(submitted) == 3


async def test_two_forms_at_once_for_one_class_give_one_wish(crowd: Place) -> None:
    class_id = await factories.open_class(crowd)
    p = list(crowd.people)[3]
    answers = await asyncio.gather(*(apply(crowd, p, class_id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert (
        await factories.database(crowd.client).count(
            "class_applications", {"participant_ref": crowd.refs[p], "live": True}
        )
        == 1
    )


# T24


@pytest.mark.scenario("T24")
async def test_one_hearing_decides_nine_and_reports_the_one_who_withdrew(
    service: AsgiClient,
) -> None:
    place = await factories.place(service, [new_id() for _ in range(10)])
    class_id = await factories.open_class(
        place, programme_id=await factories.programme(service, eligibility=BY_DECISION)
    )
    wishes = {
        ref: (await apply(place, ref, class_id)).json()["applications"][0]["application_id"]
        for ref in place.people
    }
    gone = list(place.people)[4]
    await place.officer.post(f"/v1/class-applications/{wishes[gone]}/withdrawal", json={})
    verdicts = {
        ref: "NOT_RECOMMENDED" if index == 0 else "DEFERRED" if index == 1 else "RECOMMENDED"
        for index, ref in enumerate(place.people)
    }
    decided = (await hearing(place, "", verdicts, scope="class", scope_ref=class_id)).json()
    states = [(await application(place, wishes[ref]))["state"] for ref in place.people]
    assert states == [
        "DECLINED",
        "DEFERRED",
        "APPROVED",
        "APPROVED",
        "WITHDRAWN",
        *["APPROVED"] * 5,
    ]
    assert decided["not_applied"] == [place.refs[gone]]
    (item,) = await factories.everything(
        place.officer, "/v1/training-tasks", kind="DECISION_NOT_APPLIED"
    )
    assert item["participant_ref"] == place.refs[gone]
    deferred = list(place.people)[1]
    assert (
        await place.officer.post(f"/v1/class-applications/{wishes[deferred]}/resubmission")
    ).json()["state"] == "SUBMITTED"
    unreasoned = await place.officer.post(
        "/v1/tpp-decisions",
        json={
            "facility_id": place.facility_id,
            "hearing_on": str(factories.today()),
            "scope": "class",
            "scope_ref": class_id,
            "results": [{"participant_ref": place.refs[deferred], "verdict": "DEFERRED"}],
            "document_ref": "x",
        },
    )
    assert (unreasoned.status_code, unreasoned.json()["code"]) == (422, "reason_needed")


@pytest.mark.scenario("T24")
async def test_where_the_head_must_approve_a_decision_counts_only_from_then_on(
    service: AsgiClient,
) -> None:
    p = new_id()
    place = await factories.place(service, [p], head_approval_required=True)
    programme_id = await factories.programme(service, eligibility=BY_DECISION)
    class_id = await factories.open_class(place, programme_id=programme_id)
    wish = (await apply(place, p, class_id)).json()["applications"][0]["application_id"]
    decision = (
        await hearing(
            replace(place, officer=place.officer.by("perekam", "kasi")),
            programme_id,
            {p: "RECOMMENDED"},
        )
    ).json()
    seat = {"class_id": class_id, "participant_ref": place.refs[p]}
    assert ((await application(place, wish))["state"], decision["in_force"]) == ("SUBMITTED", False)
    assert (await place.officer.post("/v1/enrolments", json=seat)).json()["reasons"] == [
        "TPP_NOT_APPROVED"
    ]
    for hand in not_four_eyes("perekam", "kasi"):
        deputy = factories.officer(service, place.facility_id, "head").by(*hand)
        told = await deputy.post(f"/v1/tpp-decisions/{decision['decision_id']}/head-approval")
        assert (told.status_code, told.json()["code"]) == (422, "same_person_approves"), hand
    head = factories.officer(service, place.facility_id, "head", "kalapas")
    approved = await head.post(f"/v1/tpp-decisions/{decision['decision_id']}/head-approval")
    assert (approved.json()["in_force"], (await application(place, wish))["state"]) == (
        True,
        "APPROVED",
    )
    assert (await place.officer.post("/v1/enrolments", json=seat)).status_code == 201
    assert (await head.post(f"/v1/tpp-decisions/{decision['decision_id']}/head-approval")).json()[
        "code"
    ] == "approval_not_needed"


@pytest.mark.parametrize(
    ("verdict", "told"), [("RECOMMENDED", [True]), ("NOT_RECOMMENDED", [False]), ("DEFERRED", [])]
)
async def test_a_decision_on_work_tells_whether_the_person_may_be_given_work(
    crowd: Place, verdict: str, told: list[bool]
) -> None:
    p = list(crowd.people)[5]
    before = len(await factories.events_of(crowd.client, crowd.refs[p]))
    assert (
        await hearing(
            crowd,
            "",
            {p: verdict},
            scope="work",
            valid_until=str(factories.today() + timedelta(days=90)),
        )
    ).status_code == 201
    new = (await factories.events_of(crowd.client, crowd.refs[p]))[before:]
    assert [(row["type"], json.loads(row["body"])["eligible"]) for row in new] == [
        ("training.work-eligibility-decided.v1", eligible) for eligible in told
    ]


async def test_a_decision_that_names_somebody_of_another_facility_is_refused_whole(
    crowd: Place,
) -> None:
    other = await factories.place(crowd.client, [new_id()])
    p = list(crowd.people)[6]
    results = [
        {"participant_ref": ref, "verdict": "RECOMMENDED"}
        for ref in (crowd.refs[p], next(iter(other.refs.values())))
    ]
    body = {
        "facility_id": crowd.facility_id,
        "hearing_on": str(factories.today()),
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
        await factories.database(crowd.client).find_one("tpp_standings", {"_id": crowd.refs[p]})
        is None
    )
    future = await crowd.officer.post(
        "/v1/tpp-decisions",
        json=body
        | {"results": results[:1], "hearing_on": str(factories.today() + timedelta(days=1))},
    )
    assert (future.json()["code"], future.json()["field"]) == ("hearing_in_future", "hearing_on")


# Attendance


async def test_marks_from_paper_and_device_make_one_record_each_and_a_contradiction_is_asked_about(
    crowd: Place,
) -> None:
    class_id = await factories.open_class(crowd)
    enrolment_id = await factories.enrolled(crowd, class_id, list(crowd.people)[7])
    session_id = await factories.session(crowd, class_id)
    first = {"reason": "ATTENDED_PART", "minutes": 90, "client_id": "d1-1"}
    held = await factories.marked(crowd, session_id, **{enrolment_id: first})
    assert held.json()["state"] == "HELD"
    await factories.marked(crowd, session_id, **{enrolment_id: first})
    assert not [
        item
        for item in await factories.everything(
            crowd.officer, "/v1/training-tasks", kind="MARK_CONFLICT"
        )
        if item["facts"]["session_id"] == session_id
    ]
    await factories.marked(
        crowd, session_id, **{enrolment_id: {"reason": "SICK", "client_id": "d2-1"}}
    )
    (item,) = [
        item
        for item in await factories.everything(
            crowd.officer, "/v1/training-tasks", kind="MARK_CONFLICT"
        )
        if item["facts"]["session_id"] == session_id
    ]
    assert (item["facts"]["stands"], item["facts"]["refused"]) == ("ATTENDED_PART", "SICK")
    (record,) = await factories.everything(crowd.officer, f"/v1/sessions/{session_id}/attendance")
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
    told = [
        kind
        for kind in await factories.types_of(crowd.client, crowd.refs[list(crowd.people)[7]])
        if kind == "attendance-recorded"
    ]
    assert len(told) == 1
    assert [row["type"] for row in await factories.events_of(crowd.client, class_id)] == [
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
    crowd: Place, mark: dict[str, Any], code: str, field: str
) -> None:
    class_id = await factories.open_class(crowd)
    enrolment_id = await factories.enrolled(crowd, class_id, list(crowd.people)[8])
    session_id = await factories.session(crowd, class_id)
    refused = await factories.marked(crowd, session_id, **{enrolment_id: mark})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        422,
        code,
        field,
    )
    assert (await crowd.officer.get(f"/v1/sessions/{session_id}")).json()["state"] == "PLANNED"


async def test_nobody_is_marked_before_a_session_begins_nor_outside_their_class(
    crowd: Place,
) -> None:
    class_id, other = await factories.open_class(crowd), await factories.open_class(crowd)
    p = list(crowd.people)[9]
    enrolment_id, elsewhere = (
        await factories.enrolled(crowd, class_id, p),
        await factories.enrolled(crowd, other, p),
    )
    tomorrow = await factories.session(crowd, class_id, in_days=1, starts_at="08:00")
    assert (await factories.marked(crowd, tomorrow, **{enrolment_id: "ATTENDED"})).json()[
        "code"
    ] == "session_not_begun"
    session_id = await factories.session(crowd, class_id)
    assert (await factories.marked(crowd, session_id, **{elsewhere: "ATTENDED"})).json()[
        "code"
    ] == "not_in_session"
    twice = await crowd.officer.post(
        f"/v1/classes/{class_id}/sessions",
        json={"held_on": str(factories.today()), "starts_at": "00:00", "minutes": 60},
    )
    assert (twice.status_code, twice.json()["code"]) == (409, "session_exists")
    outside = await crowd.officer.post(
        f"/v1/classes/{class_id}/sessions",
        json={"held_on": "2020-01-01", "starts_at": "08:00", "minutes": 60},
    )
    assert (outside.json()["code"], outside.json()["field"]) == ("session_outside_class", "held_on")


# T28


@pytest.mark.scenario("T28")
async def test_two_confirmations_at_once_complete_once_and_tell_who_taught(crowd: Place) -> None:
    rule = {"required_parts": ["praktik"], "instructor_confirmation": True}
    programme_id = await factories.programme(
        crowd.client, completion=rule, provider_neutral_name="Balai Latihan Bahari"
    )
    class_id = await factories.open_class(
        crowd, programme_id=programme_id, instructor_refs=["instruktur-7"], seats=1
    )
    p = list(crowd.people)[12]
    enrolment_id = await factories.enrolled(crowd, class_id, p)
    name = f"/v1/enrolments/{enrolment_id}/completion"
    await factories.marked(
        crowd, await factories.session(crowd, class_id), **{enrolment_id: "ATTENDED"}
    )
    await crowd.officer.post(
        f"/v1/enrolments/{enrolment_id}/results",
        json={"part": "praktik", "passed": False, "score": 50, "assessor_ref": "instruktur-7"},
    )
    not_yet = await crowd.officer.post(name, json={})
    assert (not_yet.status_code, not_yet.json()["code"], not_yet.json()["reasons"]) == (
        422,
        "not_yet_complete",
        ["PART_NOT_PASSED", "NOT_CONFIRMED"],
    )
    shown = (await crowd.officer.get(name)).json()
    assert (
        [one["code"] for one in shown["missing"]],
        shown["parts_missing"],
        shown["held_minutes"],
    ) == (["PART_NOT_PASSED"], ["praktik"], 240)
    await crowd.officer.post(
        f"/v1/enrolments/{enrolment_id}/results",
        json={"part": "praktik", "passed": True, "score": 80, "assessor_ref": "instruktur-7"},
    )
    assert (await crowd.officer.post(name, json={"instructor_ref": "orang-lain"})).json()[
        "field"
    ] == "instructor_ref"
    answers = await asyncio.gather(
        *(crowd.officer.post(name, json={"instructor_ref": "instruktur-7"}) for _ in range(2))
    )
    assert sorted((answer.status_code, answer.json().get("code", "")) for answer in answers) == [
        (200, ""),
        (409, "already_completed"),
    ]
    (event,) = [
        json.loads(row["body"])
        for row in await factories.events_of(crowd.client, crowd.refs[p])
        if "course-completed" in row["type"]
    ]
    assert event == {
        "participant_ref": crowd.refs[p],
        "enrolment_id": enrolment_id,
        "class_id": class_id,
        "programme_id": programme_id,
        "programme_version": 1,
        "title": "Pengolahan Hasil Laut",
        "units": [{"code": "A.1", "title": "Membersihkan ikan"}],
        "scheme_ref": "SKEMA-1",
        "provider_neutral_name": "Balai Latihan Bahari",
        "lesson_hours": 16,
        "attended_minutes": 240,
        "completed_on": str(factories.today()),
        "instructor_refs": ["instruktur-7"],
    }
    assert (await crowd.officer.get(f"/v1/classes/{class_id}")).json()["seats"]["seats_taken"] == 0
    assert (await crowd.officer.get(f"/v1/enrolments/{enrolment_id}")).json()[
        "state"
    ] == "COMPLETED"


@pytest.mark.scenario("T28")
async def test_a_class_keeps_the_rule_of_its_edition_when_a_stricter_one_is_published(
    crowd: Place,
) -> None:
    programme_id = await factories.programme(crowd.client, completion={"min_attended_bps": 3_000})
    class_id = await factories.open_class(crowd, programme_id=programme_id)
    enrolment_id = await factories.enrolled(crowd, class_id, list(crowd.people)[13])
    body = {
        "title": "Edisi 2",
        "units": [{"code": "A.1", "title": "x"}],
        "lesson_hours": 20,
        "completion": {"min_attended_bps": 10_000},
    }
    assert (
        await factories.administrator(crowd.client).post(
            f"/v1/programmes/{programme_id}/editions", json=body
        )
    ).json()["editions"][1]["number"] == 2
    await factories.marked(
        crowd,
        await factories.session(crowd, class_id),
        **{enrolment_id: {"reason": "ATTENDED_PART", "minutes": 80}},
    )
    done = await crowd.officer.post(f"/v1/enrolments/{enrolment_id}/completion", json={})
    assert (done.status_code, done.json()["edition"]) == (200, 1)


async def test_closing_a_class_leaves_no_seat_taken_and_says_who_did_not_complete(
    crowd: Place,
) -> None:
    class_id = await factories.open_class(crowd)
    enrolment_id = await factories.enrolled(crowd, class_id, list(crowd.people)[14])
    assert (await crowd.officer.post(f"/v1/classes/{class_id}/closing")).json()[
        "code"
    ] == "class_state_refuses"
    assert (await crowd.officer.post(f"/v1/classes/{class_id}/start")).json()["state"] == "RUNNING"
    assert (await crowd.officer.post(f"/v1/classes/{class_id}/closing")).json()["state"] == "CLOSED"
    shown = (await crowd.officer.get(f"/v1/enrolments/{enrolment_id}")).json()
    seats = (await crowd.officer.get(f"/v1/classes/{class_id}")).json()["seats"]["seats_taken"]
    assert (shown["state"], seats) == ("NOT_COMPLETED", 0)


async def test_cancelling_a_class_removes_its_wishes_and_seats_once(crowd: Place) -> None:
    class_id = await factories.open_class(crowd)
    p, q = list(crowd.people)[15:17]
    enrolment_id = await factories.enrolled(crowd, class_id, p)
    wish = (await apply(crowd, q, class_id)).json()["applications"][0]["application_id"]
    cancelled = await crowd.officer.post(
        f"/v1/classes/{class_id}/cancellation", json={"reason": "instruktur berhalangan"}
    )
    assert cancelled.json()["state"] == "CANCELLED"
    assert (await crowd.officer.get(f"/v1/enrolments/{enrolment_id}")).json()[
        "end_reason"
    ] == "CLASS_CANCELLED"
    assert (await application(crowd, wish))["state"] == "REMOVED"
    again = await crowd.officer.post(
        f"/v1/classes/{class_id}/cancellation", json={"reason": "sekali lagi"}
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
    crowd: Place, change: dict[str, Any], code: str, field: str | None
) -> None:
    body = {
        "facility_id": crowd.facility_id,
        "programme_id": await factories.programme(crowd.client),
        "batch_no": "1",
        "starts_on": "2027-01-01",
        "ends_on": "2027-02-01",
        "seats_total": 5,
    }
    refused = await crowd.officer.post("/v1/classes", json=body | change)
    assert (refused.json()["code"], refused.json().get("field")) == (code, field)
    assert refused.status_code in {404, 422}
