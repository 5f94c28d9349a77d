"""The stores of pairs that wait for an automatic merge, and of decisions on proposals."""

from __future__ import annotations

from datetime import date

from chassis.persistence.mongo import Index
from chassis.persistence.store import Store
from services.training.merges.rules import MergeCandidate, MergeDecision


class MergeCandidates(Store[MergeCandidate]):
    kind = MergeCandidate
    collection = "merge_candidates"
    scope = {"facility": "facility_id"}
    indexes = (Index("seen_on"),)

    async def list_seen_before(self, day: date, limit: int) -> list[MergeCandidate]:
        """Return up to `limit` pairs found before that day, by id."""
        return await self.find(
            {"seen_on": {"$lt": day.isoformat()}}, sort=[("_id", 1)], limit=limit
        )


class MergeDecisions(Store[MergeDecision]):
    kind = MergeDecision
    collection = "merge_decisions"
    scope = {"facility": "facilities"}
