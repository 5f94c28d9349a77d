"""Use cases of the metrics: what the gauges measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.certification.metrics import rules
from services.certification.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The measured values. `status_list_age_seconds` is 0 without any published list.

    The last two are None while no LSP has a licence in force, or a key.
    """

    certificates_by_queue_state: Mapping[str, int]
    certificates_in_force: int
    status_list_age_seconds: float
    licence_left_seconds: float | None
    signing_key_age_seconds: float | None


async def measure(tx: Transaction) -> Measurement:
    """Measure the signing queue, certificates in force, status lists, licences and keys."""
    lsps = await tx.lsps.list_licensed()
    ticks = (await tx.publications.read_ticks()).values()
    age_seconds = (tx.now - min(ticks)).total_seconds() if ticks else 0.0
    return Measurement(
        certificates_by_queue_state=await tx.certificates.count_by_queue_state(),
        certificates_in_force=await tx.certificates.count_in_force(),
        status_list_age_seconds=age_seconds,
        licence_left_seconds=rules.licence_left_seconds(lsps, tx.now),
        signing_key_age_seconds=rules.signing_key_age_seconds(lsps, tx.now),
    )
