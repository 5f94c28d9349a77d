"""The leased job that measures lists, waiting and the staff inbox. Not here: what the figures mean for an alert (deploy/monitoring)."""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import Figure
from chassis.persistence.transactions import Runner
from services.training.metrics import rules
from services.training.transaction import Transaction

LIST_AGE = Figure(
    "training_list_age_seconds", "Since a facility last sent the list of its population", "facility"
)
WAITING = Figure("training_waiting_applications", "Applications that may still lead to a seat")
WAITING_DAYS = Figure(
    "training_waiting_days",
    "How long applications that may still lead to a seat have waited",
    "share",
)
OVERDUE = Figure(
    "training_inbox_overdue_items", "Items of the staff inbox that should have been settled by now"
)


async def measure(run: Runner[Transaction]) -> bool:
    """One round."""
    await run(_measured)
    return False


async def _measured(tx: Transaction) -> None:
    waiting = await tx.applications.waiting_since()
    LIST_AGE.show_each(
        rules.list_ages(await tx.facilities.live(), await tx.rosters.signs_of_life(), tx.now)
    )
    WAITING.show(len(waiting))
    WAITING_DAYS.show_each(rules.waiting_days(waiting, tx.now))
    OVERDUE.show(await tx.inbox_items.overdue(tx.now.date()))
