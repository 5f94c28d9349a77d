"""How candidates are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page
from services.manpower.candidates import rules
from services.manpower.candidates.rules import Candidate
from services.manpower.visibility.store import PersonRows


class Candidates(PersonRows[Candidate]):
    """Candidates by participant_ref; facts about somebody not known yet wait for the admission."""

    kind = Candidate
    collection = "candidates"
    unknown = rules.CandidateUnknown
    indexes = (
        Index("visibility.facility_id", "_id"),
        Index("visibility.shares.recipient", "visibility.shares.purpose", "_id"),
        Index("attention", "_id"),
    )
    awaited = True

    async def list_page(
        self, *, has_attention: bool, cursor: str | None, limit: int
    ) -> Page[Candidate]:
        """The candidates that the caller may see, by id."""
        return await self.page(
            {"attention.0": {"$exists": True}} if has_attention else {},
            cursor=cursor,
            limit=limit,
        )
