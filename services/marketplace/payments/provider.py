"""The port to a payment gateway: what every provider must be able to do. Not here: how one of them does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.marketplace.money import Rupiah
from services.marketplace.payments.rules import Charge, Observation


class PaymentProvider(Protocol):
    """One provider. `order_ref` is ours; it names one attempt to pay one order and is never used for another.

    Everything but `verify` may raise PaymentProviderUnreachable, and is called outside transactions.
    """

    @property
    def name(self) -> str:
        """The provider's name in paths and events."""
        ...

    @property
    def merchant(self) -> str:
        """Our merchant id there; an observation that names another is not ours."""
        ...

    async def charge(self, order_ref: str, amount_idr: Rupiah) -> Charge:
        """Open a charge, or give the one that is open under this reference."""
        ...

    def verify(self, headers: Mapping[str, str], body: bytes) -> Observation:
        """What a notification says; NotificationForged, NotificationMalformed or NotificationContradictory when it says nothing we may believe."""
        ...

    async def fetch_status(self, order_ref: str) -> Observation | None:
        """What the gateway says of this charge when asked; None when it knows none."""
        ...

    async def cancel(self, order_ref: str) -> Observation | None:
        """Close an unpaid charge; what the gateway says of it afterwards (a paid one stays paid)."""
        ...
