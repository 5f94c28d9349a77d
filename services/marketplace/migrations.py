"""Migrations of marketplace's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from chassis.app.migrations import add_fields, upgrade_documents
from chassis.persistence.mongo import Document
from services.marketplace.batches.store import WorkLogs
from services.marketplace.orders.store import Orders
from services.marketplace.payment_simulator.store import SimulatedCharges
from services.marketplace.payments.store import PaymentEvents
from services.marketplace.policies.store import Policies


def _name_paying_transaction(order: Document) -> Document:
    """Add the fields of payment attempts; the only charge of an older order paid it."""
    charge = order["charge"]
    paid_by = ""
    if charge is not None and order["paid_at"] is not None:
        paid_by = f"{charge['provider']}/{charge['txn_id']}"
    return order | {
        "method": None if charge is None else charge["method"],
        "attempt": 1,
        "is_replacing": False,
        "paid_by": paid_by,
        "failures": 0,
        "retry_at": None,
    }


MIGRATIONS = (
    # schema 2 names the officials for whom deputies drafted and proposed
    upgrade_documents(Policies, {2: add_fields(drafted_for="", proposed_for="")}),
    # schema 2 has several attempts to pay one order, and refunds by key
    upgrade_documents(Orders, {2: _name_paying_transaction}),
    # schema 2 names the cell of a day grid as the officer's device does
    upgrade_documents(WorkLogs, {2: add_fields(client_ref="")}),
    upgrade_documents(PaymentEvents, {2: add_fields(refunded_idr=None)}),
    upgrade_documents(SimulatedCharges, {2: add_fields(method="qris", refunds=[])}),
)
