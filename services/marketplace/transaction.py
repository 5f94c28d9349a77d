"""The unit of work of marketplace: its stores and ports.

Not here: queries (the stores), rules and use cases.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import Depends

from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.ids import named_id
from chassis.persistence import unit_of_work
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import StoreOf
from services.marketplace.batches.store import Batches, BatchNumberCounters, WorkLogs, WorkMonths
from services.marketplace.buyers.store import Guests
from services.marketplace.carts.store import Carts
from services.marketplace.ledger.store import Journals
from services.marketplace.orders.store import Orders
from services.marketplace.payment_simulator.store import SimulatedCharges
from services.marketplace.payments.store import PaymentEvents, RefusedNotifications
from services.marketplace.policies.store import Policies, PolicyScopes
from services.marketplace.products.store import Products
from services.marketplace.refunds.store import OwedRefunds
from services.marketplace.stock.store import Movements, Reservations, Stocks
from services.marketplace.tasks.store import Tasks
from services.marketplace.workers.store import Assignments, Workers
from services.marketplace.workshops.store import Workshops


class Transaction(unit_of_work.Transaction):
    """The stores and ports of marketplace.

    `checkout_hold`, `reservation_ttl` and `payment_grace` come from the settings.
    """

    service = "marketplace"

    checkout_hold: timedelta
    reservation_ttl: timedelta
    payment_grace: timedelta

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
    guests = StoreOf(Guests)
    owed_refunds = StoreOf(OwedRefunds)
    orders = StoreOf(Orders)
    payment_events = StoreOf(PaymentEvents)
    refused_notifications = StoreOf(RefusedNotifications)
    simulated_charges = StoreOf(SimulatedCharges)
    policies = StoreOf(Policies)
    policy_scopes = StoreOf(PolicyScopes)
    journals = StoreOf(Journals)
    tasks = StoreOf(Tasks)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]


def step_runner(run: Run) -> Runner[Transaction]:
    """Return a runner of the same request without its Idempotency-Key.

    A request needs one in two cases: a read before the transaction names the contended documents,
    or a remote call lies between two transactions. The Idempotency-Key belongs to the transaction
    that has the effect. The context is copied, so that each runner names its own use case in the
    audit rows.
    """
    return Runner(run.engine, replace(run.cause), run.seconds)


def run_within(run: Run, owner_id: str) -> RequestRunner[Transaction]:
    """Return the runner of a request whose Idempotency-Key counts within one cart or order.

    All anonymous callers have one subject: without this, they would share their keys.
    """
    if run.key is None:
        return run
    return replace(run, key=replace(run.key, id=named_id(run.key.id, owner_id)))
