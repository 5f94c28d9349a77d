"""The leased job that sets the gauges of snapshots, applications and tasks.

Not here: what a value means for an alert (deploy/monitoring).
"""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.training.metrics import rules
from services.training.transaction import Transaction

SNAPSHOT_AGE = ScheduledGauge(
    "training_snapshot_age_seconds",
    "Seconds since a facility last sent its snapshot",
    "facility",
)
WAITING_APPLICATIONS = ScheduledGauge(
    "training_waiting_applications", "Applications that can still lead to a seat"
)
WAITING_DAYS = ScheduledGauge(
    "training_waiting_days",
    "Days that applications which can still lead to a seat have waited",
    "share",
)
OVERDUE_TASKS = ScheduledGauge(
    "training_overdue_tasks", "Tasks of officers that are not resolved and past their due date"
)


async def measure(run: Runner[Transaction]) -> bool:
    """Set all gauges once."""
    await run(_measure)
    return False


async def _measure(tx: Transaction) -> None:
    live = await tx.facilities.list_live()
    last_seen = await tx.rosters.read_last_seen()
    SNAPSHOT_AGE.set_by_label(rules.measure_snapshot_ages(live, last_seen, tx.now))
    waiting_since = await tx.applications.list_waiting_since()
    WAITING_APPLICATIONS.set(len(waiting_since))
    WAITING_DAYS.set_by_label(rules.measure_waiting_days(waiting_since, tx.now))
    OVERDUE_TASKS.set(await tx.tasks.count_overdue(tx.now.date()))
