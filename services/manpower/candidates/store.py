"""The store of candidates. Not here: which facts make a candidate (rules)."""

from __future__ import annotations

from chassis.persistence.store import Index, Page
from services.manpower.candidates import rules
from services.manpower.candidates.rules import Candidate
from services.manpower.visibility.rules import Subject
from services.manpower.visibility.store import PersonRows


class Candidates(PersonRows[Candidate]):
    """Candidates by `participant_ref`; events about an unknown person wait for the admission."""

    kind = Candidate
    collection = "candidates"
    subject = Subject.CANDIDATE
    unknown = rules.CandidateUnknown
    indexes = (
        Index("visibility.facility_id", "_id"),
        Index("visibility.shares.recipient", "visibility.shares.purpose", "_id"),
        Index("attention", "_id"),
        Index("work.workshop_id", "work.month"),
    )
    awaited = True

    async def list_page(
        self, *, has_attention: bool, cursor: str | None, limit: int
    ) -> Page[Candidate]:
        """Return one page of the candidates that the caller may see, by id."""
        where = {"attention.0": {"$exists": True}} if has_attention else {}
        return await self.page(where, cursor=cursor, limit=limit)

    async def count_workers(self, workshop_id: str, first: str, last: str) -> int:
        """Return how many people have work in a workshop in these months, for any caller."""
        work = {
            "workshop_id": workshop_id,
            "month": {"$gte": first, "$lte": last},
            "units_total": {"$gt": 0},
        }
        return await self.count({"work": {"$elemMatch": work}}, scoped=False)
