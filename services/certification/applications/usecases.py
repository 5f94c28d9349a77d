"""What happens: applications from the completed course to the assessor's recommendation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from chassis.errors import Refused
from chassis.ids import new_id
from chassis.persistence.store import Page
from services.certification.applications import rules
from services.certification.applications.rules import (
    Application,
    ApplicationForm,
    ApplicationState,
    ApplicationStateDiffers,
    Assignment,
    Result,
    SelfAssessment,
)
from services.certification.assessors import rules as assessors
from services.certification.certificates.rules import WESTERN_INDONESIA
from services.certification.lsps.rules import reasons_against_certification
from services.certification.names.rules import clean_name
from services.certification.origins.rules import Origin
from services.certification.schedules import rules as schedules
from services.certification.schedules.rules import Booking
from services.certification.schemes.rules import Scheme, SchemeUnknown
from services.certification.transaction import Transaction
from services.certification.vault import FieldCipher
from services.certification.venues import rules as venues


class NameDiffers(Refused):
    title = "Nama yang dikonfirmasi tidak sama dengan nama yang tersimpan"
    field = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationDetails:
    """An application with what the caller may see of where it comes from, and the edition it is, or would be, assessed by."""

    application: Application
    origin: Origin | None
    scheme: Scheme


async def open_application(origin: Origin, scheme: Scheme, tx: Transaction) -> None:
    """A completed course opens one application, however often it is told."""
    if await tx.origins.find_by_enrolment(origin.enrolment_id) is not None:
        return
    tx.origins.add(origin)
    application, events = rules.open_application(
        new_id(), origin, scheme, tx.now.astimezone(WESTERN_INDONESIA).date()
    )
    tx.applications.add(application, events)


async def view(application_id: str, tx: Transaction) -> ApplicationDetails:
    """One of the caller's applications."""
    application = await tx.applications.get(application_id)
    tx.note("applications.read", application.id, person=application.origin_ref)
    return ApplicationDetails(
        application=application,
        origin=await tx.origins.seek(application.origin_ref),
        scheme=await _read_edition(application, tx),
    )


async def listed(
    state: ApplicationState | None,
    participant_ref: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Application]:
    """The caller's applications, of one state or one person if so asked."""
    origins = (
        None
        if participant_ref is None
        else [
            origin.id
            for origin in await tx.origins.list_by_participant(await tx.resolve(participant_ref))
        ]
    )
    page = await tx.applications.list_page(state, origins, cursor, limit)
    tx.note(
        "applications.listed",
        "",
        refs=sorted({application.origin_ref for application in page.items}),
    )
    return page


async def submit_form(application_id: str, form: ApplicationForm, tx: Transaction) -> Application:
    """FR.APL.01."""
    before = await tx.applications.get(application_id)
    return tx.applications.save(before, rules.submit_form(before, form))


async def submit_self_assessment(
    application_id: str, assessment: SelfAssessment, tx: Transaction
) -> Application:
    """FR.APL.02."""
    before = await tx.applications.get(application_id)
    return tx.applications.save(
        before, rules.submit_self_assessment(before, assessment, await _read_edition(before, tx))
    )


async def assign(
    application_id: str, assessor_id: str, venue_id: str, held_on: date, tx: Transaction
) -> Application:
    """Assessor, venue and day, if every rule of certification section 8 allows; the scheme's newest edition is frozen."""
    before = await tx.applications.get(application_id)
    lsp, assessor, venue = (
        await tx.lsps.get(before.lsp_id),
        await tx.assessors.get(assessor_id),
        await tx.venues.get(venue_id),
    )
    scheme = await tx.schemes.find_newest(before.scheme_ref)
    if scheme is None or {assessor.lsp_id, venue.lsp_id} != {lsp.id}:
        raise ApplicationStateDiffers(state=before.state.value)
    origin = await tx.origins.get(before.origin_ref)
    booking = Booking(application_id=before.id, venue_id=venue.id, scheme_ref=scheme.ref)
    await _release_days(before, tx)
    assessor_day = await tx.booking_days.get_or_empty(
        schedules.assessor_day_id(assessor.met_no, held_on)
    )
    venue_day = await tx.booking_days.get_or_empty(schedules.venue_day_id(venue.id, held_on))
    reasons = [
        *assessors.reasons_against_assessment(
            assessor, scheme.ref, held_on, origin.instructor_refs
        ),
        *venues.reasons_against_use(venue, scheme.ref, held_on),
        *schedules.reasons_against_booking_assessor(
            assessor_day, booking, scheme.terms.asesi_per_assessor
        ),
        *schedules.reasons_against_booking_venue(venue_day, booking, venue.places_per_day),
        *reasons_against_certification(lsp, scheme.ref, held_on),
    ]
    assignment = Assignment(
        assessor_id=assessor.id,
        met_no=assessor.met_no,
        assessor_name=assessor.name,
        venue_id=venue.id,
        held_on=held_on,
    )
    after = rules.assign(before, scheme, assignment, reasons)
    tx.lsps.hold(lsp)
    tx.assessors.hold(assessor)
    tx.venues.hold(venue)
    for day in (assessor_day, venue_day):
        tx.booking_days.put(day, schedules.book(day, booking))
    return tx.applications.save(before, after)


