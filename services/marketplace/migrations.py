"""Migrations of marketplace's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from chassis.app.migrations import add_fields, upgrade_documents
from chassis.persistence.mongo import Document
from chassis.tasks import TaskState
from services.marketplace.batches.store import WorkLogs
from services.marketplace.orders.store import Orders
from services.marketplace.payment_simulator.store import SimulatedCharges
from services.marketplace.payments.store import PaymentEvents
from services.marketplace.policies.store import Policies
from services.marketplace.tasks.rules import KINDS, TaskKind, due_on
from services.marketplace.tasks.store import Tasks


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


def _name_state_of_task(task: Document) -> Document:
    """Add role, due date and state of a task; an older one was settled in words only."""
    kind = TaskKind(task["kind"])
    is_done = task["done_at"] is not None
    return task | {
        "role": KINDS[kind].role,
        "due_on": due_on(kind, task["raised_at"]).isoformat(),
        "state": (TaskState.RESOLVED if is_done else TaskState.OPEN).value,
        "resolution": "",
    }


MIGRATIONS = (
    # schema 2 names the officials for whom deputies drafted and proposed
    upgrade_documents(Policies, {2: add_fields(drafted_for="", proposed_for="")}),
    # schema 2 has several attempts to pay one order, and refunds by key
    upgrade_documents(Orders, {2: _name_paying_transaction}),
    # schema 2 names the cell of a day grid as the officer's device does
    upgrade_documents(WorkLogs, {2: add_fields(client_ref="")}),
    # schema 2 has a closed list of resolutions
    upgrade_documents(Tasks, {2: _name_state_of_task}),
    upgrade_documents(PaymentEvents, {2: add_fields(refunded_idr=None)}),
    upgrade_documents(SimulatedCharges, {2: add_fields(method="qris", refunds=[])}),
)
