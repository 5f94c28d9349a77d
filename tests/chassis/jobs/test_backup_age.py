"""The age of the newest backup, as `./bina backup` records it in each database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prometheus_client import REGISTRY

from chassis.app.database_setup import OWN
from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.jobs import backup_age
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from ops.audit import server_actions
from tests.chassis.harness import Harness
from tests.chassis.sample_service import Transaction
from tests.fakes import eventually

HOUR = 3_600.0


def row(action: str, hours: float) -> dict[str, Any]:
    return {"_id": new_id(), "at": utc_now() - timedelta(hours=hours), "action": action}


async def measured_hours(db: Mongo) -> float:
    context = OperationContext(caller=system("shop"), correlation_id=new_id())
    assert await backup_age.measure(Runner(TransactionManager(db, Transaction), context)) is False
    shown = REGISTRY.get_sample_value("bina_backup_age_seconds")
    assert shown is not None
    return round(shown / HOUR, 1)


async def test_the_age_is_that_of_the_newest_backup(db: Mongo) -> None:
    rows = [row("jars.changed", 90), row("backup.made", 50), row("backup.made", 26)]
    await db.insert("audit", [*rows, row("jars.changed", 1)])
    assert await measured_hours(db) == 26


async def test_before_the_first_backup_the_first_row_counts(db: Mongo) -> None:
    await db.insert("audit", [row("jars.changed", 40), row("jars.changed", 2)])
    assert await measured_hours(db) == 40


async def test_a_recorded_backup_is_found_by_the_index_alone(db: Mongo) -> None:
    await db.ensure_collection("audit", None, OWN["audit"], await db.collections())
    await db.insert("audit", [row("jars.changed", hours) for hours in range(50)])
    await server_actions.record_action(db, backup_age.ACTION, "bina-1")
    assert await measured_hours(db) == 0
    command = {"find": "audit", "filter": backup_age.MADE, "sort": {"action": -1, "at": -1}}
    plan = await db.db.command("explain", command | {"limit": 1}, verbosity="executionStats")
    assert plan["executionStats"]["totalDocsExamined"] == 1


async def test_a_running_service_measures_the_age(harness: Harness) -> None:
    await harness.db.insert("audit", [row("backup.made", 30)])
    harness.life.jobs[backup_age.JOB].wake()
    await eventually(
        lambda: 30 * HOUR <= (REGISTRY.get_sample_value("bina_backup_age_seconds") or 0) < 31 * HOUR
    )
