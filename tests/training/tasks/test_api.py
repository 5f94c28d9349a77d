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
    path = f"/v1/training-tasks/{task['item_id']}"
    assert (await factories.change(facility.officer, f"{path}/acknowledgement")).json()[
        "state"
    ] == "ACKNOWLEDGED"
    first = await factories.change(
        facility.officer,
        f"{path}/resolution",
        {"resolution": "istilah_dipetakan", "reason": "bebas murni"},
    )
    again = await factories.change(
        facility.officer, f"{path}/resolution", {"resolution": "istilah_dipetakan"}
    )
    other = await factories.change(
        facility.officer, f"{path}/resolution", {"resolution": "diabaikan"}
    )
    assert [answer.status_code for answer in (first, again, other)] == [200, 200, 409]
    assert (again.json()["version"], other.json()["code"]) == (
        first.json()["version"],
        "resolved_otherwise",
    )
