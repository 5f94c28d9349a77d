"""How placements are kept."""

from __future__ import annotations

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Page
from services.manpower.placements import rules
from services.manpower.placements.rules import Placement
from services.manpower.visibility import rules as visibility
from services.manpower.visibility.rules import Purpose
from services.manpower.visibility.store import PersonRows


class Placements(PersonRows[Placement]):
    """An employer sees only the placements with itself."""

    kind = Placement
    collection = "placements"
    person = "candidate_id"
    unknown = rules.PlacementUnknown
    indexes = (
        Index("application_id", unique=True, where={"application_id": {"$type": "string"}}),
        Index("candidate_id", "_id"),
        Index("visibility.facility_id", "_id"),
        Index("visibility.shares.recipient", "visibility.shares.purpose", "_id"),
    )

    def narrowing(self) -> Filter | None:
        """The consent filter, and for an employer that the work is its own."""
        narrowed = super().narrowing()
        reader = visibility.reader_of(self.tx.caller)
        if narrowed is None or reader is None or reader.purpose is not Purpose.EMPLOYER_SHARE:
            return narrowed
        return dict(narrowed) | {"employer_id": {"$in": sorted(reader.recipients)}}

    def admits(self, aggregate: Placement) -> bool:
        """The same for one row."""
        reader = visibility.reader_of(self.tx.caller)
        return super().admits(aggregate) and (
            reader is None
            or reader.purpose is not Purpose.EMPLOYER_SHARE
            or aggregate.employer_id in reader.recipients
        )

    async def count_all(self) -> int:
        """How many there are, for figures."""
        return await self.count({"_id": {"$gt": ""}})

    async def list_page(
        self, candidate_id: str | None, cursor: str | None, limit: int
    ) -> Page[Placement]:
        """Placements that the caller may see."""
        return await self.page(
            {} if candidate_id is None else {"candidate_id": candidate_id},
            cursor=cursor,
            limit=limit,
        )

    async def list_by_candidate(self, candidate_id: str) -> list[Placement]:
        """Every placement of a person, when the person's records follow it: no scope applies."""
        return await self.find({"candidate_id": candidate_id}, sort=[("_id", 1)], scoped=False)
