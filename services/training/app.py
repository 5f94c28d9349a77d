"""The composition root of training: routes, handlers, published events, jobs and ports.

Not here: any rule, use case or query.
"""

from __future__ import annotations

from fastapi import FastAPI

from chassis import telemetry
from chassis.admin import auditor_api, operator_api
from chassis.admin.projections import Projection
from chassis.app import factory, service
from chassis.files import uploads
from chassis.files.encryption import FileKeys
from chassis.files.virus_scanner import VirusScanner
from chassis.jobs import scheduled_gauges
from chassis.jobs.keyed_jobs import KeyedJob
from chassis.jobs.runner import Job
from chassis.persistence.field_encryption import FieldCipher, KeyRing, LookupKeys
from services.training import events, inbound
from services.training.applications import api as applications
from services.training.attendance import api as attendance
from services.training.classes import api as classes
from services.training.enrolments import api as enrolments
from services.training.enrolments import roster_api
from services.training.enrolments.jobs import publish_suspensions
from services.training.facilities import api as facilities
from services.training.identities import api as identities
from services.training.keyed_values import keyed_stores
from services.training.mappings import api as mappings
from services.training.mappings.jobs import report_broken
from services.training.mappings.rules import load_mappings
from services.training.merges import api as merges
from services.training.merges.jobs import merge_same_niks
from services.training.metrics.jobs import measure
from services.training.migrations import MIGRATIONS
from services.training.participants import api as participants
from services.training.programmes import api as programmes
from services.training.sessions import api as sessions
from services.training.settings import TrainingSettings
from services.training.snapshots import api as snapshots
from services.training.snapshots import upload_api
from services.training.snapshots.chunks import APPLY_JOB
from services.training.snapshots.jobs import apply_next, find_facilities
from services.training.snapshots.upload_process import UPLOADS, create_sandbox
from services.training.suitability import api as suitability
from services.training.tasks import api as tasks
from services.training.timeline import api as timeline
from services.training.timeline.store import Timeline
from services.training.tpp import api as tpp
from services.training.transaction import Transaction

log = telemetry.log(__name__)
ROUTERS = (
    facilities.router,
    mappings.router,
    snapshots.router,
    upload_api.router,
    participants.router,
    merges.router,
    identities.router,
    timeline.router,
    programmes.router,
    classes.router,
    enrolments.class_router,
    sessions.router,
    attendance.router,
    applications.router,
    tpp.router,
    applications.decisions_router,
    suitability.router,
    enrolments.router,
    roster_api.router,
    tasks.router,
)
HANDLERS = {
    "training.events": dict.fromkeys(inbound.TRAINING_EVENTS, inbound.on_participant_event)
    | {
        inbound.ParticipantMerged: inbound.on_participant_merged,
        inbound.ClassOpened: inbound.on_class_event,
        inbound.SessionHeld: inbound.on_class_event,
    },
    "certification.events": dict.fromkeys(
        inbound.CERTIFICATION_EVENTS, inbound.on_participant_event
    ),
    "manpower.events": dict.fromkeys(inbound.MANPOWER_EVENTS, inbound.on_participant_event),
}
TIMELINE = Projection(
    name="timeline",
    store=Timeline,
    handlers=HANDLERS["training.events"],
    own={"source": "bina/training"},
    recorded_at="recorded_at",
)


def create_app(settings: TrainingSettings) -> FastAPI:
    """Return the training service with these settings."""
    master_keys = KeyRing.of("master_key", settings.master_key, settings.former_master_key)
    cipher = FieldCipher(master_keys)
    lookup_keys = LookupKeys(
        KeyRing.of("lookup_key", settings.lookup_key, settings.former_lookup_key)
    )
    apply_snapshots = KeyedJob(
        name=APPLY_JOB,
        holder=f"training/{settings.replica}",
        find_keys=find_facilities,
        step=apply_next,
    )
    file_mappings = load_mappings(settings.mappings)
    for broken in file_mappings.broken.values():
        log.error("mapping_broken", facility=broken.code, setting=broken.setting, word=broken.word)
    return factory.create_app(
        service.Service(
            name="training",
            title="Bina: pelatihan",
            settings=settings,
            transaction=Transaction,
            migrations=MIGRATIONS,
            keyed_stores=keyed_stores(cipher, lookup_keys),
            routers=(
                *ROUTERS,
                operator_api.router("training", [TIMELINE]),
                auditor_api.create_router("training"),
            ),
            published=events.PUBLISHED,
            handlers=HANDLERS,
            jobs=(
                Job(APPLY_JOB, apply_snapshots, every=5.0, is_shared=True),
                Job(uploads.SWEEP_JOB, uploads.sweep_uploads, every=uploads.SWEEP_EVERY_SECONDS),
                Job("report-broken-mappings", report_broken, every=600.0),
                Job("merge-same-numbers", merge_same_niks, every=600.0),
                Job("publish-suspensions", publish_suspensions, every=300.0),
                Job(scheduled_gauges.JOB, measure, every=scheduled_gauges.EVERY_SECONDS),
            ),
            notices=[str(broken) for broken in file_mappings.broken.values()],
            ports={
                "cipher": cipher,
                "lookup_keys": lookup_keys,
                "file_mappings": file_mappings,
                "sandbox": create_sandbox(),
                "scanner": VirusScanner(settings.clamd),
                "upload_slots": uploads.UploadSlots(UPLOADS),
                "file_keys": FileKeys(master_keys),
                "names_per_day": settings.names_per_day,
            },
        )
    )
