"""The leased job that measures the age of the newest backup.

A backup is of all databases at one time; `./bina backup` leaves an audit row in each of them when
it is complete. So each service finds the age in its own database.

Not here: how a backup is made (ops.backup), the alert (deploy/monitoring).
"""

from __future__ import annotations

from typing import Any

from chassis.ids import utc_now
from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.mongo import Document, Index, Mongo
from chassis.persistence.transactions import Runner

JOB = "backup-age"
ACTION = "backup.made"
MADE: Document = {"action": ACTION}
INDEX = Index("action", "at", where=MADE)

AGE = ScheduledGauge(
    "bina_backup_age_seconds",
    "Age of the newest backup; before the first one, age of this database",
)


async def measure(run: Runner[Any]) -> bool:
    """Measure once and set the gauge; False because no more work waits."""
    row = await _newest_backup(run.engine.db) or await _first_row(run.engine.db)
    if row is not None:
        AGE.set((utc_now() - row["at"]).total_seconds())
    return False


async def _newest_backup(db: Mongo) -> Document | None:
    rows = await db.find("audit", MADE, sort=[("action", -1), ("at", -1)], limit=1)
    return rows[0] if rows else None


async def _first_row(db: Mongo) -> Document | None:
    rows = await db.find("audit", {}, sort=[("_id", 1)], limit=1)
    return rows[0] if rows else None
