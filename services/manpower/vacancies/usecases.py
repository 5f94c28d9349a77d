"""What happens: employers' vacancies are posted, amended and closed."""

from __future__ import annotations

from datetime import date

from services.manpower.agencies.rules import AgencyUnknown
from services.manpower.applications.usecases import close_for_vacancy
from services.manpower.transaction import Transaction
from services.manpower.vacancies import rules
from services.manpower.vacancies.rules import Closing, EmployerRefused, Slots, Vacancy, WageBand


async def post_vacancy(vacancy: Vacancy, headcount: int, tx: Transaction) -> Vacancy:
    """A new open vacancy with its slots. EmployerRefused when the caller may not post for this employer or there."""
    try:
        employer = await tx.agencies.get(vacancy.employer_id)
    except AgencyUnknown:
        raise EmployerRefused from None
    tx.agencies.hold(employer)
    posted = rules.post(vacancy, employer, tx.caller.subject, tx.now)
    if not tx.vacancies.admits(posted):
        raise EmployerRefused
    tx.vacancy_slots.add(rules.open_slots(posted.id, headcount))
    return tx.vacancies.add(posted)


async def amend_vacancy(
    vacancy_id: str,
    valid_until: date | None,
    wage_band: WageBand | None,
    start_month: str | None,
    headcount: int | None,
    tx: Transaction,
    *,
    if_match: int,
) -> Vacancy:
    """The vacancy with changed terms; applications and history stay."""
    before = await tx.vacancies.get(vacancy_id, if_match=if_match)
    after = rules.amend(
        before, tx.now, valid_until=valid_until, wage_band=wage_band, start_month=start_month
    )
    if headcount is not None:
        slots = await tx.vacancy_slots.get(vacancy_id)
        tx.vacancy_slots.save(slots, rules.resize_slots(slots, headcount))
    return tx.vacancies.save(before, after)


async def close_vacancy(
    vacancy_id: str, reason: Closing, tx: Transaction, *, if_match: int | None = None
) -> Vacancy:
    """The vacancy closed, and every live application to it."""
    before = await tx.vacancies.get(vacancy_id, if_match=if_match)
    closed = tx.vacancies.save(before, rules.close(before, reason, tx.caller.subject, tx.now))
    await close_for_vacancy(closed, tx)
    return closed


async def show_vacancy(vacancy_id: str, tx: Transaction) -> tuple[Vacancy, Slots]:
    """A vacancy with its slots."""
    vacancy = await tx.vacancies.get(vacancy_id)
    return vacancy, await tx.vacancy_slots.get(vacancy_id)
