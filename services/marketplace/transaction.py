"""What one unit of work of marketplace can reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.persistence import unit_of_work
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import StoreOf
from services.marketplace.batches.store import Batches, BatchNumberCounters, WorkLogs, WorkMonths
from services.marketplace.carts.store import Carts
from services.marketplace.ledger.store import Journals
from services.marketplace.orders.store import Orders
from services.marketplace.payment_simulator.store import SimulatedCharges
from services.marketplace.payments.store import PaymentEvents
from services.marketplace.policies.store import Policies, PolicyScopes
from services.marketplace.products.store import Products
from services.marketplace.stock.store import Movements, Reservations, Stocks
from services.marketplace.tasks.store import Tasks
from services.marketplace.workers.store import Assignments, Workers
from services.marketplace.workshops.store import Workshops


class Transaction(unit_of_work.Transaction):
    """The stores of marketplace."""

    service = "marketplace"

    workshops = StoreOf(Workshops)
    workers = StoreOf(Workers)
    assignments = StoreOf(Assignments)
    batches = StoreOf(Batches)
    batch_numbers = StoreOf(BatchNumberCounters)
    work_logs = StoreOf(WorkLogs)
    work_months = StoreOf(WorkMonths)
    products = StoreOf(Products)
    stocks = StoreOf(Stocks)
    movements = StoreOf(Movements)
    reservations = StoreOf(Reservations)
    carts = StoreOf(Carts)
    orders = StoreOf(Orders)
    payment_events = StoreOf(PaymentEvents)
    simulated_charges = StoreOf(SimulatedCharges)
    policies = StoreOf(Policies)
    policy_scopes = StoreOf(PolicyScopes)
    journals = StoreOf(Journals)
    tasks = StoreOf(Tasks)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]


def without_idempotency_key(run: Runner[Transaction]) -> Runner[Transaction]:
    """The same runner for a further transaction of one request: its Idempotency-Key belongs to the one that has the effect."""
    return replace(run, key=None)
