"""The leased job that measures placements and the feed. Not here: what the figures mean for an alert (deploy/monitoring)."""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import Figure
from chassis.persistence.transactions import Runner
from services.manpower.transaction import Transaction

PLACEMENTS = Figure("manpower_placements", "Placements that were ever confirmed")
UNNUMBERED = Figure(
    "manpower_feed_waiting_changes", "Committed changes that have no number in the feed yet"
)


async def measure(run: Runner[Transaction]) -> bool:
    """One round."""
    await run(_measured)
    return False


async def _measured(tx: Transaction) -> None:
    PLACEMENTS.show(await tx.placements.number())
    UNNUMBERED.show(await tx.feed_changes.number())
