"""The store of placements. Not here: when a person may work (rules)."""

from __future__ import annotations

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Page
from services.manpower.placements import rules
from services.manpower.placements.rules import Placement
from services.manpower.visibility import rules as visibility
from services.manpower.visibility.rules import Purpose, Subject
from services.manpower.visibility.store import PersonRows


class Placements(PersonRows[Placement]):
    """Placements. An employer sees only those with itself."""

    kind = Placement
    collection = "placements"
    subject = Subject.PLACEMENT
    person = "candidate_id"
    unknown = rules.PlacementUnknown
    indexes = (
        Index("application_id", unique=True, where={"application_id": {"$type": "string"}}),
        Index("candidate_id", "_id"),
        Index("visibility.facility_id", "_id"),
        Index("visibility.shares.recipient", "visibility.shares.purpose", "_id"),
    )

    def narrowing(self) -> Filter | None:
        """Return the consent filter; for an employer only its own placements."""
        by_consent = super().narrowing()
        reader = visibility.reader_of(self.tx.caller)
        if by_consent is None or reader is None or reader.purpose is not Purpose.EMPLOYER_SHARE:
            return by_consent
        return dict(by_consent) | {"employer_id": {"$in": sorted(reader.recipients)}}

    def admits(self, aggregate: Placement) -> bool:
        """Return whether `narrowing` admits this placement."""
        if not super().admits(aggregate):
            return False
        reader = visibility.reader_of(self.tx.caller)
        if reader is None or reader.purpose is not Purpose.EMPLOYER_SHARE:
            return True
        return aggregate.employer_id in reader.recipients

    async def count_all(self) -> int:
        """Return the number of placements, for the gauge."""
        return await self.count({"_id": {"$gt": ""}})

    async def list_page(
        self, candidate_id: str | None, cursor: str | None, limit: int
    ) -> Page[Placement]:
        """Return one page of the placements that the caller may see, by id."""
        where = {} if candidate_id is None else {"candidate_id": candidate_id}
        return await self.page(where, cursor=cursor, limit=limit)

    async def list_by_candidate(self, candidate_id: str) -> list[Placement]:
        """Return every placement of a person; no scope applies, they follow the candidate."""
        return await self.find({"candidate_id": candidate_id}, sort=[("_id", 1)], scoped=False)
