"""What movements and snapshots do to enrolments, seats, attendance and applications."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories

RELEASED = {"Ket. Keluar": "BM", "Tanggal Keluar": f"{factories.local_today():%d/%m/%Y}"}


WITH_APPLICATION = {"tpp_required": False, "application_required": True}


@pytest.mark.scenario("T1")
async def test_a_release_ends_everything_of_that_person_and_nothing_else(
    service: AsgiClient,
) -> None:
    person = new_id()
    other = new_id()
    facility = await factories.create_harness(service, [person, other])
    class_a = await factories.open_class(facility)
    class_b = await factories.open_class(facility, starts_in=14)
    class_c = await factories.open_class(
        facility,
        programme_id=await factories.publish_programme(service, eligibility=WITH_APPLICATION),
        starts_in=20,
    )
    in_a = await factories.enrol(facility, class_a, person)
    in_b = await factories.enrol(facility, class_b, person)
    other_in_a = await factories.enrol(facility, class_a, other)
    applied = await facility.officer.post(
        "/v1/class-applications",
        json={"participant_ref": facility.refs[person], "class_ids": [class_c]},
    )
    application_id = applied.json()["applications"][0]["application_id"]
    early = await factories.plan_session(facility, class_a)
    late = await factories.plan_session(facility, class_a, in_days=2, starts_at="08:00")
    held_too = await factories.plan_session(facility, class_a, starts_at="00:01")
    await factories.mark(facility, early, **{in_a: "ATTENDED", other_in_a: "ATTENDED"})
    await factories.mark(facility, held_too, **{in_a: "SICK"})
    audit_before = await factories.database(service).count("audit", {})
    facility.move_to_today()
    snapshot = await facility.list_again(**{person: RELEASED})

    assert snapshot["released_by_kind"] == {"free": 1}
    assert [
        (
            (await factories.read_enrolment(facility, enrolment_id))["state"],
            (await factories.read_enrolment(facility, enrolment_id))["end_reason"],
        )
        for enrolment_id in (in_a, in_b)
    ] == [("ENDED", "RELEASED")] * 2
    assert (
        await factories.read_seats_taken(facility, class_a),
        await factories.read_seats_taken(facility, class_b),
    ) == (1, 0)
    assert await factories.read_attendance(facility, early, held_too, late) == {
        f"{in_a}/1": ("MARKED", "ATTENDED"),
        f"{other_in_a}/1": ("MARKED", "ATTENDED"),
        f"{in_a}/2": ("MARKED", "SICK"),
        f"{other_in_a}/3": ("WAITING", None),
    }
    application = (await facility.officer.get(f"/v1/class-applications/{application_id}")).json()
    assert (application["state"], application["reason"]) == ("REMOVED", "RELEASED")
    assert (await factories.read_enrolment(facility, other_in_a))["state"] == "ACTIVE"

    published = [
        row
        for row in await factories.list_events(service, facility.refs[person])
        if row["type"].split(".")[1].startswith(("participant-released", "participant-withdrawn"))
    ]
    assert [row["type"] for row in published] == [
        "training.participant-released.v1",
        "training.participant-withdrawn.v1",
        "training.participant-withdrawn.v1",
    ]
    assert '"attended_minutes":240' in published[1]["body"]
    assert "participant-withdrawn" not in await factories.list_event_types(
        service, facility.refs[other]
    )
    subjects = {facility.refs[person], in_a, in_b, application_id}
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
    versions = [
        (await factories.read_enrolment(facility, enrolment_id))["version"]
        for enrolment_id in (in_a, in_b)
    ]
    facility.move_to_today()
    await facility.list_again(**{other: {"Kamar": "C3"}})
    assert [
        (await factories.read_enrolment(facility, enrolment_id))["version"]
        for enrolment_id in (in_a, in_b)
    ] == versions


@pytest.mark.scenario("T4/policies")
@pytest.mark.parametrize(
    ("policy", "state", "seats"), [("END", "ENDED", 0), ("SUSPEND", "AUTO_SUSPENDED", 1)]
)
async def test_a_transfer_ends_or_suspends_enrolments_by_the_policy(
    service: AsgiClient, policy: str, state: str, seats: int
) -> None:
    person = new_id()
    left = await factories.create_harness(service, [person], transfer_policy=policy)
    received = await factories.create_harness(service, [new_id()])
    class_id = await factories.open_class(left)
    enrolment_id = await factories.enrol(left, class_id, person)
    await factories.mark(
        left, await factories.plan_session(left, class_id), **{enrolment_id: "ATTENDED"}
    )
    moved_on = f"{received.taken_at + timedelta(days=1):%d/%m/%Y}"
    snapshot = await received.list_again(**{person: {"Tanggal Masuk": moved_on}})
    assert snapshot["counts"]["transferred"] == 1
    enrolment = await factories.read_enrolment(left, enrolment_id)
    assert (enrolment["state"], await factories.read_seats_taken(left, class_id)) == (state, seats)
    ref = received.refs[person]
    assert ref == left.refs[person]
    published = [
        row for row in await factories.list_events(service, ref) if "withdrawn" in row["type"]
    ]
    assert [
        ('"reason":"TRANSFERRED"' in row["body"], '"attended_minutes":240' in row["body"])
        for row in published
    ] == ([(True, True)] if policy == "END" else [])
    if policy == "SUSPEND":
        back = await left.list_again(**{person: {"Tanggal Masuk": moved_on, "Kamar": "K1"}})
        assert back["counts"].get("transferred", 0) == 0
        assert (await factories.read_enrolment(left, enrolment_id))["state"] == "AUTO_SUSPENDED"


async def test_a_release_date_that_blocks_an_enrolment_opens_a_task(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    enrolment_id = await factories.enrol(facility, await factories.open_class(facility), person)
    await facility.list_again(
        **{person: {"Ekspirasi": f"{factories.local_today():%d/%m/%Y}", "2/3": ""}}
    )
    (task,) = await factories.list_all(facility.officer, "/v1/training-tasks", kind="NEW_BLOCK")
    assert (
        task["facts"]["code"],
        task["role"],
        (await factories.read_enrolment(facility, enrolment_id))["state"],
    ) == ("RELEASE_BEFORE_CLASS_END", "training_officer", "ACTIVE")


@pytest.mark.scenario("T26/effects")
async def test_a_missing_person_is_suspended_until_listed_again(
    service: AsgiClient,
) -> None:
    ref = new_id()
    facility = await factories.create_harness(service, [ref, *[new_id() for _ in range(10)]])
    enrolment_id = await factories.enrol(facility, await factories.open_class(facility), ref)
    row = dict(facility.people[ref])

    async def read_states() -> tuple[str, str, list[str]]:
        tasks = await factories.list_all(facility.officer, "/v1/training-tasks", kind="MISSING")
        return (
            (await factories.read_person(facility, ref))["state"],
            (await facility.officer.get(f"/v1/enrolments/{enrolment_id}")).json()["state"],
            [task["state"] for task in tasks],
        )

    await facility.list_again(**{ref: None})
    assert await read_states() == ("missing", "AUTO_SUSPENDED", [])
    await facility.list_again(**{next(iter(facility.people)): {"Kamar": "Z1"}})
    assert await read_states() == ("missing", "AUTO_SUSPENDED", [])
    await facility.list_again(**{next(iter(facility.people)): {"Kamar": "Z2"}})
    assert await read_states() == ("missing", "AUTO_SUSPENDED", ["OPEN"])
    await facility.list_again(**{ref: row})
    assert await read_states() == ("held", "ACTIVE", ["RESOLVED"])
    types = await factories.list_event_types(service, facility.refs[ref])
    assert types == [
        "participant-admitted",
        "release-planned",
        "participant-enrolled",
        "enrolment-suspended",
        "enrolment-resumed",
    ]