async def declare(application_id: str, conflict: bool, tx: Transaction) -> Application:  # noqa: FBT001 - a use case takes its values one by one
    """The assessor's word on conflicts of interest."""
    before = await tx.applications.get(application_id)
    after = rules.declare_conflict(before, has_conflict=conflict)
    if conflict:
        await _release_days(before, tx)
    return tx.applications.save(before, after)


async def record_results(
    application_id: str, results: Mapping[str, Result], tx: Transaction
) -> Application:
    """Results of units; an upload that is repeated changes nothing."""
    before = await tx.applications.get(application_id)
    after = rules.record_results(
        before,
        await _read_edition(before, tx),
        results,
        tx.now.astimezone(WESTERN_INDONESIA).date(),
    )
    return before if after == before else tx.applications.save(before, after)


async def recommend(application_id: str, competent: bool, tx: Transaction) -> Application:  # noqa: FBT001 - a use case takes its values one by one
    """The assessor's recommendation."""
    before = await tx.applications.get(application_id)
    origin = await tx.origins.get(before.origin_ref, scoped=False)
    after, events = rules.recommend(
        before,
        await _read_edition(before, tx),
        origin,
        competent=competent,
        by=tx.caller.actor,
        now=tx.now,
    )
    return tx.applications.save(before, after, events)


async def person_behind(application_id: str, tx: Transaction) -> str:
    """Whose name is to be asked for; the asking is noted."""
    application = await tx.applications.get(application_id)
    origin = await tx.origins.get(application.origin_ref)
    tx.note(
        "name.asked",
        origin.participant_ref,
        purpose="print-certificate",
        application=application.id,
    )
    return origin.participant_ref


async def note_name_unavailable(application_id: str, tx: Transaction) -> None:
    """Training knows nobody behind this application; that is noted, for whoever asks why no name was printed."""
    application = await tx.applications.get(application_id)
    origin = await tx.origins.get(application.origin_ref)
    tx.note(
        "name.unknown",
        origin.participant_ref,
        purpose="print-certificate",
        application=application.id,
    )


async def propose_name(application_id: str, name: str, tx: Transaction) -> Application:
    """The name that training holds, sealed; a second person confirms it. NameUnfit when it cannot be signed."""
    before = await tx.applications.get(application_id)
    sealed = _vault(tx).encrypt(clean_name(name), name_context(before.id))
    return tx.applications.save(before, rules.propose_name(before, sealed, tx.caller.actor, tx.now))


async def read_name(application_id: str, tx: Transaction) -> tuple[Application, str]:
    """The name that would be signed, for the person who confirms it; the reading is noted."""
    application = await tx.applications.get(application_id)
    if application.name is None:
        raise rules.NameNotFetched
    tx.note("name.read", application.origin_ref, purpose="confirm-name", application=application.id)
    return application, _vault(tx).decrypt(application.name.sealed, name_context(application.id))


async def confirm_name(application_id: str, name: str, tx: Transaction) -> Application:
    """A second person says that this very name is right."""
    before = await tx.applications.get(application_id)
    after = rules.confirm_name(before, tx.caller.actor, tx.now)
    if before.name is None or _vault(tx).decrypt(
        before.name.sealed, name_context(before.id)
    ) != clean_name(name):
        raise NameDiffers
    return tx.applications.save(before, after)


def name_context(application_id: str) -> str:
    """Where the sealed name of an application belongs."""
    return f"application/{application_id}/name"


def contended_documents(assessor_id: str, venue_id: str, held_on: date) -> list[str]:
    """What assignments of one day write at once."""
    return [f"assessor/{assessor_id}", f"venue/{venue_id}/{held_on}"]


async def _read_edition(application: Application, tx: Transaction) -> Scheme:
    """The frozen edition, or the newest while none is frozen; unscoped, for who sees the application may see its units."""
    scheme = (
        await tx.schemes.find_newest(application.scheme_ref)
        if application.scheme_id is None
        else await tx.schemes.get(application.scheme_id, scoped=False)
    )
    if scheme is None:
        raise SchemeUnknown
    return scheme


async def _release_days(application: Application, tx: Transaction) -> None:
    """Give back the days of the assignment that falls."""
    if (assignment := application.assignment) is not None:
        for day_id in (
            schedules.assessor_day_id(assignment.met_no, assignment.held_on),
            schedules.venue_day_id(assignment.venue_id, assignment.held_on),
        ):
            day = await tx.booking_days.get_or_empty(day_id)
            tx.booking_days.put(day, schedules.release(day, application.id))


def _vault(tx: Transaction) -> FieldCipher:
    return tx.cipher
