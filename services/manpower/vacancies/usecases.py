"""Use cases of vacancies: post, show, amend.

Not here: closing one (applications close with it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from services.manpower.transaction import Transaction
from services.manpower.vacancies import rules
from services.manpower.vacancies.rules import Slots, Vacancy, VacancyState, WageBand
from services.manpower.visibility.rules import owner_for


@dataclass(frozen=True, slots=True)
class VacancyView:
    """A vacancy with its slots."""

    vacancy: Vacancy
    slots: Slots


@dataclass(frozen=True, slots=True)
class VacancyViewPage:
    """One page of vacancies with their slots; `next_cursor` is None on the last."""

    items: list[VacancyView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VacancyTerms:
    """New terms of a vacancy; None = unchanged."""

    valid_until: date | None
    wage_band: WageBand | None
    start_month: str | None
    headcount: int | None


async def post_vacancy(vacancy: Vacancy, headcount: int, tx: Transaction) -> Vacancy:
    """Add an open vacancy with its slots; it belongs to the caller's facility.

    Raises EmployerRefused when the caller may not post for this employer or in this regency,
    AgencyNotActive, WageBandRefused, ValidityRefused, HeadcountRefused.
    """
    employer = rules.require_employer(await tx.agencies.seek(vacancy.employer_id))
    tx.agencies.hold(employer)
    owned = replace(vacancy, owner=owner_for(tx.caller))
    posted = rules.post(owned, employer, tx.caller.subject, tx.now)
    rules.require_in_scope(is_in_scope=tx.vacancies.admits(posted))
    tx.vacancy_slots.add(rules.open_slots(posted.id, headcount))
    return tx.vacancies.add(posted)


async def list_vacancies(
    state: VacancyState | None, cursor: str | None, limit: int, tx: Transaction
) -> VacancyViewPage:
    """Return one page of the vacancies that the caller may see, with their slots."""
    page = await tx.vacancies.list_page(state, cursor, limit)
    slots = await tx.vacancy_slots.many(vacancy.id for vacancy in page.items)
    items = [VacancyView(vacancy, slots[vacancy.id]) for vacancy in page.items]
    return VacancyViewPage(items, page.next_cursor)


async def show_vacancy(vacancy_id: str, tx: Transaction) -> VacancyView:
    """Return a vacancy with its slots. Raises VacancyUnknown."""
    vacancy = await tx.vacancies.get(vacancy_id)
    return VacancyView(vacancy, await tx.vacancy_slots.get(vacancy_id))


async def amend_vacancy(
    vacancy_id: str, terms: VacancyTerms, version: int, tx: Transaction
) -> Vacancy:
    """Change the terms of a vacancy; its applications and history stay.

    Raises VacancyUnknown, VersionDiffers, VacancyNotOpen, WageBandRefused, ValidityRefused,
    HeadcountRefused.
    """
    before = await tx.vacancies.get_own(vacancy_id, if_match=version)
    after = rules.amend(
        before,
        tx.now,
        valid_until=terms.valid_until,
        wage_band=terms.wage_band,
        start_month=terms.start_month,
    )
    if terms.headcount is not None:
        slots = await tx.vacancy_slots.get(vacancy_id)
        tx.vacancy_slots.save(slots, rules.resize_slots(slots, terms.headcount))
    return tx.vacancies.save(before, after)
