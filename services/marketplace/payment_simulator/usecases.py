"""The payment simulator: the port of a provider over charges in our own database.

The settings refuse it in production.
Not here: rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from chassis.persistence.transactions import Runner
from services.marketplace.money import Rupiah
from services.marketplace.orders.rules import Charge, PaymentMethod
from services.marketplace.payment_simulator import rules
from services.marketplace.payment_simulator.rules import (
    MERCHANT,
    PROVIDER,
    SIMULATED_BANK,
    Command,
    SimulatedCharge,
)
from services.marketplace.payments import midtrans
from services.marketplace.payments.rules import Observation
from services.marketplace.transaction import Transaction


class PaymentSimulator:
    """A PaymentProvider that reaches its charges through `run`."""

    name = PROVIDER
    merchant = MERCHANT

    def __init__(self, key: str, run: Runner[Transaction]) -> None:
        self._key = key
        self._run = run

    async def charge(self, order_ref: str, amount_idr: Rupiah, method: PaymentMethod) -> Charge:
        """Open a charge, or return the open charge of this reference."""
        charge = await self._run(partial(open_charge, order_ref, amount_idr, method))
        is_qris = charge.method is PaymentMethod.QRIS
        return Charge(
            provider=PROVIDER,
            order_ref=charge.id,
            txn_id=charge.txn_id,
            method=charge.method,
            expires_at=charge.expires_at,
            qr_string=charge.qr_string if is_qris else "",
            va_bank="" if is_qris else SIMULATED_BANK,
            va_number="" if is_qris else charge.va_number,
        )

    def verify(self, headers: Mapping[str, str], body: bytes) -> Observation:
        """Return what a signed notification says."""
        del headers  # Midtrans signs in the body
        notification = midtrans.parse_notification(body)
        verified = midtrans.verify_signature(notification, self._key)
        return midtrans.to_observation(verified, provider=PROVIDER, body=body)

    async def fetch_status(self, order_ref: str) -> Observation | None:
        """Query the status of a charge; None when there is none."""
        body = await self._run(partial(read_status, order_ref, self._key))
        return None if body is None else self.verify({}, body)

    async def cancel(self, order_ref: str) -> Observation | None:
        """Cancel a pending charge and return its status."""
        await self._run(partial(cancel, order_ref))
        return await self.fetch_status(order_ref)

    async def refund(
        self, order_ref: str, refund_key: str, amount_idr: Rupiah
    ) -> Observation | None:
        """Refund a paid charge, once per key, and return its status."""
        await self._run(partial(refund, order_ref, refund_key, amount_idr))
        return await self.fetch_status(order_ref)

    async def execute(self, order_ref: str, command: Command) -> list[bytes]:
        """Execute a tester's command; returns the notifications that follow."""
        return await self._run(partial(execute_command, order_ref, command, self._key))


SimulatorFactory = Callable[[Runner[Transaction]], PaymentSimulator]


async def open_charge(
    order_ref: str, amount_idr: Rupiah, method: PaymentMethod, tx: Transaction
) -> SimulatedCharge:
    """Open a charge, once per reference."""
    stored = await tx.simulated_charges.seek(order_ref)
    if stored is not None:
        return stored
    return tx.simulated_charges.add(rules.open_charge(order_ref, amount_idr, method, tx.now))


async def read_status(order_ref: str, key: str, tx: Transaction) -> bytes | None:
    """Return the signed status of a charge; None when there is none."""
    charge = await tx.simulated_charges.seek(order_ref)
    if charge is None:
        return None
    return rules.build_notification(charge, rules.current_status(charge, tx.now), key)


async def cancel(order_ref: str, tx: Transaction) -> None:
    """Cancel a charge that is pending."""
    before = await tx.simulated_charges.seek(order_ref)
    if before is None:
        return
    after = rules.cancel(before, tx.now)
    if after != before:
        tx.simulated_charges.save(before, after)


async def refund(order_ref: str, refund_key: str, amount_idr: Rupiah, tx: Transaction) -> None:
    """Refund a paid charge, once per key."""
    before = await tx.simulated_charges.get(order_ref)
    after = rules.refund(before, refund_key, amount_idr)
    if after != before:
        tx.simulated_charges.save(before, after)


async def execute_command(
    order_ref: str, command: Command, key: str, tx: Transaction
) -> list[bytes]:
    """Execute a tester's command on a charge; returns the notifications that follow."""
    before = await tx.simulated_charges.get(order_ref)
    after = rules.execute(before, command, tx.now)
    if after != before:
        after = tx.simulated_charges.save(before, after)
    return rules.build_notifications(after, command, key, tx.now)
