"""Cells that were not accepted: sealed, shown with names only, gone with the next list."""

from __future__ import annotations

import json
from datetime import timedelta

from chassis.ids import new_id
from gateway.access.permissions import ROLE_PERMISSIONS
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.factories import FacilityHarness
from tests.training.snapshot_files import snapshot_file

NAME = "Zulkarnaen Bocor"
NIK = "9904050402850001"
SHIFTED = {"Keberadaan": NAME, "2/3": f"lahir {NAME}", "Digabung ke": ""}


def as_role(facility: FacilityHarness, role: str) -> AsgiClient:
    """Return an officer of the facility with the permissions of a role alone."""
    allowed = ROLE_PERMISSIONS.for_role(role, "training")
    return facility.client.as_(role, permissions=allowed, facility=facility.facility_id)


async def count_clear(facility: FacilityHarness, *words: str) -> int:
    """Return how many documents outside the identities hold one of these words."""
    stored = factories.database(facility.client)
    found = 0
    for name in await stored.db.list_collection_names():
        if name != "identities":
            documents = [json.dumps(each, default=str) for each in await stored.find(name, {})]
            found += sum(any(word in text for word in words) for text in documents)
    return found


async def count_left(facility: FacilityHarness) -> dict[str, int]:
    """Return how many parts of raw cells and raw rows of the facility are stored."""
    stored = factories.database(facility.client)
    of_facility = {"facility_id": facility.facility_id}
    left = {"raw_cells": await stored.count("raw_cells", of_facility)}
    for kind in ("held", "stopped", "rows"):
        left[kind] = await stored.count("snapshot_chunks", of_facility | {"kind": kind})
    return left


async def test_cells_of_a_shifted_row_are_sealed_and_gone_with_the_next_list(
    service: AsgiClient,
) -> None:
    shifted = f"Nyonya {new_id()}"
    facility = await factories.create_harness(service, [new_id() for _ in range(10)])
    done = await facility.list_again(**{shifted: SHIFTED})
    assert await count_clear(facility, NAME) == 0
    assert await factories.database(service).count("tasks", {"facts.source_ref": shifted}) == 0
    path = f"/v1/snapshots/{done['snapshot_id']}/row-errors"
    shown = {
        role: {each["raw"] for each in await factories.list_all(as_role(facility, role), path)}
        for role in ("administrator", "registry_operator", "head")
    }
    cells = {NAME, f"lahir {NAME}"}
    assert shown == {"administrator": {None}, "registry_operator": cells, "head": cells}
    reads = {"action": "raw_cells.shown", "subject": done["snapshot_id"]}
    assert await factories.database(service).count("audit", reads) == 2
    registry = as_role(facility, "registry_operator")
    (task,) = await factories.list_all(registry, "/v1/training-tasks", kind="ROW_STOPPED")
    assert (task["facts"]["raw"], task["facts"]["source_ref"]) == (NAME, shifted)
    one = await registry.get(f"/v1/training-tasks/{task['id']}")
    assert one.json()["facts"] == task["facts"]
    assert await count_left(facility) == {"raw_cells": 1, "held": 0, "stopped": 1, "rows": 0}
    await facility.list_again(**{shifted: None})
    assert await count_left(facility) == {"raw_cells": 0, "held": 0, "stopped": 0, "rows": 0}
    assert {each["raw"] for each in await factories.list_all(registry, path)} == {None}
    (task,) = await factories.list_all(registry, "/v1/training-tasks", kind="ROW_STOPPED")
    assert task["facts"].keys() & {"raw", "source_ref"} == set()


async def test_a_cell_with_a_number_is_kept_nowhere(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id()])
    await facility.list_again(**{new_id(): {"Keberadaan": f"{NAME} {NIK}", "Nama Lengkap": "X"}})
    assert await count_clear(facility, NIK) == 0
    registry = as_role(facility, "registry_operator")
    (task,) = await factories.list_all(registry, "/v1/training-tasks", kind="ROW_STOPPED")
    assert "raw" not in task["facts"]


async def test_the_same_stopped_row_again_keeps_one_task_with_its_cell(service: AsgiClient) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    await facility.list_again(**{person: {"Keberadaan": "Dititip"}})
    await facility.list_again(**{person: {"Kamar": "Z9"}})
    registry = as_role(facility, "registry_operator")
    (task,) = await factories.list_all(registry, "/v1/training-tasks", kind="ROW_STOPPED")
    assert (task["facts"]["raw"], task["facts"]["source_ref"]) == ("Dititip", person)
    assert await count_left(facility) == {"raw_cells": 1, "held": 0, "stopped": 1, "rows": 0}


async def test_rows_of_a_quarantined_list_are_gone_with_the_next_list(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(10)])
    fewer = dict(list(facility.people.items())[:6])
    data = snapshot_file(facility.facility_id, fewer)
    at = (facility.taken_at + timedelta(days=5)).isoformat()
    held = await factories.upload(service, facility.facility_id, data, at)
    assert held["reason"] == "ROW_COUNT_DOWN"
    assert (await count_left(facility))["held"] == 1
    await facility.list_again(**{next(iter(fewer)): {"Kamar": "Z9"}})
    assert await count_left(facility) == {"raw_cells": 0, "held": 0, "stopped": 0, "rows": 0}
    second = factories.officer(service, facility.facility_id, "head", "kepala")
    path = f"/v1/snapshots/{held['snapshot_id']}/release"
    gone = await factories.change(second, path, {"reason": "bebas massal"})
    assert (gone.status_code, gone.json()["code"]) == (409, "held_rows_gone")
    again = await factories.upload(service, facility.facility_id, data, at)
    assert (again["snapshot_id"], again["duplicate"]) == (held["snapshot_id"], True)
    assert (await factories.change(second, path, {"reason": "bebas massal"})).status_code == 200
    done = await factories.wait_until_applied(second, held["snapshot_id"])
    assert done["counts"] == {"missing": 4, "details_changed": 1}
