"""The store of job applications. Not here: their steps (rules)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Page
from services.manpower.applications import rules
from services.manpower.applications.rules import SENT_STATES, Application
from services.manpower.visibility import rules as visibility
from services.manpower.visibility.rules import Column, Purpose, Subject
from services.manpower.visibility.store import PersonRows, reader_filter


class Applications(PersonRows[Application]):
    """Applications. Outside readers see those that were sent; an employer those sent to itself."""

    kind = Application
    collection = "job_applications"
    subject = Subject.APPLICATION
    person = "candidate_id"
    unknown = rules.ApplicationUnknown
    indexes = (
        Index("candidate_id", "vacancy_id", unique=True, where={"live": True}),
        Index("candidate_id", "_id"),
        Index("vacancy_id", "live"),
        Index("employer_id", "_id"),
        Index("visibility.facility_id", "_id"),
        Index("visibility.shares.recipient", "visibility.shares.purpose", "_id"),
    )

    def narrowing(self) -> Filter | None:
        """Return the consent filter; for outside readers only what was sent (to them)."""
        by_consent = super().narrowing()
        reader = visibility.reader_of(self.tx.caller)
        if by_consent is None or reader is None:
            return by_consent
        where: dict[str, Any] = dict(by_consent) | {"state": {"$in": sorted(SENT_STATES)}}
        if reader.purpose is Purpose.EMPLOYER_SHARE:
            where["employer_id"] = {"$in": sorted(reader.recipients)}
        return where

    def admits(self, aggregate: Application) -> bool:
        """Return whether `narrowing` admits this application."""
        if not super().admits(aggregate):
            return False
        reader = visibility.reader_of(self.tx.caller)
        if reader is None:
            return True
        if aggregate.state not in SENT_STATES:
            return False
        if reader.purpose is not Purpose.EMPLOYER_SHARE:
            return True
        return aggregate.employer_id in reader.recipients

    async def list_page(
        self, vacancy_id: str | None, candidate_id: str | None, cursor: str | None, limit: int
    ) -> Page[Application]:
        """Return one page of what the caller may see, of one vacancy or candidate or all, by id."""
        where: dict[str, Any] = {}
        if vacancy_id is not None:
            where = self._to_vacancy(vacancy_id)
        if candidate_id is not None:
            where["candidate_id"] = candidate_id
        return await self.page(where, cursor=cursor, limit=limit)

    async def list_by_candidates(self, candidate_ids: Iterable[str]) -> list[Application]:
        """Return every application of these people.

        No scope applies: they follow the candidate, and rules look for a second application.
        """
        where = {"candidate_id": {"$in": sorted(candidate_ids)}}
        return await self.find(where, sort=[("_id", 1)], scoped=False)

    async def list_live_by_vacancy(self, vacancy_id: str) -> list[Application]:
        """Return all live applications to a vacancy.

        No scope applies: those of other facilities close with the vacancy too.
        """
        where = {"vacancy_id": vacancy_id, "live": True}
        return await self.find(where, sort=[("_id", 1)], scoped=False)

    def _to_vacancy(self, vacancy_id: str) -> dict[str, Any]:
        """Return the filter by vacancy; outside readers find only where they see the employer."""
        reader = visibility.reader_of(self.tx.caller)
        where: dict[str, Any] = {"vacancy_id": vacancy_id}
        if reader is None:
            return where
        return where | reader_filter(reader, self.tx.now, Column.EMPLOYER)
