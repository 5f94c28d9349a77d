"""How job applications are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Page
from services.manpower.applications import rules
from services.manpower.applications.rules import SENT_STATES, Application
from services.manpower.visibility import rules as visibility
from services.manpower.visibility.rules import Purpose
from services.manpower.visibility.store import PersonRows


class Applications(PersonRows[Application]):
    """Outside readers see what was sent; an employer only what was sent to it."""

    kind = Application
    collection = "job_applications"
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
        """The consent filter, and for outside readers that it was sent (to them)."""
        narrowed = super().narrowing()
        reader = visibility.reader_of(self.tx.caller)
        if narrowed is None or reader is None:
            return narrowed
        sent: dict[str, Any] = {"state": {"$in": sorted(SENT_STATES)}}
        return (
            dict(narrowed)
            | sent
            | (
                {"employer_id": {"$in": sorted(reader.recipients)}}
                if reader.purpose is Purpose.EMPLOYER_SHARE
                else {}
            )
        )

    def admits(self, aggregate: Application) -> bool:
        """The same for one row."""
        if not super().admits(aggregate):
            return False
        reader = visibility.reader_of(self.tx.caller)
        return reader is None or (
            aggregate.state in SENT_STATES
            and (
                reader.purpose is not Purpose.EMPLOYER_SHARE
                or aggregate.employer_id in reader.recipients
            )
        )

    async def list_page(
        self, vacancy_id: str | None, candidate_id: str | None, cursor: str | None, limit: int
    ) -> Page[Application]:
        """Applications that the caller may see, of one vacancy or candidate or all."""
        chosen = {"vacancy_id": vacancy_id, "candidate_id": candidate_id}
        return await self.page(
            {name: value for name, value in chosen.items() if value is not None},
            cursor=cursor,
            limit=limit,
        )

    async def list_by_candidates(self, candidate_ids: Iterable[str]) -> list[Application]:
        """Every application of these people, when their records follow them or a rule looks for a second one: no scope applies."""
        return await self.find(
            {"candidate_id": {"$in": sorted(candidate_ids)}}, sort=[("_id", 1)], scoped=False
        )

    async def list_live_by_vacancy(self, vacancy_id: str) -> list[Application]:
        """All live applications to a vacancy: those of other facilities close with it too, so no scope applies."""
        return await self.find(
            {"vacancy_id": vacancy_id, "live": True}, sort=[("_id", 1)], scoped=False
        )
