"""Whereabouts, decisions and assignments, on real servers."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from chassis.ids import new_id
from services.marketplace.workers import usecases as workers
from services.marketplace.workers.rules import AssignmentId, WorkNotAllowed
from services.marketplace.workshops.rules import WorkshopId
from tests.marketplace.harness import LapasHarness, jakarta_today, together


async def test_release_and_transfer_end_assignments_and_absence_keeps_them(
    lapas: LapasHarness,
) -> None:
    released, transferred, absent = await lapas.employ(1, 1, 1)
    await lapas.as_service(partial(workers.record_release, released))
    await lapas.as_service(partial(workers.record_transfer, transferred, "LP-ELSEWHERE"))
    await lapas.as_service(partial(workers.record_absence, absent))
    reasons = {
        assignment["participant_ref"]: assignment["ended_because"]
        for assignment in await lapas.assignments()
    }
    assert reasons == {released: "released", transferred: "transferred", absent: None}
    assert (await lapas.assign(released)).json()["code"] == "worker_not_present"
    assert (await lapas.assign(transferred)).json()["code"] == "worker_unknown"


async def test_a_released_participant_who_returns_is_assigned_again(lapas: LapasHarness) -> None:
    [person] = await lapas.employ(1)
    await lapas.as_service(partial(workers.record_release, person))
    await lapas.as_service(partial(workers.record_presence, person, lapas.facility))
    assert (await lapas.assign(person)).status_code == 201


async def test_a_refusal_racing_an_assignment_leaves_no_live_assignment(
    lapas: LapasHarness,
) -> None:
    today = jakarta_today()
    for _ in range(8):
        person = f"ref-{new_id()}"
        await lapas.decide(person, today - timedelta(days=1), eligible=True)
        await together(lapas.assign(person), lapas.decide(person, today, eligible=False))
        live = await lapas.stored("work_assignments", participant_ref=person, live=True)
        assert live == []


async def test_an_assignment_overtaken_by_a_refusal_is_refused(lapas: LapasHarness) -> None:
    today = jakarta_today()
    person = f"ref-{new_id()}"
    await lapas.decide(person, today - timedelta(days=2), eligible=True)
    assign = partial(
        workers.assign,
        AssignmentId(new_id()),
        person,
        WorkshopId(lapas.workshop["id"]),
        "tukang",
        today,
        today,
    )
    with pytest.raises(WorkNotAllowed):
        await lapas.run_with_concurrent_change(
            assign, lambda: lapas.decide(person, today, eligible=False)
        )
