"""The counts of tasks read an index, and only the part of the caller's facility."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, cast

from chassis.ids import utc_now
from chassis.tasks import TaskState
from services.training.tasks.rules import TaskKind, open_task
from services.training.tasks.store import Tasks
from tests.chassis.admin.test_query_plans import profiled
from tests.fakes import AsgiClient
from tests.training import factories

FACILITIES = 100
OWN_TASKS = 30  # of each facility


async def test_counts_of_one_facility_read_only_its_part_of_an_index(service: AsgiClient) -> None:
    now = utc_now()
    store = Tasks(tx=cast("Any", None))
    run = now.strftime("%H%M%S%f")
    tasks = [
        replace(
            open_task(
                TaskKind.NEW_BLOCK, f"F-{run}-{facility}", now, now.date(), subject=str(number)
            ),
            version=1,
            state=TaskState.OPEN if number % 3 else TaskState.RESOLVED,
        )
        for facility in range(FACILITIES)
        for number in range(OWN_TASKS)
    ]
    db = factories.database(service)
    await db.insert("tasks", [store.document(task) for task in tasks])
    officer = factories.officer(service, f"F-{run}-7", "training_officer")
    page = (await officer.get("/v1/training-tasks?limit=1")).json()
    assert page["counts"] == {"OPEN": 20, "ACKNOWLEDGED": 0, "RESOLVED": 10}
    summary = (await officer.get("/v1/training-tasks/summary")).json()
    assert (summary["unresolved"], summary["overdue"]) == (20, 0)
    reads = await profiled(db, partial(officer.get, "/v1/training-tasks/summary"))
    reads += await profiled(db, partial(officer.get, "/v1/training-tasks?limit=1"))
    own = [one for one in reads if one["ns"].endswith(".tasks")]
    assert len(own) >= 5  # two of the summary, a page, a count of each state
    assert not [one for one in own if "COLLSCAN" in one["planSummary"]]
    assert max(one["keysExamined"] for one in own) <= 4 * OWN_TASKS
