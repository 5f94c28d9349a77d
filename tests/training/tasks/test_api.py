"""Tasks over HTTP."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories


@pytest.mark.scenario("T17/inbox")
async def test_a_task_is_resolved_once_and_another_resolution_conflicts(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    await facility.list_again(**{person: {"Ket. Keluar": "XYZ"}})
    (task,) = await factories.list_all(facility.officer, "/v1/training-tasks")
    path = f"/v1/training-tasks/{task['id']}"
    assert (await factories.change(facility.officer, f"{path}/acknowledgement")).json()[
        "state"
    ] == "ACKNOWLEDGED"
    first = await factories.change(
        facility.officer,
        f"{path}/resolutions",
        {"resolution": "term_mapped", "reason": "bebas murni"},
    )
    again = await factories.change(
        facility.officer, f"{path}/resolutions", {"resolution": "term_mapped"}
    )
    other = await factories.change(
        facility.officer, f"{path}/resolutions", {"resolution": "corrected_at_source"}
    )
    assert [answer.status_code for answer in (first, again, other)] == [200, 200, 409]
    assert (again.json()["version"], other.json()["code"]) == (
        first.json()["version"],
        "resolved_otherwise",
    )


async def test_tasks_are_listed_with_counts_and_a_closed_list_of_resolutions(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    await facility.list_again(**{person: {"Ket. Keluar": "XYZ"}})
    officer = facility.officer
    english = {"accept-language": "en"}
    page = (await officer.get("/v1/training-tasks", headers=english)).json()
    (task,) = page["items"]
    assert page["counts"] == {"OPEN": 1, "ACKNOWLEDGED": 0, "RESOLVED": 0}
    assert task["title"] == "A row of the population list cannot be accepted"
    path = f"/v1/training-tasks/{task['id']}/resolutions"
    listed = (await officer.get(path)).json()["items"]
    assert [(one["code"], one["title"], one["act"]) for one in listed][1] == (
        "term_mapped",
        "Istilah sudah diberi arti",
        "POST /v1/facilities/{facility_id}/mapped-values",
    )
    free = await factories.change(officer, path, {"resolution": "anything"})
    assert (free.status_code, free.json()["code"]) == (422, "resolution_unknown")
    (kind,) = (await officer.get("/v1/training-tasks/summary")).json()["kinds"]
    assert (kind["kind"], kind["role"], kind["unresolved"], kind["overdue"]) == (
        "ROW_STOPPED",
        "registry_operator",
        1,
        0,
    )
    assert not (await officer.get("/v1/training-tasks?role=case_officer")).json()["items"]
