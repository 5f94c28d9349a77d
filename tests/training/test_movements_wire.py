"""What movements, merges and lists do to enrolments, seats, attendance and applications, in one transaction each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.factories import Place

RELEASED = {"Ket. Keluar": "BM", "Tanggal Keluar": f"{factories.today():%d/%m/%Y}"}
PLAIN = {"tpp_required": False, "application_required": True}


async def state_of(place: Place, enrolment_id: str) -> dict[str, Any]:
    return (await place.officer.get(f"/v1/enrolments/{enrolment_id}")).json()


async def seats_of(place: Place, class_id: str) -> int:
    return (await place.officer.get(f"/v1/classes/{class_id}")).json()["seats"]["seats_taken"]


async def attendance_of(place: Place, *sessions: str) -> dict[str, tuple[str, str | None]]:
    """{enrolment/session number: (state, reason)} of the sessions."""
    found: dict[str, tuple[str, str | None]] = {}
    for number, session_id in enumerate(sessions, 1):
        for record in await factories.everything(
            place.officer, f"/v1/sessions/{session_id}/attendance"
        ):
            found[f"{record['enrolment_id']}/{number}"] = (record["state"], record["reason"])
    return found


@pytest.mark.scenario("T1")
async def test_a_permanent_release_ends_everything_of_that_person_and_nothing_of_others(
    service: AsgiClient,
) -> None:
    p, q = new_id(), new_id()
    place = await factories.place(service, [p, q])
    class_a, class_b = (
        await factories.open_class(place),
        await factories.open_class(place, starts_in=14),
    )
    class_c = await factories.open_class(
        place, programme_id=await factories.programme(service, eligibility=PLAIN), starts_in=20
    )
    in_a, in_b, q_in_a = (
        await factories.enrolled(place, class_a, p),
        await factories.enrolled(place, class_b, p),
        await factories.enrolled(place, class_a, q),
    )
    applied = await place.officer.post(
        "/v1/class-applications", json={"participant_ref": place.refs[p], "class_ids": [class_c]}
    )
    application_id = applied.json()["applications"][0]["application_id"]
    early, late = (
        await factories.session(place, class_a),
        await factories.session(place, class_a, in_days=2, starts_at="08:00"),
    )
    held_too = await factories.session(place, class_a, starts_at="00:01")
    await factories.marked(place, early, **{in_a: "ATTENDED", q_in_a: "ATTENDED"})
    await factories.marked(place, held_too, **{in_a: "SICK"})
    audit_before = await factories.database(service).count("audit", {})
    snapshot = await place.list_again(**{p: RELEASED})

    assert snapshot["released_by_kind"] == {"free": 1}
    assert [
        ((await state_of(place, one))["state"], (await state_of(place, one))["end_reason"])
        for one in (in_a, in_b)
    ] == [("ENDED", "RELEASED")] * 2
    assert (await seats_of(place, class_a), await seats_of(place, class_b)) == (1, 0)
    assert await attendance_of(place, early, held_too, late) == {
        f"{in_a}/1": ("MARKED", "ATTENDED"),
        f"{q_in_a}/1": ("MARKED", "ATTENDED"),
        f"{in_a}/2": ("MARKED", "SICK"),
        f"{q_in_a}/3": ("WAITING", None),
    }
    application = (await place.officer.get(f"/v1/class-applications/{application_id}")).json()
    assert (application["state"], application["reason"]) == ("REMOVED", "RELEASED")
    assert (await state_of(place, q_in_a))["state"] == "ACTIVE"

    told = [
        row
        for row in await factories.events_of(service, place.refs[p])
        if row["type"].split(".")[1].startswith(("participant-released", "participant-withdrawn"))
    ]
    assert [row["type"] for row in told] == [
        "training.participant-released.v1",
        "training.participant-withdrawn.v1",
        "training.participant-withdrawn.v1",
    ]
    assert '"attended_minutes":240' in told[1]["body"]
    assert "participant-withdrawn" not in await factories.types_of(service, place.refs[q])
    subjects = {place.refs[p], in_a, in_b, application_id}
    rows = await factories.database(service).find(
        "audit",
        {
            "subject": {"$in": list(subjects)},
            "action": {"$regex": "changed$"},
            "what": "job:apply-snapshots",
        },
    )
    assert sorted(row["subject"] for row in rows) == sorted(subjects)
    assert await factories.database(service).count("audit", {}) > audit_before
    versions = [(await state_of(place, one))["version"] for one in (in_a, in_b)]
    await place.list_again(**{q: {"Kamar": "C3"}})
    assert [(await state_of(place, one))["version"] for one in (in_a, in_b)] == versions


@pytest.mark.scenario("T3")
async def test_hospital_rests_the_enrolment_cancelled_sessions_stay_so_and_outside_work_is_no_absence_outside(
    service: AsgiClient,
) -> None:
    p = new_id()
    place = await factories.place(service, [p])
    inside = await factories.open_class(place)
    outside = await factories.open_class(
        place,
        programme_id=await factories.programme(
            service,
            outside=True,
            eligibility={"tpp_required": False, "application_required": False},
        ),
    )
    in_inside, in_outside = (
        await factories.enrolled(place, inside, p),
        await factories.enrolled(place, outside, p),
    )
    first, second = (
        await factories.session(place, inside, in_days=1, starts_at="08:00"),
        await factories.session(place, inside, in_days=3, starts_at="08:00"),
    )
    suspension = {
        "since": str(factories.today()),
        "until": str(factories.today()),
        "reason": "panen raya",
    }
    assert (
        await place.officer.post(f"/v1/enrolments/{in_inside}/suspensions", json=suspension)
    ).status_code == 201
    await place.list_again(**{p: {"Keberadaan": "RS"}})
    assert [(await state_of(place, one))["state"] for one in (in_inside, in_outside)] == [
        "AUTO_SUSPENDED",
        "AUTO_SUSPENDED",
    ]
    assert await attendance_of(place, first, second) == {
        f"{in_inside}/1": ("WAITING", "AUTO_SUSPENDED"),
        f"{in_inside}/2": ("WAITING", "AUTO_SUSPENDED"),
    }
    assert (
        await place.officer.post(
            f"/v1/sessions/{first}/cancellation", json={"reason": "listrik padam"}
        )
    ).status_code == 200
    await place.list_again(**{p: {"Keberadaan": ""}})
    assert [(await state_of(place, one))["state"] for one in (in_inside, in_outside)] == [
        "SUSPENDED",
        "ACTIVE",
    ]
    assert (await place.officer.get(f"/v1/sessions/{first}")).json()["state"] == "CANCELLED"
    assert await attendance_of(place, first, second) == {f"{in_inside}/2": ("WAITING", None)}
    await place.list_again(**{p: {"Keberadaan": "Asimilasi luar"}})
    assert [(await state_of(place, one))["state"] for one in (in_inside, in_outside)] == [
        "AUTO_SUSPENDED",
        "ACTIVE",
    ]
    kinds = [
        row["body"]
        for row in await factories.events_of(service, place.refs[p])
        if "absent" in row["type"]
    ]
    assert len(kinds) == 2


@pytest.mark.scenario("T4/policies")
@pytest.mark.parametrize(
    ("policy", "state", "seats"), [("END", "ENDED", 0), ("SUSPEND", "AUTO_SUSPENDED", 1)]
)
async def test_a_transfer_ends_or_rests_enrolments_as_the_facility_left_has_it(
    service: AsgiClient, policy: str, state: str, seats: int
) -> None:
    p = new_id()
    left = await factories.place(service, [p], transfer_policy=policy)
    received = await factories.place(service, [new_id()])
    class_id = await factories.open_class(left)
    enrolment_id = await factories.enrolled(left, class_id, p)
    await factories.marked(
        left, await factories.session(left, class_id), **{enrolment_id: "ATTENDED"}
    )
    moved_on = f"{received.taken_at + timedelta(days=1):%d/%m/%Y}"
    snapshot = await received.list_again(**{p: {"Tanggal Masuk": moved_on}})
    assert snapshot["counts"]["transferred"] == 1
    found = await state_of(left, enrolment_id)
    assert (found["state"], await seats_of(left, class_id)) == (state, seats)
    ref = received.refs[p]
    assert ref == left.refs[p]
    told = [row for row in await factories.events_of(service, ref) if "withdrawn" in row["type"]]
    assert [
        ('"reason":"TRANSFERRED"' in row["body"], '"attended_minutes":240' in row["body"])
        for row in told
    ] == ([(True, True)] if policy == "END" else [])
    if policy == "SUSPEND":
        back = await left.list_again(**{p: {"Tanggal Masuk": moved_on, "Kamar": "K1"}})
        assert back["counts"].get("transferred", 0) == 0
        assert (await state_of(left, enrolment_id))["state"] == "AUTO_SUSPENDED"


@pytest.mark.scenario("T6")
async def test_a_merge_leaves_one_enrolment_one_seat_one_mark_and_an_alias_for_ever(
    service: AsgiClient,
) -> None:
    old, kept = new_id(), new_id()
    place = await factories.place(service, [kept, old], live_from=None)
    class_a = await factories.open_class(place)
    wanted = await factories.open_class(
        place, programme_id=await factories.programme(service, eligibility=PLAIN)
    )
    kept_in_a, old_in_a = (
        await factories.enrolled(place, class_a, kept),
        await factories.enrolled(place, class_a, old),
    )
    session_id = await factories.session(place, class_a)
    await factories.marked(place, session_id, **{kept_in_a: "SICK", old_in_a: "ATTENDED"})
    result = {"part": "praktik", "passed": True, "assessor_ref": "instruktur-1"}
    other = await factories.open_class(place)
    old_in_other = await factories.enrolled(place, other, old)
    assert (
        await place.officer.post(f"/v1/enrolments/{old_in_other}/results", json=result)
    ).status_code == 201
    applied = await place.officer.post(
        "/v1/class-applications", json={"participant_ref": place.refs[old], "class_ids": [wanted]}
    )
    application_id = applied.json()["applications"][0]["application_id"]
    merged_list = await place.list_again(**{old: {"Digabung ke": kept}})

    assert merged_list["counts"] == {"merged": 1}
    assert (
        await seats_of(place, class_a),
        (await state_of(place, kept_in_a))["state"],
        (await state_of(place, old_in_a))["end_reason"],
    ) == (1, "ACTIVE", "MERGED")
    ref = place.refs[kept]
    assert {
        (await state_of(place, one))["participant_ref"]
        for one in (kept_in_a, old_in_a, old_in_other)
    } == {ref}
    assert len((await state_of(place, old_in_other))["results"]) == 1
    assert await attendance_of(place, session_id) == {f"{kept_in_a}/1": ("MARKED", "ATTENDED")}
    (record,) = await factories.everything(place.officer, f"/v1/sessions/{session_id}/attendance")
    assert {change["now"] for change in record["history"]} >= {"SICK", "ATTENDED"}
    assert (await place.officer.get(f"/v1/class-applications/{application_id}")).json()[
        "participant_ref"
    ] == ref
    assert (await place.officer.get(f"/v1/participants/{place.refs[old]}")).json()[
        "participant_ref"
    ] == ref
    merged = [
        row
        for row in await factories.database(service).find(
            "outbox", {"type": "training.participant-merged.v1"}
        )
        if f'"from_ref":"{place.refs[old]}"' in row["body"]
    ]
    assert sorted(row["key"] for row in merged) == sorted((place.refs[old], ref))

    await place.list_again(**{old: {"Digabung ke": kept, "Kamar": "Z9"}})
    await place.list_again(**{old: None})
    again = await factories.database(service).count(
        "outbox", {"type": "training.participant-merged.v1", "key": ref}
    )
    assert again == 1
    assert (
        await place.officer.post(
            f"/v1/participants/{place.refs[old]}/merge", json={"into_ref": ref}
        )
    ).json()["code"] in {"already_merged", "same_participant"}


@pytest.mark.scenario("T6")
async def test_an_officers_merge_moves_items_and_answers_the_proposal(
    service: AsgiClient,
) -> None:
    one, other = new_id(), new_id()
    nik = "9901010503900017"
    place = await factories.place(service, {one: {"NIK": nik}})
    await place.list_again(**{other: {"NIK": nik, "Tgl Lahir": "06/03/1990"}})
    (proposal,) = await factories.everything(
        place.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
    )
    assert (
        proposal["participant_ref"],
        proposal["facts"]["other_ref"],
        proposal["facts"]["differs"],
    ) == (place.refs[other], place.refs[one], "name,birth_date")
    merged = await place.officer.post(
        f"/v1/participants/{place.refs[other]}/merge", json={"into_ref": place.refs[one]}
    )
    assert (merged.status_code, merged.json()["participant_ref"]) == (200, place.refs[one])
    (settled,) = await factories.everything(
        place.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
    )
    assert (settled["state"], settled["resolution"]) == ("RESOLVED", "merged")
    both_listed = await place.list_again(**{other: {"Kamar": "H1"}})
    assert both_listed["counts"] == {}


async def test_a_changed_release_date_that_blocks_a_live_enrolment_is_shown_to_the_officer_and_removes_nobody(
    service: AsgiClient,
) -> None:
    p = new_id()
    place = await factories.place(service, [p])
    enrolment_id = await factories.enrolled(place, await factories.open_class(place), p)
    await place.list_again(**{p: {"Ekspirasi": f"{factories.today():%d/%m/%Y}", "2/3": ""}})
    (item,) = await factories.everything(place.officer, "/v1/training-tasks", kind="NEW_BLOCK")
    assert (
        item["facts"]["code"],
        item["role"],
        (await state_of(place, enrolment_id))["state"],
    ) == ("RELEASE_BEFORE_CLASS_END", "training_officer", "ACTIVE")


async def test_two_facilities_that_list_one_person_ask_once_and_the_question_closes_when_one_stops(
    service: AsgiClient,
) -> None:
    p = new_id()
    here, there = (
        await factories.place(service, [p, *[new_id() for _ in range(10)]]),
        await factories.place(service, [new_id() for _ in range(11)]),
    )
    await there.list_again(**{p: {"Kamar": "Z1"}})
    await there.list_again(**{p: {"Kamar": "Z2"}})
    (item,) = await factories.everything(
        there.officer, "/v1/training-tasks", kind="CUSTODY_CONFLICT"
    )
    assert (item["state"], item["facts"]) == ("OPEN", {"source_ref": p, "also": here.facility_id})
    assert (
        len(await factories.everything(here.officer, "/v1/training-tasks", kind="CUSTODY_CONFLICT"))
        == 1
    )
    await there.list_again(**{p: None})
    (item,) = await factories.everything(
        there.officer, "/v1/training-tasks", kind="CUSTODY_CONFLICT"
    )
    assert (
        item["state"],
        (await here.officer.get(f"/v1/participants/{here.refs[p]}")).json()["facility_id"],
    ) == ("RESOLVED", here.facility_id)


@pytest.mark.scenario("T32")
async def test_two_officers_with_one_version_of_a_class_give_one_change_and_one_refusal(
    service: AsgiClient,
) -> None:
    place = await factories.place(service, [new_id()])
    class_id = await factories.open_class(place, instructor_refs=["i-1"])
    etag = (await place.officer.get(f"/v1/classes/{class_id}")).headers["etag"]
    answers = await asyncio.gather(
        *(
            place.officer.patch(
                f"/v1/classes/{class_id}",
                json={"location": f"ruang {n}"},
                headers={"if-match": etag},
            )
            for n in range(2)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    shown = (await place.officer.get(f"/v1/classes/{class_id}")).json()
    assert (shown["instructor_refs"], shown["batch_no"]) == (["i-1"], "1")
    assert (
        await place.officer.patch(f"/v1/classes/{class_id}", json={"location": "x"})
    ).status_code == 428
