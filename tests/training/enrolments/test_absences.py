"""An absence with a planned suspension inside it: states, attendance, events and audit rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from chassis.ids import new_id
from services.training.enrolments.jobs import publish_suspensions
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.evidence import Evidence, set_clock
from tests.training.factories import FacilityHarness

FREE = {"tpp_required": False, "application_required": False}
MONDAY = 0
WEDNESDAY = 2
THURSDAY = 3
FRIDAY = 4
SATURDAY = 5


@pytest.fixture
async def at_monday(service: AsgiClient) -> AsyncIterator[AsgiClient]:
    """Stop the clock on Monday morning, which is today."""
    clock = service.app.state.engine.clock
    set_clock(service, MONDAY, "06:00")
    yield service
    service.app.state.engine.clock = clock


async def plan_rest(facility: FacilityHarness, enrolment_id: str, since: int, until: int) -> None:
    """Plan a suspension of the enrolment from one day to another."""
    body = {
        "since": str(factories.day(since)),
        "until": str(factories.day(until)),
        "reason": "panen raya",
    }
    path = f"/v1/enrolments/{enrolment_id}/suspensions"
    answer = await factories.change(facility.officer, path, body)
    assert answer.status_code == 201, answer.text


async def read_states(facility: FacilityHarness, *enrolment_ids: str) -> list[str]:
    return [(await factories.read_enrolment(facility, each))["state"] for each in enrolment_ids]


async def open_outside_class(facility: FacilityHarness) -> str:
    programme_id = await factories.publish_programme(
        facility.client, outside=True, eligibility=FREE
    )
    return await factories.open_class(facility, programme_id=programme_id)


@pytest.mark.scenario("T3")
@pytest.mark.timeout(300)
async def test_a_return_into_a_planned_suspension_keeps_its_days(at_monday: AsgiClient) -> None:
    person = new_id()
    facility = await factories.create_harness(at_monday, [person, *(new_id() for _ in range(9))])
    inside = await factories.enrol(
        facility, class_id := await factories.open_class(facility), person
    )
    outside = await factories.enrol(facility, await open_outside_class(facility), person)
    sessions = {
        day: await factories.plan_session(facility, class_id, in_days=day, starts_at="08:00")
        for day in (WEDNESDAY, THURSDAY, FRIDAY, SATURDAY)
    }

    async def read_reasons() -> list[str | None]:
        records = await factories.read_attendance(facility, *sessions.values())
        found = [records.get(f"{inside}/{number}") for number in range(1, 5)]
        return [record[1] if record else "-" for record in found]

    await plan_rest(facility, inside, WEDNESDAY, FRIDAY)
    assert await read_reasons() == ["SUSPENDED"] * 3 + [None]
    seen = Evidence(at_monday)
    await seen.skip()
    ref = facility.refs[person]

    await facility.list_again(**{person: {"Keberadaan": "RS"}})
    assert await read_states(facility, inside, outside) == ["AUTO_SUSPENDED"] * 2
    assert await read_reasons() == ["AUTO_SUSPENDED"] * 4
    assert await seen.read_events() == [
        f"participant-absent {ref}",
        f"enrolment-suspended {ref}",
        f"enrolment-suspended {ref}",
    ]
    changes = await seen.read_changes()
    assert set(changes.values()) == {1}
    assert Counter(each.split()[0] for each in changes) == {
        "participants.changed": 1,
        "enrolments.changed": 2,
        "attendance.changed": 4,
    }
    await facility.list_again(**{person: {"Keberadaan": "RS"}})
    assert await seen.read_events() == []
    assert await seen.read_changes() == {}

    cancellation = f"/v1/sessions/{sessions[WEDNESDAY]}/cancellation"
    cancelled = await factories.change(facility.officer, cancellation, {"reason": "listrik padam"})
    assert cancelled.status_code == 200
    set_clock(at_monday, WEDNESDAY, "06:00")
    assert not await publish_suspensions(factories.runner(at_monday))
    await seen.read_changes()
    assert await seen.read_events() == []

    set_clock(at_monday, THURSDAY, "06:00")
    await facility.list_again(**{person: {"Keberadaan": ""}})
    assert await read_states(facility, inside, outside) == ["SUSPENDED", "ACTIVE"]
    assert await read_reasons() == ["-", "SUSPENDED", "SUSPENDED", None]
    session = await facility.officer.get(f"/v1/sessions/{sessions[WEDNESDAY]}")
    assert session.json()["state"] == "CANCELLED"
    assert await seen.read_events() == [f"participant-returned {ref}", f"enrolment-resumed {ref}"]
    changes = await seen.read_changes()
    assert set(changes.values()) == {1}
    assert Counter(each.split()[0] for each in changes) == {
        "participants.changed": 1,
        "enrolments.changed": 2,
        "attendance.changed": 3,
    }

    set_clock(at_monday, SATURDAY, "06:00")
    assert await read_states(facility, inside, outside) == ["ACTIVE", "ACTIVE"]
    await publish_suspensions(factories.runner(at_monday))
    assert await seen.read_events() == [f"enrolment-resumed {ref}"]
    assert await seen.read_changes() == {f"enrolments.changed {inside}": 1}
    await publish_suspensions(factories.runner(at_monday))
    assert await seen.read_changes() == {}


@pytest.mark.scenario("T3")
async def test_work_outside_never_suspends_a_class_that_takes_place_outside(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    inside = await factories.enrol(facility, await factories.open_class(facility), person)
    outside = await factories.enrol(facility, await open_outside_class(facility), person)
    seen = Evidence(service)
    await seen.skip()
    await facility.list_again(**{person: {"Keberadaan": "Asimilasi luar"}})
    assert await read_states(facility, inside, outside) == ["AUTO_SUSPENDED", "ACTIVE"]
    ref = facility.refs[person]
    assert await seen.read_events() == [f"participant-absent {ref}", f"enrolment-suspended {ref}"]
    assert (await seen.read_changes())[f"enrolments.changed {outside}"] == 0


async def test_a_suspension_that_is_lifted_or_shortened_expects_its_days_again(
    at_monday: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(at_monday, [person])
    class_id = await factories.open_class(facility)
    enrolment_id = await factories.enrol(facility, class_id, person)
    await plan_rest(facility, enrolment_id, WEDNESDAY, FRIDAY)
    sessions = [
        await factories.plan_session(facility, class_id, in_days=day, starts_at="08:00")
        for day in (WEDNESDAY, THURSDAY)
    ]

    async def shorten(until: int | None) -> list[str | None]:
        path = f"/v1/enrolments/{enrolment_id}"
        version = (await facility.officer.get(path)).headers["etag"]
        day = None if until is None else str(factories.day(until))
        answer = await facility.officer.patch(
            f"{path}/suspensions/1", json={"until": day}, headers={"if-match": version}
        )
        assert answer.status_code == 200, answer.text
        records = await factories.read_attendance(facility, *sessions)
        return [records[f"{enrolment_id}/{number}"][1] for number in (1, 2)]

    assert await shorten(FRIDAY) == ["SUSPENDED", "SUSPENDED"]
    assert await shorten(WEDNESDAY) == ["SUSPENDED", None]
    assert await shorten(None) == [None, None]
