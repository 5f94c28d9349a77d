"""Use cases of applications, from the completed course to the assessor's recommendation.

Not here: the request to training for a name (name_process).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.certification.applications import candidate_names, forms, rules
from services.certification.applications import results as results_rules
from services.certification.applications.candidate_names import CandidateName
from services.certification.applications.rules import (
    Application,
    ApplicationForm,
    ApplicationState,
    Assignment,
    CompetencyResult,
    SelfAssessment,
)
from services.certification.assessors import rules as assessors
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.lsps.rules import reasons_against_certification
from services.certification.names.rules import clean_name
from services.certification.origins.rules import Origin
from services.certification.schedules import rules as schedules
from services.certification.schedules.rules import Booking
from services.certification.schemes.rules import Scheme
from services.certification.transaction import Transaction
from services.certification.venues import rules as venues


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationDetails:
    """An application with its origin, as far as the caller may see it, and its edition.

    The edition is the frozen one, or the newest while none is frozen.
    """

    application: Application
    origin: Origin | None
    scheme: Scheme


async def open_application(origin: Origin, scheme: Scheme, tx: Transaction) -> None:
    """Open one application per enrolment; a repeated completion changes nothing."""
    if await tx.origins.find_by_enrolment(origin.enrolment_id) is not None:
        return
    tx.origins.add(origin)
    application, events = rules.open_application(new_id(), origin, scheme, today(tx))
    tx.applications.add(application, events)


async def view_application(application_id: str, tx: Transaction) -> ApplicationDetails:
    """Return one of the caller's applications; the read is audited."""
    application = await tx.applications.get(application_id)
    tx.note("applications.read", application.id, person=application.origin_ref)
    return ApplicationDetails(
        application=application,
        origin=await tx.origins.seek(application.origin_ref),
        scheme=await read_edition(application, tx),
    )


async def list_applications(
    state: ApplicationState | None,
    participant_ref: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Application]:
    """Return a page of the caller's applications, optionally of one state or one person."""
    origin_refs: list[str] | None = None
    if participant_ref is not None:
        survivor = await tx.resolve(participant_ref)
        origin_refs = [origin.id for origin in await tx.origins.list_by_participant(survivor)]
    page = await tx.applications.list_page(state, origin_refs, cursor, limit)
    refs = sorted({application.origin_ref for application in page.items})
    tx.note("applications.listed", "", refs=refs)
    return page


async def submit_form(
    application_id: str, form: ApplicationForm, version: int, tx: Transaction
) -> Application:
    """Store FR.APL.01."""
    before = await tx.applications.get(application_id, if_match=version)
    edition = await read_edition(before, tx)
    return tx.applications.save(before, forms.submit_forms(before, edition, form=form))


async def submit_self_assessment(
    application_id: str, assessment: SelfAssessment, version: int, tx: Transaction
) -> Application:
    """Store FR.APL.02."""
    before = await tx.applications.get(application_id, if_match=version)
    edition = await read_edition(before, tx)
    after = forms.submit_forms(before, edition, self_assessment=assessment)
    return tx.applications.save(before, after)


async def assign(
    application_id: str,
    assessor_id: str,
    venue_id: str,
    held_on: date,
    version: int,
    tx: Transaction,
) -> Application:
    """Assign assessor, venue and day, and freeze the newest edition of the scheme.

    Raises RulesBroken with every reason of certification section 8.
    """
    before = await tx.applications.get(application_id, if_match=version)
    lsp = await tx.lsps.get(before.lsp_id)
    assessor = await tx.assessors.get(assessor_id)
    venue = await tx.venues.get(venue_id)
    newest = await tx.schemes.find_newest(before.scheme_ref)
    scheme = rules.require_assignable(before, newest, assessor, venue)
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


async def declare(
    application_id: str,
    has_conflict: bool,  # noqa: FBT001 - a use case takes its values one by one
    version: int,
    tx: Transaction,
) -> Application:
    """Store the assessor's declaration; a conflict ends the assignment."""
    before = await tx.applications.get(application_id, if_match=version)
    after = rules.declare_conflict(before, has_conflict=has_conflict)
    if has_conflict:
        await _release_days(before, tx)
    return tx.applications.save(before, after)


async def record_results(
    application_id: str, results: Mapping[str, CompetencyResult], version: int, tx: Transaction
) -> Application:
    """Record results of units; a repeated upload changes nothing.

    A repeat succeeds with the version from before the first upload too (RFC 9110 section 13.1.1).
    Raises VersionDiffers when an upload with another version would change something.
    """
    before = await tx.applications.get(application_id)
    edition = await read_edition(before, tx)
    after = results_rules.record_results(before, edition, results, today(tx))
    if after == before:
        return before
    before = await tx.applications.get(application_id, if_match=version)
    return tx.applications.save(before, after)


