"""The stored charges of the payment simulator, in the database of the marketplace.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.store import Store
from services.marketplace.payment_simulator.rules import SimulatedCharge, SimulatedChargeUnknown


class SimulatedCharges(Store[SimulatedCharge]):
    kind = SimulatedCharge
    collection = "sandbox_charges"
    unknown = SimulatedChargeUnknown
    scope = {"public": ""}
    schema = 2
    audited = False
