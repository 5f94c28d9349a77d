"""What happens: a candidate applies to a vacancy, the application moves along its table, and ends when what it stands on ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from chassis.ids import new_id
from services.manpower.applications import rules
from services.manpower.applications.rules import (
    Application,
    ApplicationState,
    Side,
    WithdrawalReason,
)
from services.manpower.candidates.rules import Candidate, held_units, mark_engaged
from services.manpower.feed.rules import ChangeType, Subject
from services.manpower.feed.usecases import record_change
from services.manpower.transaction import Transaction
from services.manpower.vacancies.rules import Vacancy
from services.manpower.visibility.rules import current_audiences
from services.manpower.visibility.usecases import save_candidate


async def draft_application(candidate_id: str, vacancy_id: str, tx: Transaction) -> Application:
    """A draft for a candidate and an open vacancy that the officer sees."""
    candidate = await tx.candidates.get(await tx.resolve(candidate_id))
    vacancy = await tx.vacancies.get(vacancy_id)
    tx.vacancies.hold(vacancy)
    others = await tx.applications.list_by_candidates([candidate.id])
    drafted = tx.applications.add(
        rules.draft(new_id(), candidate, vacancy, others, tx.caller.subject, tx.now)
    )
    if candidate.engaged:
        tx.candidates.hold(candidate)
    else:
        await save_candidate(candidate, mark_engaged(candidate), tx)
    return drafted


async def advance_application(
    application_id: str,
    to: ApplicationState,
    reason: str,
    tx: Transaction,
    *,
    if_match: int | None = None,
) -> Application:
    """The application at its next state, as far as the table and the caller's side allow."""
    before = await tx.applications.get(application_id, if_match=if_match)
    side, actor = side_of(tx.caller.role), tx.caller.subject
    if (before.state, to) == (
        ApplicationState.DRAFT,
        ApplicationState.CONSENTED,
    ) and side is Side.OFFICER:
        after = rules.attach_consent(before, actor, tx.now)
    elif (before.state, to) == (
        ApplicationState.CONSENTED,
        ApplicationState.SUBMITTED,
    ) and side is Side.OFFICER:
        candidate, vacancy = (
            await tx.candidates.get(before.candidate_id),
            await tx.vacancies.get(before.vacancy_id),
        )
        tx.candidates.hold(candidate)
        tx.vacancies.hold(vacancy)
        after = _update_skill_flag(
            rules.submit(before, vacancy, actor, tx.now), candidate, vacancy, tx
        )
    else:
        after = rules.take_step(before, to, side, actor, tx.now, reason)
    return save_with_feed_change(before, after, tx)


async def withdraw_by_consents(
    candidate_id: str, consent_ids: Collection[str], reason: WithdrawalReason, tx: Transaction
) -> None:
    """Every live application of the candidate that stands on one of these consents, withdrawn."""
    for application in await tx.applications.list_by_candidates([candidate_id]):
        if application.live and application.consent_id in consent_ids:
            save_with_feed_change(
                application,
                rules.take_step(
                    application,
                    ApplicationState.WITHDRAWN,
                    Side.RULE,
                    tx.caller.subject,
                    tx.now,
                    reason.value,
                ),
                tx,
            )


async def withdraw_live(
    applications: Collection[Application], reason: WithdrawalReason, tx: Transaction
) -> None:
    """These applications, withdrawn where they are live."""
    for application in applications:
        if application.live:
            save_with_feed_change(
                application,
                rules.take_step(
                    application,
                    ApplicationState.WITHDRAWN,
                    Side.RULE,
                    tx.caller.subject,
                    tx.now,
                    reason.value,
                ),
                tx,
            )


async def close_for_vacancy(vacancy: Vacancy, tx: Transaction) -> None:
    """Every live application to a vacancy that has closed, closed with it."""
    for application in await tx.applications.list_live_by_vacancy(vacancy.id):
        save_with_feed_change(
            application,
            rules.take_step(
                application, ApplicationState.VACANCY_CLOSED, Side.RULE, tx.caller.subject, tx.now
            ),
            tx,
        )


async def flag_lost_skills(candidate: Candidate, tx: Transaction) -> None:
    """Every live application of the candidate, flagged as far as its vacancy requires what is not held now."""
    live = [
        application
        for application in await tx.applications.list_by_candidates([candidate.id])
        if application.live
    ]
    vacancies = await tx.vacancies.many(
        [application.vacancy_id for application in live], scoped=False
    )
    for application in live:
        after = _update_skill_flag(application, candidate, vacancies[application.vacancy_id], tx)
        if after != application:
            save_with_feed_change(application, after, tx)


def save_with_feed_change(before: Application, after: Application, tx: Transaction) -> Application:
    """Save it and tell those outside who may know of it."""
    saved = tx.applications.save(before, after)
    record_change(
        ChangeType.APPLICATION_CHANGED,
        Subject.APPLICATION,
        saved.id,
        saved.version,
        current_audiences(rules.outside_visibility(saved), tx.now),
        tx,
    )
    return saved


def side_of(role: str) -> Side:
    """Whose side a role is on."""
    return (
        Side.EMPLOYER
        if role == "employer"
        else Side.DINAS
        if role.startswith("dinas_")
        else Side.OFFICER
    )


def rekey_application(
    application: Application, candidate: Candidate, tx: Transaction
) -> Application:
    """The application under the surviving ref of a merge."""
    return save_with_feed_change(
        application,
        replace(application, candidate_id=candidate.id, visibility=candidate.visibility),
        tx,
    )


def _update_skill_flag(
    application: Application, candidate: Candidate, vacancy: Vacancy, tx: Transaction
) -> Application:
    return rules.update_skill_flag(
        application, held_units(candidate, tx.now), vacancy.requirements.units
    )
