"""What happens at the sandbox gateway: the port of a provider, over charges kept in our own database. Refused in production by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from chassis.persistence.transactions import Runner
from services.marketplace.money import Rupiah
from services.marketplace.payment_simulator import rules
from services.marketplace.payment_simulator.rules import (
    MERCHANT,
    PROVIDER,
    Command,
    SimulatedCharge,
)
from services.marketplace.payments import midtrans
from services.marketplace.payments.rules import Charge, Observation
from services.marketplace.transaction import Transaction


class PaymentSimulator:
    """A PaymentProvider. `run` is how it reaches its charges."""

    name = PROVIDER
    merchant = MERCHANT

    def __init__(self, key: str, run: Runner[Transaction]) -> None:
        self._key, self._run = key, run

    async def charge(self, order_ref: str, amount_idr: Rupiah) -> Charge:
        """Open a charge, or give the one that is open under this reference."""
        charge = await self._run(partial(open_charge, order_ref, amount_idr))
        return Charge(
            provider=PROVIDER,
            order_ref=charge.id,
            txn_id=charge.txn_id,
            method="qris",
            qr_string=charge.qr_string,
            expires_at=charge.expires_at,
        )

    def verify(self, headers: Mapping[str, str], body: bytes) -> Observation:
        """What a notification says, if its signature is ours."""
        del headers  # Midtrans signs in the body
        return midtrans.to_observation(
            midtrans.verify_signature(midtrans.parse_notification(body), self._key),
            provider=PROVIDER,
            body=body,
        )

    async def fetch_status(self, order_ref: str) -> Observation | None:
        """What the sandbox says of a charge when asked."""
        body = await self._run(partial(read_status, order_ref, self._key))
        return None if body is None else self.verify({}, body)

    async def cancel(self, order_ref: str) -> Observation | None:
        """Close a pending charge; what the sandbox says of it afterwards."""
        await self._run(partial(cancel, order_ref))
        return await self.fetch_status(order_ref)

    async def execute(self, order_ref: str, command: Command) -> list[bytes]:
        """Do what a tester wants; the notifications that are sent then."""
        return await self._run(partial(execute_command, order_ref, command, self._key))


async def open_charge(order_ref: str, amount_idr: Rupiah, tx: Transaction) -> SimulatedCharge:
    """Open a charge once."""
    known = await tx.simulated_charges.seek(order_ref)
    return known or tx.simulated_charges.add(rules.open_charge(order_ref, amount_idr, tx.now))


async def read_status(order_ref: str, key: str, tx: Transaction) -> bytes | None:
    """The signed status of a charge."""
    charge = await tx.simulated_charges.seek(order_ref)
    return (
        None
        if charge is None
        else rules.build_notification(charge, rules.current_status(charge, tx.now), key)
    )


async def cancel(order_ref: str, tx: Transaction) -> None:
    """Cancel a charge that is pending."""
    charge = await tx.simulated_charges.seek(order_ref)
    if charge is not None and (after := rules.cancel(charge, tx.now)) != charge:
        tx.simulated_charges.save(charge, after)


async def execute_command(
    order_ref: str, command: Command, key: str, tx: Transaction
) -> list[bytes]:
    """Do what a tester wants with a charge."""
    charge = await tx.simulated_charges.get(order_ref)
    after = rules.execute(charge, command, tx.now)
    kept = tx.simulated_charges.save(charge, after) if after != charge else charge
    return rules.build_notifications(kept, command, key, tx.now)
