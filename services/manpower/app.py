"""The composition root of manpower: its routes, events, jobs and ports. Not here: any logic."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from chassis.admin import auditor_api, operator_api
from chassis.app import factory, service
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.http.service_client import ServiceClient
from chassis.jobs import scheduled_gauges
from chassis.jobs.runner import Job
from services.manpower.agencies import api as agencies
from services.manpower.applications import api as applications
from services.manpower.candidates import api as candidates
from services.manpower.consents import api as consents
from services.manpower.consents.usecases import EXPIRY_JOB, end_expired_consents
from services.manpower.consumers import api as consumers
from services.manpower.credentials import api as credentials
from services.manpower.events import PlacementConfirmed
from services.manpower.feed import api as feed
from services.manpower.feed.usecases import (
    NUMBERING_JOB,
    RETENTION_JOB,
    drop_old_entries,
    number_changes,
)
from services.manpower.grants.jobs import GRANTING_JOB, apply_grant_orders
from services.manpower.inbound import HANDLERS
from services.manpower.metrics.jobs import measure
from services.manpower.migrations import MIGRATIONS
from services.manpower.placements import api as placements
from services.manpower.placements import snapshot_process
from services.manpower.production import api as production
from services.manpower.settings import ManpowerSettings
from services.manpower.transaction import Transaction
from services.manpower.vacancies import api as vacancies

NUMBERING_SECONDS = 2.0
RETENTION_SECONDS = 3600.0
EXPIRY_SECONDS = 15.0
GRANTING_SECONDS = 2.0


def create_app(settings: ManpowerSettings) -> FastAPI:
    """Return the app of the service with these settings."""
    signer = InternalTokenSigner("manpower", settings.signing_key.get_secret_value())
    gateway = ServiceClient("gateway", settings.gateway_url, signer)
    return factory.create_app(
        service.Service(
            name="manpower",
            title="Bina manpower",
            settings=settings,
            transaction=Transaction,
            migrations=MIGRATIONS,
            routers=(
                agencies.router,
                consumers.router,
                credentials.router,
                candidates.router,
                consents.candidate_router,
                consents.router,
                feed.router,
                vacancies.router,
                applications.vacancy_router,
                applications.router,
                placements.router,
                snapshot_process.router,
                production.router,
                operator_api.router("manpower"),
                auditor_api.create_router("manpower"),
            ),
            published=(PlacementConfirmed,),
            handlers=HANDLERS,
            jobs=(
                Job(NUMBERING_JOB, number_changes, every=NUMBERING_SECONDS),
                Job(RETENTION_JOB, drop_old_entries, every=RETENTION_SECONDS),
                Job(EXPIRY_JOB, end_expired_consents, every=EXPIRY_SECONDS),
                Job(GRANTING_JOB, partial(apply_grant_orders, gateway), every=GRANTING_SECONDS),
                Job(scheduled_gauges.JOB, measure, every=scheduled_gauges.EVERY_SECONDS),
            ),
            ports={
                "training": ServiceClient("training", settings.training_url, signer),
                "gateway": gateway,
            },
        )
    )
