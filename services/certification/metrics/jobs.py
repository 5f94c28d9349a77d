"""The leased job that measures the queue of the signer and what is in force. Not here: what the figures mean for an alert (deploy/monitoring)."""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import Figure
from chassis.persistence.transactions import Runner
from services.certification.transaction import Transaction

QUEUE = Figure(
    "certification_queue_certificates",
    "Reserved certificates that wait to be signed, or are stuck because they cannot be",
    "state",
)
IN_FORCE = Figure(
    "certification_in_force_certificates",
    "Certificates that are issued and neither suspended nor revoked",
)
LISTS_LATE = Figure(
    "certification_status_list_age_seconds",
    "Since the tick of the status list that was published longest ago",
)


async def measure(run: Runner[Transaction]) -> bool:
    """One round."""
    await run(_measured)
    return False


async def _measured(tx: Transaction) -> None:
    ticks = (await tx.publications.ticks()).values()
    QUEUE.show_each(await tx.certificates.queued())
    IN_FORCE.show(await tx.certificates.in_force())
    LISTS_LATE.show((tx.now - min(ticks)).total_seconds() if ticks else 0)
