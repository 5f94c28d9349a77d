"""How the sandbox keeps its charges: beside our own data, as a gateway would keep them at home."""

from __future__ import annotations

from chassis.persistence.store import Store
from services.marketplace.payment_simulator.rules import SimulatedCharge, SimulatedChargeUnknown


class SimulatedCharges(Store[SimulatedCharge]):
    kind = SimulatedCharge
    collection = "sandbox_charges"
    unknown = SimulatedChargeUnknown
    scope = {"public": ""}
    audited = False
