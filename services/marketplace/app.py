"""The composition root of marketplace: its routes, events, jobs and ports.

Not here: any rule or route.
"""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from chassis.admin import auditor_api, operator_api
from chassis.app import factory, service
from chassis.jobs import scheduled_gauges
from chassis.jobs.runner import Job
from services.marketplace import inbound
from services.marketplace.batches import api as batches
from services.marketplace.batches import work_day_api as work_days
from services.marketplace.carts import api as carts
from services.marketplace.events import ProceedsSplit, ProceedsSplitReversed, WorkLogged
from services.marketplace.ledger import api as ledger
from services.marketplace.metrics.jobs import CHECK_INTERVAL_SECONDS, check_stock_and_books
from services.marketplace.migrations import MIGRATIONS
from services.marketplace.orders import api as orders
from services.marketplace.payment_simulator import api as payment_simulator
from services.marketplace.payment_simulator.usecases import PaymentSimulator, SimulatorFactory
from services.marketplace.payments import api as payments
from services.marketplace.payments import payment_process
from services.marketplace.policies import api as policies
from services.marketplace.products import api as products
from services.marketplace.settings import MarketplaceSettings
from services.marketplace.stock import api as stock
from services.marketplace.tasks import api as tasks
from services.marketplace.transaction import Transaction
from services.marketplace.workers import api as workers
from services.marketplace.workshops import api as workshops

OPEN_CHARGES_SECONDS = 15.0
CLOSE_OVERDUE_SECONDS = 10.0
SEND_REFUNDS_SECONDS = 60.0

NOUNS = (
    workshops,
    workers,
    batches,
    work_days,
    products,
    stock,
    carts,
    orders,
    payments,
    policies,
    ledger,
    tasks,
)


def create_app(settings: MarketplaceSettings) -> FastAPI:
    """Return the ASGI app of marketplace."""
    routers = [
        *(noun.router for noun in NOUNS),
        payments.order_router,
        operator_api.router("marketplace"),
        auditor_api.create_router("marketplace"),
    ]
    jobs = [Job(scheduled_gauges.JOB, check_stock_and_books, every=CHECK_INTERVAL_SECONDS)]
    provider_factory = None
    if settings.provider == "sandbox":
        provider_factory = _create_simulator_factory(settings)
        routers.append(payment_simulator.router)
        jobs += _create_payment_jobs(provider_factory)
    return factory.create_app(
        service.Service(
            name="marketplace",
            title="Bina: pasar, produksi dan pembagian hasil",
            settings=settings,
            transaction=Transaction,
            migrations=MIGRATIONS,
            routers=routers,
            published=(WorkLogged, ProceedsSplit, ProceedsSplitReversed),
            handlers={
                "training.events": {
                    inbound.WorkEligibilityDecided: inbound.on_work_eligibility_decided,
                    inbound.ParticipantAdmitted: inbound.on_participant_admitted,
                    inbound.ParticipantReturned: inbound.on_participant_returned,
                    inbound.ParticipantAbsent: inbound.on_participant_absent,
                    inbound.ParticipantReleased: inbound.on_participant_released,
                    inbound.ParticipantTransferred: inbound.on_participant_transferred,
                    inbound.ParticipantMerged: inbound.on_participant_merged,
                }
            },
            jobs=jobs,
            ports={
                "payment_provider_factory": provider_factory,
                "checkout_hold": settings.checkout_hold,
                "reservation_ttl": settings.reservation_ttl,
                "payment_grace": settings.payment_grace,
            },
        )
    )


def _create_simulator_factory(settings: MarketplaceSettings) -> SimulatorFactory:
    return partial(PaymentSimulator, settings.sandbox_key.get_secret_value())


def _create_payment_jobs(provider_factory: payment_process.PaymentProviderFactory) -> list[Job]:
    return [
        Job(
            "open-charges",
            partial(payment_process.open_charges, provider_factory),
            every=OPEN_CHARGES_SECONDS,
        ),
        Job(
            "close-overdue",
            partial(payment_process.close_overdue, provider_factory),
            every=CLOSE_OVERDUE_SECONDS,
        ),
        Job(
            "send-refunds",
            partial(payment_process.send_refunds, provider_factory),
            every=SEND_REFUNDS_SECONDS,
        ),
    ]
