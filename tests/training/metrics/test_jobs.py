"""The gauges of stored data: snapshots, applications and tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from chassis.ids import new_id
from chassis.persistence.mongo import updating
from services.training.metrics.jobs import measure
from tests.fakes import AsgiClient
from tests.training import factories


def read_gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_snapshot_age_counts_from_the_last_contact(
    service: AsgiClient,
) -> None:
    facility = await factories.create_harness(service, [new_id()])
    await factories.database(service).bulk(
        "rosters",
        [
            updating(
                facility.facility_id, {"$set": {"seen_at": datetime.now(UTC) - timedelta(hours=40)}}
            )
        ],
    )
    await measure(factories.runner(service))
    assert read_gauge(
        "training_snapshot_age_seconds", facility=facility.facility_id
    ) == pytest.approx(40 * 3_600, abs=60)
    await facility.list_again()
    await measure(factories.runner(service))
    assert read_gauge(
        "training_snapshot_age_seconds", facility=facility.facility_id
    ) == pytest.approx(0, abs=60)


async def test_waiting_applications_and_overdue_tasks_are_counted(
    fresh_service: AsgiClient,
) -> None:
    service = fresh_service
    refs = [new_id(), new_id()]
    facility = await factories.create_harness(service, refs)
    await measure(factories.runner(service))
    waiting = read_gauge("training_waiting_applications") or 0
    overdue = read_gauge("training_overdue_tasks") or 0
    class_id = await factories.open_class(facility)
    for ref in facility.refs.values():
        answer = await facility.officer.post(
            "/v1/class-applications", json={"participant_ref": ref, "class_ids": [class_id]}
        )
        assert answer.status_code == 201, answer.text
    [application, _] = await factories.database(service).find(
        "class_applications", {"class_id": class_id}
    )
    await factories.database(service).bulk(
        "class_applications",
        [
            updating(
                application["_id"],
                {"$set": {"submitted_at": datetime.now(UTC) - timedelta(days=400)}},
            )
        ],
    )
    await facility.list_again(**{refs[1]: {"Kode UPT": "LAIN"}})
    [task] = await factories.database(service).find("tasks", {"facility_id": facility.facility_id})
    await factories.database(service).bulk(
        "tasks", [updating(task["_id"], {"$set": {"due_on": "2020-01-01"}})]
    )
    await measure(factories.runner(service))
    assert read_gauge("training_waiting_applications") == waiting + 2
    assert read_gauge("training_waiting_days", share="0.9") == pytest.approx(400, abs=1)
    assert read_gauge("training_overdue_tasks") == overdue + 1
