"""The leased job that measures the queue of the signer and what is in force. Not here: what the figures mean for an alert (deploy/monitoring)."""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.certification.transaction import Transaction

QUEUE = ScheduledGauge(
    "certification_queue_certificates",
    "Reserved certificates that wait to be signed, or are stuck because they cannot be",
    "state",
)
IN_FORCE = ScheduledGauge(
    "certification_in_force_certificates",
    "Certificates that are issued and neither suspended nor revoked",
)
STATUS_LIST_AGE = ScheduledGauge(
    "certification_status_list_age_seconds",
    "Since the tick of the status list that was published longest ago",
)


async def measure(run: Runner[Transaction]) -> bool:
    """One round."""
    await run(_measure)
    return False


async def _measure(tx: Transaction) -> None:
    ticks = (await tx.publications.read_ticks()).values()
    QUEUE.set_by_label(await tx.certificates.count_by_queue_state())
    IN_FORCE.set(await tx.certificates.count_in_force())
    STATUS_LIST_AGE.set((tx.now - min(ticks)).total_seconds() if ticks else 0)
