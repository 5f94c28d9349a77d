"""What movements and snapshots do to enrolments, seats, attendance and applications."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import Evidence, set_clock
from tests.training.snapshot_files import snapshot_file

RELEASED = {"Ket. Keluar": "BM", "Tanggal Keluar": f"{factories.local_today():%d/%m/%Y}"}


WITH_APPLICATION = {"tpp_required": False, "application_required": True}


@pytest.fixture
async def at_yesterday(service: AsgiClient) -> AsyncIterator[AsgiClient]:
    """Stop the clock yesterday at nine."""
    clock = service.app.state.engine.clock
    set_clock(service, -1, "09:00")
    yield service
    service.app.state.engine.clock = clock


@pytest.mark.scenario("T1")
@pytest.mark.timeout(300)
async def test_a_release_ends_everything_of_that_person_and_nothing_else(
    at_yesterday: AsgiClient,
) -> None:
    service = at_yesterday
    person = new_id()
    other = new_id()
    facility = await factories.create_harness(service, [person, other])
    ref = facility.refs[person]
    class_a = await factories.open_class(facility, starts_in=-1)
    class_b = await factories.open_class(facility, starts_in=14)
    class_c = await factories.open_class(
        facility,
        programme_id=await factories.publish_programme(service, eligibility=WITH_APPLICATION),
        starts_in=20,
    )
    in_a = await factories.enrol(facility, class_a, person)
    in_b = await factories.enrol(facility, class_b, person)
    other_in_a = await factories.enrol(facility, class_a, other)
    form = (await factories.apply(facility, person, class_c)).json()
    application_id = form["applications"][0]["application_id"]
    sessions = [
        await factories.plan_session(facility, class_a, in_days=day, starts_at=clock)
        for day, clock in ((-1, "08:00"), (0, "08:00"), (0, "13:00"), (2, "08:00"))
    ]
    await factories.mark(facility, sessions[0], **{in_a: "ATTENDED", other_in_a: "ATTENDED"})
    set_clock(service, 0, "10:00")
    await factories.mark(facility, sessions[1], **{in_a: "SICK"})
    evidence = Evidence(service)
    await evidence.skip()
    facility.taken_at = service.app.state.engine.clock() - timedelta(days=1)
    snapshot = await facility.list_again(**{person: RELEASED})

    assert snapshot["counts"] == {"released": 1}
    assert snapshot["released_by_kind"] == {"free": 1}
    assert await evidence.read_events() == [
        f"participant-released {ref}",
        f"participant-withdrawn {ref}",
        f"participant-withdrawn {ref}",
    ]
    changes = await evidence.read_changes()
    assert set(changes.values()) == {1}
    removed = {each for each in changes if each.startswith("attendance.removed")}
    assert len(removed) == 2
    assert {each for each in changes if not each.startswith(("attendance", "movements"))} == {
        f"participants.changed {ref}",
        f"enrolments.changed {in_a}",
        f"enrolments.changed {in_b}",
        f"class_seats.changed {class_a}",
        f"class_seats.changed {class_b}",
        f"class_applications.changed {application_id}",
    }
    ended = [await factories.read_enrolment(facility, each) for each in (in_a, in_b)]
    assert [(each["state"], each["end_reason"]) for each in ended] == [("ENDED", "RELEASED")] * 2
    assert await factories.count_taken(facility, class_a) == (1, 1)
    assert await factories.count_taken(facility, class_b) == (0, 0)
    assert await factories.read_attendance(facility, *sessions) == {
        f"{in_a}/1": ("MARKED", "ATTENDED"),
        f"{other_in_a}/1": ("MARKED", "ATTENDED"),
        f"{in_a}/2": ("MARKED", "SICK"),
        f"{other_in_a}/2": ("WAITING", None),
        f"{other_in_a}/3": ("WAITING", None),
        f"{other_in_a}/4": ("WAITING", None),
    }
    application = await factories.read_application(facility, application_id)
    assert (application["state"], application["reason"]) == ("REMOVED", "RELEASED")
    assert (await factories.read_enrolment(facility, other_in_a))["state"] == "ACTIVE"
    withdrawn = [
        row["body"]
        for row in await factories.list_events(service, ref)
        if "withdrawn" in row["type"]
    ]
    assert sorted('"attended_minutes":240' in body for body in withdrawn) == [False, True]

    await evidence.skip()
    later = (facility.taken_at + timedelta(minutes=5)).isoformat()
    for number, outcome in ((str(facility.taken_at.date()), True), ("again", False)):
        data = snapshot_file(facility.facility_id, facility.people, number)
        again = await factories.upload(service, facility.facility_id, data, later)
        assert (again["duplicate"], again["state"]) == (outcome, "APPLIED")
        assert (await evidence.read_events(), await evidence.read_changes()) == ([], Counter())
    assert again["counts"] == {}


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
