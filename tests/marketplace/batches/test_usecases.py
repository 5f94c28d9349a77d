"""Use cases of batches overtaken, before their commit, by a change of what their rule reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest

from chassis.ids import new_id
from services.marketplace.batches import usecases as batches
from services.marketplace.batches.rules import (
    BatchId,
    BatchStateDiffers,
    NotAssigned,
    WorkLog,
    WorkLogId,
)
from services.marketplace.money import Rupiah
from services.marketplace.transaction import Transaction
from services.marketplace.workshops.rules import WorkshopClosed, WorkshopId
from tests.marketplace.harness import Json, LapasHarness, created, jakarta_today


async def start_batch_with_work(lapas: LapasHarness) -> Json:
    """Return a started batch with a work log of one participant, who is employed for it."""
    [person] = await lapas.employ(1)
    batch = await lapas.start_batch(1, 0)
    await created(lapas.log_work(batch, person, 1))
    return batch


def log_work(lapas: LapasHarness, batch: Json) -> Callable[[Transaction], Awaitable[WorkLog]]:
    """Return the use case that logs work of today."""
    return partial(
        batches.log_work,
        WorkLogId(new_id()),
        BatchId(batch["id"]),
        lapas.people[0],
        1,
        jakarta_today(),
    )


async def test_a_work_log_overtaken_by_the_end_of_the_assignment_is_refused(
    lapas: LapasHarness,
) -> None:
    batch = await start_batch_with_work(lapas)
    [assignment] = await lapas.stored("work_assignments", participant_ref=lapas.people[0])
    yesterday = str(jakarta_today() - timedelta(days=1))
    with pytest.raises(NotAssigned):
        await lapas.run_with_concurrent_change(
            log_work(lapas, batch),
            lambda: lapas.update_stored(
                "work_assignments", assignment["_id"], to_on=yesterday, live=False
            ),
        )


async def test_a_work_log_overtaken_by_the_completion_of_the_batch_is_refused(
    lapas: LapasHarness,
) -> None:
    batch = await start_batch_with_work(lapas)
    checked = await lapas.change("workshop_officer", batch, "/v1/batches", "quality-check")
    complete = partial(
        lapas.change, "workshop_officer", checked, "/v1/batches", "completion", {"qty_good": 1}
    )
    with pytest.raises(BatchStateDiffers):
        await lapas.run_with_concurrent_change(log_work(lapas, batch), complete)


async def test_a_plan_overtaken_by_the_closure_of_the_workshop_is_refused(
    lapas: LapasHarness,
) -> None:
    plan = partial(
        batches.plan,
        BatchId(new_id()),
        WorkshopId(lapas.workshop["id"]),
        lapas.sku,
        1,
        Rupiah(0),
        Rupiah(0),
    )
    close = partial(lapas.change, "workshop_officer", lapas.workshop, "/v1/workshops", "closure")
    with pytest.raises(WorkshopClosed):
        await lapas.run_with_concurrent_change(plan, close)
