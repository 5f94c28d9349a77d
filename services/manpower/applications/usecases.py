"""Use cases of job applications, of closing a vacancy, and of certificates that flag them.

Not here: work that was found (placements).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from chassis.ids import new_id
from services.manpower.applications import rules
from services.manpower.applications.rules import (
    Application,
    ApplicationState,
    Side,
    WithdrawalReason,
)
from services.manpower.candidates import rules as candidate_rules
from services.manpower.candidates import usecases as candidates
from services.manpower.candidates.rules import Candidate
from services.manpower.candidates.skills import CertificateContent, SourceOrder, Standing
from services.manpower.feed.rules import ChangeType
from services.manpower.feed.usecases import record_change
from services.manpower.transaction import Transaction
from services.manpower.vacancies import rules as vacancy_rules
from services.manpower.vacancies.rules import Closing, Vacancy
from services.manpower.visibility.rules import (
    Column,
    Subject,
    all_audiences,
    columns_for,
    current_audiences,
)


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application, and the columns of it that the caller sees."""

    application: Application
    columns: frozenset[Column]


@dataclass(frozen=True, slots=True)
class ApplicationViewPage:
    """One page of applications; `next_cursor` is None on the last."""

    items: list[ApplicationView]
    next_cursor: str | None


async def view_application(application: Application, tx: Transaction) -> ApplicationView:
    """Return what the caller may see of an application."""
    visibility = application.outside_visibility
    columns = columns_for(tx.caller, visibility, Subject.APPLICATION, tx.now)
    return ApplicationView(application, columns)


async def draft_application(candidate_id: str, vacancy_id: str, tx: Transaction) -> Application:
    """Add a draft for a candidate and an open vacancy that the officer sees.

    Raises CandidateUnknown, VacancyUnknown, CandidateGone, VacancyNotOpen, AlreadyApplied.
    """
    candidate = await tx.candidates.get(await tx.resolve(candidate_id))
    vacancy = await tx.vacancies.get(vacancy_id)
    tx.vacancies.hold(vacancy)
    others = await tx.applications.list_by_candidates([candidate.id])
    draft = rules.draft(new_id(), candidate, vacancy, others, tx.caller.subject, tx.now)
    added = tx.applications.add(draft)
    if candidate.engaged:
        tx.candidates.hold(candidate)
    else:
        await candidates.save_candidate(candidate, candidate_rules.mark_engaged(candidate), tx)
    return added


