"""Documents that older versions of marketplace stored reach the schema of today."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from services.marketplace.batches.store import WorkLogs
from services.marketplace.migrations import MIGRATIONS
from services.marketplace.orders.rules import PaymentMethod
from services.marketplace.orders.store import Orders
from services.marketplace.payment_simulator.store import SimulatedCharges
from services.marketplace.payments.store import PaymentEvents
from services.marketplace.policies.store import Policies
from services.marketplace.tasks.store import Tasks
from tests import old_documents

DUMPS = Path(__file__).with_name("old_documents")


async def test_policies_of_schema_1_were_drafted_for_nobody_else(mongo_url: str) -> None:
    path = DUMPS / "split_policies-1.json"
    [policy] = await old_documents.check_upgrade(mongo_url, Policies, MIGRATIONS, path)
    assert (policy.drafted_for, policy.proposed_for) == ("", "")


async def test_orders_of_schema_1_had_one_attempt_which_paid_them(mongo_url: str) -> None:
    path = DUMPS / "orders-1.json"
    paid, unpaid = await old_documents.check_upgrade(mongo_url, Orders, MIGRATIONS, path)
    assert (paid.attempt, paid.method, paid.paid_by) == (
        1,
        "qris",
        f"sandbox/{paid.charge.txn_id}",
    )
    assert (unpaid.paid_by, unpaid.retry_at, unpaid.failures) == ("", None, 0)


async def test_payment_events_of_schema_1_name_no_refund(mongo_url: str) -> None:
    path = DUMPS / "payment_events-1.json"
    [event] = await old_documents.check_upgrade(mongo_url, PaymentEvents, MIGRATIONS, path)
    assert (event.status, event.refunded_idr) == ("settled", None)


async def test_simulated_charges_of_schema_1_were_qris_without_refunds(mongo_url: str) -> None:
    path = DUMPS / "sandbox_charges-1.json"
    paid, open_ = await old_documents.check_upgrade(mongo_url, SimulatedCharges, MIGRATIONS, path)
    assert [(charge.method, charge.refunds) for charge in (paid, open_)] == [
        (PaymentMethod.QRIS, ())
    ] * 2
    assert paid.unrefunded_idr == paid.amount_idr


async def test_work_logs_of_schema_1_are_of_no_cell(mongo_url: str) -> None:
    path = DUMPS / "work_logs-1.json"
    [log] = await old_documents.check_upgrade(mongo_url, WorkLogs, MIGRATIONS, path)
    assert (log.client_ref, log.work_units, log.edits[0].was_units) == ("", 2, 3)


async def test_tasks_of_schema_1_get_the_role_and_due_date_of_their_kind(mongo_url: str) -> None:
    path = DUMPS / "tasks-1.json"
    waiting, done = await old_documents.check_upgrade(mongo_url, Tasks, MIGRATIONS, path)
    assert (waiting.state, waiting.role, waiting.due_on) == (
        "OPEN",
        "store_officer",
        date(2026, 11, 30),
    )
    assert (done.state, done.resolution, done.outcome) == ("RESOLVED", "", "Pembeli dihubungi")
