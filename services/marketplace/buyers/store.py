"""The stored holds of guests.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.store import Store
from services.marketplace.buyers.rules import GuestHolds


class Guests(Store[GuestHolds]):
    """What each contact holds unpaid. A contact that holds nothing has no document."""

    kind = GuestHolds
    collection = "guest_holds"
    scope = {"public": ""}
    audited = False
