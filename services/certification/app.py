"""The composition root of certification."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from chassis.admin import auditor_api, operator_api
from chassis.app import factory, service
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.http.service_client import ServiceClient
from chassis.jobs import scheduled_gauges
from chassis.jobs.runner import Job
from chassis.persistence.field_encryption import FieldCipher, KeyRing
from services.certification import events
from services.certification.applications.api import router as applications
from services.certification.applications.roster_api import router as application_rosters
from services.certification.assessors.api import router as assessors
from services.certification.certificates.api import router as certificates
from services.certification.certificates.jobs import sign_reserved
from services.certification.certificates.reissue_process import reissue
from services.certification.certificates.usecases import SIGN_JOB
from services.certification.inbound import (
    CourseCompleted,
    ParticipantMerged,
    on_course_completed,
    on_participant_merged,
)
from services.certification.keyed_values import keyed_stores
from services.certification.lsps.api import public as issuers
from services.certification.lsps.api import router as lsps
from services.certification.lsps.signer import FileSigner, Signer
from services.certification.lsps.usecases import REISSUE_JOB
from services.certification.metrics.jobs import measure
from services.certification.migrations import MIGRATIONS
from services.certification.panels.api import router as panels
from services.certification.schemes.api import router as schemes
from services.certification.settings import CertificationSettings
from services.certification.statuslists.api import public as status_lists
from services.certification.statuslists.jobs import publish_lists
from services.certification.statuslists.pool import SlotPool
from services.certification.statuslists.usecases import PUBLISH_JOB
from services.certification.transaction import Transaction
from services.certification.venues.api import router as venues
from services.certification.verifications.api import public as verifications

SIGN_SECONDS = 5.0
REISSUE_SECONDS = 30.0
MAX_PUBLISH_SECONDS = 30.0
CHECKS_PER_TICK = 4


def create_app(settings: CertificationSettings, signer: Signer | None = None) -> FastAPI:
    """Return the app of the service with these settings.

    `signer` is the port to the issuers' private keys, by default their files.
    """
    cipher = FieldCipher(KeyRing.of("name_key", settings.name_key, settings.former_name_key))
    issuer_signer = signer or FileSigner(settings.keys_dir)
    token_signer = InternalTokenSigner("certification", settings.signing_key.get_secret_value())
    training = ServiceClient("training", settings.training_url, token_signer)
    slot_pool = SlotPool()
    return factory.create_app(
        service.Service(
            name="certification",
            settings=settings,
            transaction=Transaction,
            routers=(
                lsps,
                schemes,
                assessors,
                venues,
                applications,
                application_rosters,
                panels,
                certificates,
                issuers,
                status_lists,
                verifications,
                operator_api.router("certification"),
                auditor_api.create_router("certification"),
            ),
            published=(
                events.ApplicationOpened,
                events.CompetencyAssessed,
                events.CertificateIssued,
                events.CertificateRevoked,
                events.CertificateSuspended,
                events.CertificateReinstated,
                events.CertificateReplaced,
            ),
            handlers={
                "training.events": {
                    CourseCompleted: on_course_completed,
                    ParticipantMerged: on_participant_merged,
                }
            },
            migrations=MIGRATIONS,
            keyed_stores=keyed_stores(cipher),
            jobs=(
                Job(SIGN_JOB, partial(sign_reserved, issuer_signer, cipher), every=SIGN_SECONDS),
                Job(REISSUE_JOB, partial(reissue, slot_pool), every=REISSUE_SECONDS),
                Job(
                    PUBLISH_JOB,
                    partial(publish_lists, issuer_signer, settings.tick),
                    every=min(MAX_PUBLISH_SECONDS, settings.tick_seconds / CHECKS_PER_TICK),
                ),
                Job(scheduled_gauges.JOB, measure, every=scheduled_gauges.EVERY_SECONDS),
            ),
            ports={
                "cipher": cipher,
                "public_origin": settings.public_origin,
                "signer": issuer_signer,
                "training": training,
                "slot_pool": slot_pool,
            },
        )
    )
