"""What manpower measures for those who watch it: placements, and what waits for its number in the feed."""

from __future__ import annotations

from prometheus_client import REGISTRY

from chassis.caller import system
from chassis.ids import new_id
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.manpower.metrics.jobs import measure
from services.manpower.transaction import Transaction
from tests.manpower.harness import Json, Region, made

TERMS: Json = {
    "kind": "employee",
    "started_on": "2027-01-04",
    "wage_band": {"from_idr": 3_500_000, "to_idr": 4_000_000},
    "permit_number": "izin-contoh-9",
}


async def test_placements_and_changes_without_a_number_are_counted(region: Region) -> None:
    engine: TransactionManager[Transaction] = region.service.client.app.state.engine
    run = Runner(engine, OperationContext(caller=system("manpower"), correlation_id=new_id()))
    await measure(run)
    before = shown("manpower_placements")
    ref = await region.admitted()
    await region.consents(ref)
    await region.consents(ref, "employer_share", fields=("name", "skills"))
    application = await region.applies(ref, await region.vacancy(1), until="ACCEPTED")
    await made(region.dinas().post("/v1/placements", json=TERMS | {"application_id": application}))
    await measure(run)
    assert shown("manpower_placements") == before + 1
    assert shown("manpower_feed_waiting_changes") >= 0


def shown(name: str) -> float:
    value = REGISTRY.get_sample_value(name)
    assert value is not None
    return value
