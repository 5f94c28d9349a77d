"""What happens: a candidate applies to a vacancy, the application moves along its table, and ends when what it stands on ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from chassis.ids import new_id
from services.manpower.applications import rules
from services.manpower.applications.rules import Application, Side, State, Withdrawal
from services.manpower.candidates.rules import Candidate, engage, held_units
from services.manpower.feed.rules import ChangeType, Subject
from services.manpower.feed.usecases import tell
from services.manpower.transaction import Transaction
from services.manpower.vacancies.rules import Vacancy
from services.manpower.visibility.rules import audiences
from services.manpower.visibility.usecases import keep


async def draft_application(candidate_id: str, vacancy_id: str, tx: Transaction) -> Application:
    """A draft for a candidate and an open vacancy that the officer sees."""
    candidate = await tx.candidates.get(await tx.resolve(candidate_id))
    vacancy = await tx.vacancies.get(vacancy_id)
    tx.vacancies.hold(vacancy)
    others = await tx.applications.all_of([candidate.id])
    drafted = tx.applications.add(
        rules.draft(new_id(), candidate, vacancy, others, tx.caller.subject, tx.now)
    )
    if candidate.engaged:
        tx.candidates.hold(candidate)
    else:
        await keep(candidate, engage(candidate), tx)
    return drafted


async def advance_application(
    application_id: str, to: State, reason: str, tx: Transaction, *, if_match: int | None = None
) -> Application:
    """The application at its next state, as far as the table and the caller's side allow."""
    before = await tx.applications.get(application_id, if_match=if_match)
    side, actor = side_of(tx.caller.role), tx.caller.subject
    if (before.state, to) == (State.DRAFT, State.CONSENTED) and side is Side.OFFICER:
        after = rules.consent(before, actor, tx.now)
    elif (before.state, to) == (State.CONSENTED, State.SUBMITTED) and side is Side.OFFICER:
        candidate, vacancy = (
            await tx.candidates.get(before.candidate_id),
            await tx.vacancies.get(before.vacancy_id),
        )
        tx.candidates.hold(candidate)
        tx.vacancies.hold(vacancy)
        after = _flagged(rules.submit(before, vacancy, actor, tx.now), candidate, vacancy, tx)
    else:
        after = rules.step(before, to, side, actor, tx.now, reason)
    return save_told(before, after, tx)


async def withdraw_standing_on(
    candidate_id: str, consent_ids: Collection[str], why: Withdrawal, tx: Transaction
) -> None:
    """Every live application of the candidate that stands on one of these consents, withdrawn."""
    for application in await tx.applications.all_of([candidate_id]):
        if application.live and application.consent_id in consent_ids:
            save_told(
                application,
                rules.step(
                    application, State.WITHDRAWN, Side.RULE, tx.caller.subject, tx.now, why.value
                ),
                tx,
            )


async def withdraw_all(
    applications: Collection[Application], why: Withdrawal, tx: Transaction
) -> None:
    """These applications, withdrawn where they are live."""
    for application in applications:
        if application.live:
            save_told(
                application,
                rules.step(
                    application, State.WITHDRAWN, Side.RULE, tx.caller.subject, tx.now, why.value
                ),
                tx,
            )


async def close_for_vacancy(vacancy: Vacancy, tx: Transaction) -> None:
    """Every live application to a vacancy that has closed, closed with it."""
    for application in await tx.applications.live_for(vacancy.id):
        save_told(
            application,
            rules.step(application, State.VACANCY_CLOSED, Side.RULE, tx.caller.subject, tx.now),
            tx,
        )


async def flag_lost_skills(candidate: Candidate, tx: Transaction) -> None:
    """Every live application of the candidate, flagged as far as its vacancy requires what is not held now."""
    live = [
        application
        for application in await tx.applications.all_of([candidate.id])
        if application.live
    ]
    vacancies = await tx.vacancies.many(
        [application.vacancy_id for application in live], scoped=False
    )
    for application in live:
        after = _flagged(application, candidate, vacancies[application.vacancy_id], tx)
        if after != application:
            save_told(application, after, tx)


def save_told(before: Application, after: Application, tx: Transaction) -> Application:
    """Save it and tell those outside who may know of it."""
    saved = tx.applications.save(before, after)
    tell(
        ChangeType.APPLICATION_CHANGED,
        Subject.APPLICATION,
        saved.id,
        saved.version,
        audiences(rules.seen_by(saved), tx.now),
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


def rekeyed(application: Application, candidate: Candidate, tx: Transaction) -> Application:
    """The application under the surviving ref of a merge."""
    return save_told(
        application,
        replace(application, candidate_id=candidate.id, visibility=candidate.visibility),
        tx,
    )


def _flagged(
    application: Application, candidate: Candidate, vacancy: Vacancy, tx: Transaction
) -> Application:
    return rules.flagged(application, held_units(candidate, tx.now), vacancy.requirements.units)
