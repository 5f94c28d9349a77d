"""The store of consents. Not here: how they end (rules)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chassis.persistence.store import Index, Page, Store
from services.manpower.consents import rules
from services.manpower.consents.rules import Consent


class Consents(Store[Consent]):
    """Consents. Only officers of the prison see them; outside readers see the rows they open."""

    kind = Consent
    collection = "consents"
    person = "candidate_id"
    unknown = rules.ConsentUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("candidate_id", "given_at"),
        Index("candidate_id", "purpose", "recipient", unique=True, where={"live": True}),
        Index("expires_at", where={"live": True}),
    )

    async def list_page(
        self, candidate_id: str | None, cursor: str | None, limit: int
    ) -> Page[Consent]:
        """Return one page of the consents in the caller's scope, of one person or all, by id."""
        where = {} if candidate_id is None else {"candidate_id": candidate_id}
        return await self.page(where, cursor=cursor, limit=limit)

    async def list_by_candidate(self, candidate_id: str) -> list[Consent]:
        """Return every consent of a person; no scope applies, because they follow the candidate."""
        where = {"candidate_id": candidate_id}
        return await self.find(where, sort=[("given_at", 1), ("_id", 1)], scoped=False)

    async def list_live(self, consent_ids: Iterable[str]) -> list[Consent]:
        """Return those of these consents that have not ended, for any caller: rules end them."""
        return await self.find({"_id": {"$in": sorted(consent_ids)}, "live": True}, scoped=False)

    async def list_expired(self, now: datetime, limit: int) -> list[Consent]:
        """Return live consents that have expired, the oldest first."""
        where = {"live": True, "expires_at": {"$lte": now}}
        return await self.find(where, sort=[("expires_at", 1)], limit=limit)
