"""The job that publishes planned suspensions on the days on which they begin and end."""

from __future__ import annotations

from chassis.persistence.transactions import Runner
from services.training.enrolments import usecases
from services.training.transaction import Transaction


async def publish_suspensions(run: Runner[Transaction]) -> bool:
    """Publish the next planned suspensions that are due; True when there may be more."""
    return await run(usecases.publish_due_suspensions)
