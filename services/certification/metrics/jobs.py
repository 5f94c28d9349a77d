"""The leased job that sets the gauges of certification.

Not here: the alerts on them (deploy/monitoring).
"""

from __future__ import annotations

from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.certification.metrics import usecases
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
LICENCE_LEFT = ScheduledGauge(
    "certification_licence_left_seconds", "Until the first LSP loses its last licence"
)
SIGNING_KEY_AGE = ScheduledGauge(
    "certification_signing_key_age_seconds", "Age of the oldest key with which an LSP signs"
)


async def measure(run: Runner[Transaction]) -> bool:
    """Measure once and set the gauges."""
    measured = await run(usecases.measure)
    QUEUE.set_by_label(measured.certificates_by_queue_state)
    IN_FORCE.set(measured.certificates_in_force)
    STATUS_LIST_AGE.set(measured.status_list_age_seconds)
    LICENCE_LEFT.set_if_known(measured.licence_left_seconds)
    SIGNING_KEY_AGE.set_if_known(measured.signing_key_age_seconds)
    return False
