"""The port to a payment provider: what every provider must be able to do.

Not here: any provider (payment_simulator is one).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.marketplace.money import Rupiah
from services.marketplace.orders.rules import Charge, PaymentMethod
from services.marketplace.payments.rules import Observation


class PaymentProvider(Protocol):
    """A payment provider.

    `order_ref` is our reference. It names one attempt to pay one order and is never reused.
    Every method but `verify` may raise PaymentProviderUnreachable, and is called outside
    transactions. An answer that cannot be read raises the errors of `verify`.
    """

    @property
    def name(self) -> str:
        """The name of the provider in paths and events."""
        ...

    @property
    def merchant(self) -> str:
        """Our merchant id there; an observation with another merchant id is not ours."""
        ...

    async def charge(self, order_ref: str, amount_idr: Rupiah, method: PaymentMethod) -> Charge:
        """Open a charge, or return the open charge of this reference."""
        ...

    def verify(self, headers: Mapping[str, str], body: bytes) -> Observation:
        """Return what a signed notification says.

        Raises NotificationForged, NotificationMalformed or NotificationContradictory.
        """
        ...

    async def fetch_status(self, order_ref: str) -> Observation | None:
        """Query the status of a charge; None when the provider knows none."""
        ...

    async def cancel(self, order_ref: str) -> Observation | None:
        """Cancel an unpaid charge and return its status; a paid charge stays paid."""
        ...

    async def refund(
        self, order_ref: str, refund_key: str, amount_idr: Rupiah
    ) -> Observation | None:
        """Refund a paid charge, once per key, and return its status. Raises ChargeRefused."""
        ...
