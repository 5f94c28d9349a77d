"""The leased job that measures placements and the feed.

Not here: alerts (deploy/monitoring).
"""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.manpower.transaction import Transaction

PLACEMENTS = ScheduledGauge("manpower_placements", "Placements that were ever confirmed")
UNNUMBERED_CHANGES = ScheduledGauge(
    "manpower_feed_waiting_changes", "Committed changes that have no number in the feed yet"
)


async def measure(run: Runner[Transaction]) -> bool:
    """Measure once; False because no more work waits."""
    await run(_measure_counts)
    return False


async def _measure_counts(tx: Transaction) -> None:
    PLACEMENTS.set(await tx.placements.count_all())
    UNNUMBERED_CHANGES.set(await tx.feed_changes.count_waiting())