async def recommend(
    application_id: str,
    competent: bool,  # noqa: FBT001 - a use case takes its values one by one
    version: int,
    tx: Transaction,
) -> Application:
    """Store the assessor's recommendation."""
    before = await tx.applications.get(application_id, if_match=version)
    origin = await tx.origins.get(before.origin_ref, scoped=False)
    after, events = rules.recommend(
        before,
        await read_edition(before, tx),
        origin,
        competent=competent,
        by=tx.caller.actor,
        now=tx.now,
    )
    return tx.applications.save(before, after, events)


async def select_candidates_to_name(
    application_ids: Sequence[str], purpose: str, tx: Transaction
) -> list[CandidateName]:
    """Return for each application whose name may be shown now, or why not; the read is audited.

    An application outside the caller's scope is unknown.
    """
    known = await tx.applications.many(application_ids)
    origin_refs = [application.origin_ref for application in known.values()]
    origins = await tx.origins.many(origin_refs, scoped=False)
    lines: list[CandidateName] = []
    for application_id in dict.fromkeys(application_ids):
        application = known.get(application_id)
        reasons = candidate_names.reasons_against_showing_name(application, today(tx))
        line = CandidateName(application_id=application_id, reasons=tuple(reasons))
        if application is not None and not reasons:
            ref = origins[application.origin_ref].participant_ref
            line = replace(line, participant_ref=ref)
        lines.append(line)
    refs = sorted({line.participant_ref for line in lines if line.participant_ref})
    tx.note("candidate_names.read", "", purpose=purpose, refs=refs)
    return lines


async def read_participant_ref(application_id: str, version: int, tx: Transaction) -> str:
    """Return the reference of the person whose name will be requested; the request is audited."""
    application = await tx.applications.get(application_id, if_match=version)
    origin = await tx.origins.get(application.origin_ref)
    tx.note(
        "name.asked",
        origin.participant_ref,
        purpose="print-certificate",
        application=application.id,
    )
    return origin.participant_ref


async def note_name_unavailable(application_id: str, tx: Transaction) -> None:
    """Audit that training does not know the person, so that no name was stored."""
    application = await tx.applications.get(application_id)
    origin = await tx.origins.get(application.origin_ref)
    tx.note(
        "name.unknown",
        origin.participant_ref,
        purpose="print-certificate",
        application=application.id,
    )


async def propose_name(
    application_id: str, name: str, version: int, tx: Transaction
) -> Application:
    """Store the name that training holds, encrypted; a second person confirms it.

    Raises NameUnfit when the name cannot be signed.
    """
    before = await tx.applications.get(application_id, if_match=version)
    sealed = tx.cipher.encrypt_to_text(clean_name(name), name_context(before.id))
    after = rules.propose_name(before, sealed, tx.caller.actor, tx.now)
    return tx.applications.save(before, after)


async def read_name(application_id: str, tx: Transaction) -> tuple[Application, str]:
    """Return the name that would be signed, for the person who confirms it; the read is audited."""
    application = await tx.applications.get(application_id)
    name = rules.require_fetched_name(application)
    tx.note("name.read", application.origin_ref, purpose="confirm-name", application=application.id)
    return application, tx.cipher.decrypt_text(name.sealed, name_context(application.id))


async def confirm_name(
    application_id: str, name: str, version: int, tx: Transaction
) -> Application:
    """Store that a second person confirmed exactly this name."""
    before = await tx.applications.get(application_id, if_match=version)
    after = rules.confirm_name(before, tx.caller.actor, tx.now)
    sealed = rules.require_fetched_name(before).sealed
    stored = tx.cipher.decrypt_text(sealed, name_context(before.id))
    rules.require_same_name(stored, clean_name(name))
    return tx.applications.save(before, after)


def name_context(application_id: str) -> str:
    """Return the context to which an application's encrypted name is bound."""
    return f"application/{application_id}/name"


def contended_documents(assessor_id: str, venue_id: str, held_on: date) -> list[str]:
    """Return the documents that assignments of one day write at once."""
    return [f"assessor/{assessor_id}", f"venue/{venue_id}/{held_on}"]


def today(tx: Transaction) -> date:
    """Return the day of this transaction where assessments are dated."""
    return tx.now.astimezone(WESTERN_INDONESIA).date()


async def read_edition(application: Application, tx: Transaction) -> Scheme:
    """Return the frozen edition, or the newest while none is frozen.

    Unscoped, because a caller who sees the application may see its units.
    """
    if application.scheme_id is None:
        return await tx.schemes.get_newest(application.scheme_ref)
    return await tx.schemes.get(application.scheme_id, scoped=False)


async def _release_days(application: Application, tx: Transaction) -> None:
    """Release the booked days of the assignment that ends."""
    assignment = application.assignment
    if assignment is None:
        return
    day_ids = (
        schedules.assessor_day_id(assignment.met_no, assignment.held_on),
        schedules.venue_day_id(assignment.venue_id, assignment.held_on),
    )
    for day_id in day_ids:
        day = await tx.booking_days.get_or_empty(day_id)
        tx.booking_days.put(day, schedules.release(day, application.id))
