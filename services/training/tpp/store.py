"""The stores of decisions and of the verdicts that apply to each person."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.tpp.rules import Decision, DecisionUnknown, Standings


class Decisions(Store[Decision]):
    kind = Decision
    collection = "tpp_decisions"
    person = "results.participant_ref"
    unknown = DecisionUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id", ("hearing_on", -1)),)
    schema = 2

    async def list_page(self, cursor: str | None, limit: int) -> Page[Decision]:
        """Return a page of the decisions in the caller's scope, the latest hearing first."""
        return await self.page({}, sort=("hearing_on", -1), cursor=cursor, limit=limit)


class TppStandings(Store[Standings]):
    kind = Standings
    collection = "tpp_standings"
    unknown = DecisionUnknown
    scope = {"facility": "facility_id"}
