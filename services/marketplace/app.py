"""The composition root of marketplace: which routes, events, jobs and ports make the service."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from chassis.admin import auditor_api, operator_api
from chassis.app import factory, service
from chassis.jobs import scheduled_gauges
from chassis.jobs.runner import Job
from chassis.persistence.transactions import Runner
from services.marketplace import inbound
from services.marketplace.batches import api as batches
from services.marketplace.carts import api as carts
from services.marketplace.events import ProceedsSplit, WorkLogged
from services.marketplace.ledger import api as ledger
from services.marketplace.metrics.jobs import CHECK_INTERVAL_SECONDS, StockAndBooksCheck
from services.marketplace.migrations import MIGRATIONS
from services.marketplace.orders import api as orders
from services.marketplace.payment_simulator import api as sandbox
from services.marketplace.payment_simulator.usecases import PaymentSimulator
from services.marketplace.payments import api as payments
from services.marketplace.payments import payment_process
from services.marketplace.payments.provider import PaymentProvider
from services.marketplace.policies import api as policies
from services.marketplace.products import api as products
from services.marketplace.settings import MarketplaceSettings
from services.marketplace.stock import api as stock
from services.marketplace.tasks import api as tasks
from services.marketplace.transaction import Transaction
from services.marketplace.workers import api as workers
from services.marketplace.workshops import api as workshops

NOUNS = (
    workshops,
    workers,
    batches,
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
    """The ASGI app of marketplace."""
    gateway_for = _create_provider_factory(settings) if settings.provider == "sandbox" else None
    routers = [
        *(noun.router for noun in NOUNS),
        operator_api.router("marketplace"),
        auditor_api.create_router("marketplace"),
    ]
    jobs = [Job(scheduled_gauges.JOB, StockAndBooksCheck(), every=CHECK_INTERVAL_SECONDS)]
    if gateway_for is not None:
        routers.append(sandbox.router)
        jobs += [
            Job(
                "open-charges",
                partial(payment_process.open_charges, gateway_for, settings.payment_grace),
                every=15.0,
            ),
            Job("close-overdue", partial(payment_process.close_overdue, gateway_for), every=10.0),
        ]
    return factory.create_app(
        service.Service(
            name="marketplace",
            title="Bina: pasar, produksi dan pembagian hasil",
            settings=settings,
            transaction=Transaction,
            migrations=MIGRATIONS,
            routers=routers,
            published=(WorkLogged, ProceedsSplit),
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
                "payment_gateway": gateway_for,
                "reservation_ttl": settings.reservation_ttl,
                "payment_grace": settings.payment_grace,
            },
        )
    )


def _create_provider_factory(
    settings: MarketplaceSettings,
) -> payment_process.PaymentProviderFactory:
    key = settings.sandbox_key.get_secret_value()

    def gateway_for(run: Runner[Transaction]) -> PaymentProvider:
        return PaymentSimulator(key, run)

    return gateway_for
