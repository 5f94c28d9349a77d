"""Participants over HTTP: paging, and a person listed by two facilities."""

from __future__ import annotations

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories


async def test_lists_are_paged_by_cursor_without_gaps(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(7)])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (
            await facility.officer.get(
                "/v1/participants", params={"limit": 3} | ({"cursor": cursor} if cursor else {})
            )
        ).json()
        seen += [person["source_ref"] for person in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(facility.people)


async def test_a_forged_cursor_and_a_limit_over_500_are_refused(service: AsgiClient) -> None:
    officer = factories.officer(service, factories.new_facility_id())
    forged = await officer.get("/v1/participants", params={"cursor": "abc"})
    assert (forged.status_code, forged.json()["field"]) == (422, "cursor")
    too_many = await officer.get("/v1/participants", params={"limit": 501})
    assert too_many.json()["field"] == "limit"


async def test_a_custody_conflict_opens_one_task_until_one_list_stops(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person, *[new_id() for _ in range(10)]])
    there = await factories.create_harness(service, [new_id() for _ in range(11)])
    await there.list_again(**{person: {"Kamar": "Z1"}})
    await there.list_again(**{person: {"Kamar": "Z2"}})
    (task,) = await factories.list_all(there.officer, "/v1/training-tasks", kind="CUSTODY_CONFLICT")
    assert (task["state"], task["facts"]) == (
        "OPEN",
        {"source_ref": person, "also": facility.facility_id},
    )
    assert (
        len(
            await factories.list_all(
                facility.officer, "/v1/training-tasks", kind="CUSTODY_CONFLICT"
            )
        )
        == 1
    )
    await there.list_again(**{person: None})
    (task,) = await factories.list_all(there.officer, "/v1/training-tasks", kind="CUSTODY_CONFLICT")
    assert (
        task["state"],
        (await facility.officer.get(f"/v1/participants/{facility.refs[person]}")).json()[
            "facility_id"
        ],
    ) == ("RESOLVED", facility.facility_id)
