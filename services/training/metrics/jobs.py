"""The leased job that measures lists, waiting and the staff inbox. Not here: what the figures mean for an alert (deploy/monitoring)."""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.training.metrics import rules
from services.training.transaction import Transaction

SNAPSHOT_AGE = ScheduledGauge(
    "training_snapshot_age_seconds",
    "Since a facility last sent the list of its population",
    "facility",
)
WAITING_APPLICATIONS = ScheduledGauge(
    "training_waiting_applications", "Applications that may still lead to a seat"
)
WAITING_DAYS = ScheduledGauge(
    "training_waiting_days",
    "How long applications that may still lead to a seat have waited",
    "share",
)
OVERDUE_TASKS = ScheduledGauge(
    "training_overdue_tasks", "Items of the staff inbox that should have been settled by now"
)


async def measure(run: Runner[Transaction]) -> bool:
    """One round."""
    await run(_measure)
    return False


async def _measure(tx: Transaction) -> None:
    waiting = await tx.applications.list_waiting_since()
    SNAPSHOT_AGE.set_by_label(
        rules.measure_snapshot_ages(
            await tx.facilities.list_live(), await tx.rosters.read_last_seen(), tx.now
        )
    )
    WAITING_APPLICATIONS.set(len(waiting))
    WAITING_DAYS.set_by_label(rules.measure_waiting_days(waiting, tx.now))
    OVERDUE_TASKS.set(await tx.tasks.count_overdue(tx.now.date()))
