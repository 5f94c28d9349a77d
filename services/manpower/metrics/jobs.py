"""The leased job that measures placements, the feed and partners' access.

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
ACCESS_LEFT = ScheduledGauge(
    "manpower_partner_access_left_seconds", "Until the first credential of a partner ends"
)


async def measure(run: Runner[Transaction]) -> bool:
    """Measure once; False because no more work waits."""
    await run(_measure_counts)
    return False


async def _measure_counts(tx: Transaction) -> None:
    PLACEMENTS.set(await tx.placements.count_all())
    UNNUMBERED_CHANGES.set(await tx.feed_changes.count_waiting())
    first_end = await tx.credentials.first_end(tx.now)
    ACCESS_LEFT.set_if_known(None if first_end is None else (first_end - tx.now).total_seconds())