async def list_applications(
    vacancy_id: str | None,
    candidate_id: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> ApplicationViewPage:
    """Return one page of the applications that the caller may see; the read is audited."""
    if candidate_id is not None:
        candidate_id = await tx.resolve(candidate_id)
    page = await tx.applications.list_page(vacancy_id, candidate_id, cursor, limit)
    refs = [application.candidate_id for application in page.items]
    tx.note("applications.listed", "", refs=refs)
    views = [await view_application(application, tx) for application in page.items]
    return ApplicationViewPage(views, page.next_cursor)


async def show_application(application_id: str, tx: Transaction) -> Application:
    """Return one application; the read is audited. Raises ApplicationUnknown."""
    application = await tx.applications.get(application_id)
    tx.note("applications.read", application.candidate_id)
    return application


async def advance_application(
    application_id: str, to: ApplicationState, reason: str, version: int, tx: Transaction
) -> Application:
    """Take the application to its next state, as far as the table and the caller's side allow.

    Raises ApplicationUnknown, VersionDiffers, ApplicationStepRefused, NotYourStep, ReasonMissing,
    ConsentMissing, VacancyNotOpen.
    """
    before = await tx.applications.get(application_id)
    side = rules.side_of(tx.caller.role)
    rules.require_visible_steps(before, tx.caller, tx.now)
    before = await tx.applications.get(application_id, if_match=version)
    actor = tx.caller.subject
    if rules.is_consent_step(before, to, side):
        after = rules.attach_consent(before, actor, tx.now)
    elif rules.is_submission(before, to, side):
        candidate = await tx.candidates.get(before.candidate_id)
        vacancy = await tx.vacancies.get(before.vacancy_id)
        tx.candidates.hold(candidate)
        tx.vacancies.hold(vacancy)
        submitted = rules.submit(before, vacancy, actor, tx.now)
        after = _update_skill_flag(submitted, candidate, vacancy, tx)
    else:
        after = rules.take_step(before, to, side, actor, tx.now, reason)
    return save_with_feed_change(before, after, tx)


async def close_vacancy(vacancy_id: str, reason: Closing, version: int, tx: Transaction) -> Vacancy:
    """Close a vacancy and every live application to it.

    Raises VacancyUnknown, VersionDiffers, VacancyMoveRefused.
    """
    before = await tx.vacancies.get_own(vacancy_id, if_match=version)
    after = vacancy_rules.close(before, reason, tx.caller.subject, tx.now)
    closed = tx.vacancies.save(before, after)
    for application in await tx.applications.list_live_by_vacancy(closed.id):
        _end_by_rule(application, ApplicationState.VACANCY_CLOSED, "", tx)
    return closed


async def record_certificate(
    candidate_id: str, certificate_id: str, content: CertificateContent, tx: Transaction
) -> None:
    """Record the content of a certificate, and flag applications that lack a required skill."""
    before, saved = await candidates.apply_rule(
        candidate_id,
        lambda candidate: candidate_rules.record_certificate(candidate, certificate_id, content),
        tx,
    )
    await _flag_changed_skills(before, saved, tx)


async def record_standing(
    candidate_id: str,
    certificate_id: str,
    standing: Standing,
    source_order: SourceOrder,
    tx: Transaction,
) -> None:
    """Record that a certificate was suspended, reinstated or revoked, and flag applications."""
    before, saved = await candidates.apply_rule(
        candidate_id,
        lambda candidate: candidate_rules.record_standing(
            candidate, certificate_id, standing, source_order
        ),
        tx,
    )
    await _flag_changed_skills(before, saved, tx)


async def withdraw_by_consents(
    candidate_id: str, consent_ids: Collection[str], reason: WithdrawalReason, tx: Transaction
) -> None:
    """Withdraw the candidate's live applications that rest on one of these consents."""
    applications = await tx.applications.list_by_candidates([candidate_id])
    affected = [
        application for application in applications if application.consent_id in consent_ids
    ]
    await withdraw_live(affected, reason, tx)


async def withdraw_live(
    applications: Collection[Application], reason: WithdrawalReason, tx: Transaction
) -> None:
    """Withdraw the live ones of these applications."""
    for application in applications:
        if application.live:
            _end_by_rule(application, ApplicationState.WITHDRAWN, reason.value, tx)


def save_with_feed_change(before: Application, after: Application, tx: Transaction) -> Application:
    """Save an application, and write a feed change for the outside readers who may see it."""
    saved = tx.applications.save(before, after)
    record_change(
        ChangeType.APPLICATION_CHANGED,
        Subject.APPLICATION,
        saved.id,
        saved.version,
        current_audiences(saved.outside_visibility, tx.now),
        tx,
    )
    return saved


def rekey_application(
    application: Application, candidate: Candidate, tx: Transaction
) -> Application:
    """Move an application to the surviving candidate of a merge.

    Readers who lose it by the survivor's regency get a tombstone.
    """
    moved = replace(application, candidate_id=candidate.id, visibility=candidate.visibility)
    saved = save_with_feed_change(application, moved, tx)
    lost = all_audiences(application.outside_visibility) - all_audiences(saved.outside_visibility)
    record_change(
        ChangeType.APPLICATION_WITHDRAWN,
        Subject.APPLICATION,
        saved.id,
        saved.version,
        lost,
        tx,
    )
    return saved


def _end_by_rule(
    application: Application, to: ApplicationState, reason: str, tx: Transaction
) -> None:
    ended = rules.take_step(application, to, Side.RULE, tx.caller.subject, tx.now, reason)
    save_with_feed_change(application, ended, tx)


async def _flag_changed_skills(before: Candidate, saved: Candidate, tx: Transaction) -> None:
    """Flag the candidate's live applications whose vacancy requires a unit that is not held."""
    if not saved.engaged or saved.skills == before.skills:
        return
    applications = await tx.applications.list_by_candidates([saved.id])
    live = [application for application in applications if application.live]
    vacancy_ids = [application.vacancy_id for application in live]
    vacancies = await tx.vacancies.many(vacancy_ids, scoped=False)
    for application in live:
        after = _update_skill_flag(application, saved, vacancies[application.vacancy_id], tx)
        if after != application:
            save_with_feed_change(application, after, tx)


def _update_skill_flag(
    application: Application, candidate: Candidate, vacancy: Vacancy, tx: Transaction
) -> Application:
    held = candidate_rules.held_units(candidate, tx.now)
    return rules.update_skill_flag(application, held, vacancy.requirements.units)
