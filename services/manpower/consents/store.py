"""How consents are kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chassis.persistence.store import Index, Page, Store
from services.manpower.consents import rules
from services.manpower.consents.rules import Consent


class Consents(Store[Consent]):
    """Consents are the prison's own papers: its officers see them, outside readers only what follows from them."""

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
        """Consents in the caller's scope, of one person or all."""
        return await self.page(
            {} if candidate_id is None else {"candidate_id": candidate_id},
            cursor=cursor,
            limit=limit,
        )

    async def list_by_candidate(self, candidate_id: str) -> list[Consent]:
        """Every consent of a person, when the person's records follow it: no scope applies."""
        return await self.find(
            {"candidate_id": candidate_id}, sort=[("given_at", 1), ("_id", 1)], scoped=False
        )

    async def list_live(self, consent_ids: Iterable[str]) -> list[Consent]:
        """Those of these consents that have not ended, whoever asks: they end by rule."""
        return await self.find({"_id": {"$in": sorted(consent_ids)}, "live": True}, scoped=False)

    async def list_expired(self, now: datetime, limit: int) -> list[Consent]:
        """Consents whose time is over and that have not ended."""
        return await self.find(
            {"live": True, "expires_at": {"$lte": now}}, sort=[("expires_at", 1)], limit=limit
        )
