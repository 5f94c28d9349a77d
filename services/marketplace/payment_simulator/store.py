"""How the sandbox keeps its charges: beside our own data, as a gateway would keep them at home."""

from __future__ import annotations

from chassis.persistence.store import Store
from services.marketplace.payment_simulator.rules import SandboxCharge, SandboxChargeUnknown


class SandboxCharges(Store[SandboxCharge]):
    kind = SandboxCharge
    collection = "sandbox_charges"
    unknown = SandboxChargeUnknown
    scope = {"public": ""}
    audited = False
