"""Rules of the payment simulator."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.marketplace.money import Rupiah
from services.marketplace.orders.rules import PaymentMethod
from services.marketplace.payment_simulator import rules as simulator
from services.marketplace.payment_simulator.rules import Command
from services.marketplace.payments import midtrans, rules
from services.marketplace.payments.rules import PaymentStatus

KEY = "SB-Mid-server-TESTKEY"
NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)


def test_a_notification_of_the_simulator_is_valid() -> None:
    charge = simulator.open_charge("o-1", Rupiah(100_000), PaymentMethod.QRIS, NOW)
    paid = simulator.execute(charge, Command.PAY, NOW)
    [body] = simulator.build_notifications(paid, Command.PAY, KEY, NOW)
    verified = midtrans.verify_signature(midtrans.parse_notification(body), KEY)
    observation = midtrans.to_observation(verified, provider="sandbox", body=body)
    assert observation.status is PaymentStatus.SETTLED
    assert observation.amount_idr == 100_000
    assert observation.merchant == simulator.MERCHANT
    assert observation.order_ref == "o-1"


def test_a_charge_expires_by_itself_and_is_then_not_payable() -> None:
    charge = simulator.open_charge("o-1", Rupiah(100_000), PaymentMethod.QRIS, NOW)
    later = charge.expires_at
    assert simulator.current_status(charge, later) == "expire"
    with pytest.raises(rules.ChargeRefused):
        simulator.execute(charge, Command.PAY, later)
