"""Stores of vacancies and of their slots. Not here: when a vacancy is open (rules)."""

from __future__ import annotations

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Page, Store
from services.manpower.vacancies import rules
from services.manpower.vacancies.rules import Slots, Vacancy, VacancyState
from services.manpower.visibility.rules import Purpose, Reader
from services.manpower.visibility.store import OwnedRows


class Vacancies(OwnedRows[Vacancy]):
    """An employer sees its own vacancies, an office those of its regencies."""

    kind = Vacancy
    collection = "vacancies"
    unknown = rules.VacancyUnknown
    indexes = (Index("employer_id", "_id"), Index("regency_code", "state", "_id"))
    schema = 2

    async def list_page(
        self, state: VacancyState | None, cursor: str | None, limit: int
    ) -> Page[Vacancy]:
        """Return one page of the vacancies that the caller may see, in one state or all, by id."""
        where = {} if state is None else {"state": state.value}
        return await self.page(where, cursor=cursor, limit=limit)

    def filter_for_reader(self, reader: Reader) -> Filter | None:
        if reader.purpose is Purpose.EMPLOYER_SHARE:
            return {"employer_id": {"$in": sorted(reader.recipients)}}
        if reader.regencies is None:
            return None
        return {"regency_code": {"$in": sorted(reader.regencies)}}

    def is_shown_to(self, aggregate: Vacancy, reader: Reader) -> bool:
        if reader.purpose is Purpose.EMPLOYER_SHARE:
            return aggregate.employer_id in reader.recipients
        return reader.regencies is not None and aggregate.regency_code in reader.regencies


class VacancySlots(Store[Slots]):
    """The slots of each vacancy.

    They have no scope: they are read only together with a vacancy, which has one.
    """

    kind = Slots
    collection = "vacancy_slots"
    unknown = rules.VacancyUnknown
    scope = {"public": ""}
