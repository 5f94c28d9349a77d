"""The store of credentials. Not here: who approves them (rules)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chassis.persistence.store import Index, Page
from services.manpower.credentials import rules
from services.manpower.credentials.rules import Credential
from services.manpower.visibility.store import OwnedRows


class Credentials(OwnedRows[Credential]):
    """Credentials of consumers. Outside readers see none of them."""

    kind = Credential
    collection = "consumer_credentials"
    unknown = rules.CredentialUnknown
    indexes = (
        Index("consumer_id", "user_id", unique=True, where={"live": True}),
        Index("consumer_id", "_id"),
        Index("user_id"),
        Index("valid_until"),
    )

    async def list_page(self, consumer_id: str, cursor: str | None, limit: int) -> Page[Credential]:
        """Return one page of the credentials of a consumer, by id."""
        return await self.page({"consumer_id": consumer_id}, cursor=cursor, limit=limit)

    async def list_equal(self, consumer_id: str, user_id: str) -> list[Credential]:
        """Return the live credential of this user at the consumer, for any caller."""
        where = {"consumer_id": consumer_id, "user_id": user_id, "live": True}
        return await self.find(where, scoped=False)

    async def list_attached(self, user_id: str) -> list[Credential]:
        """Return the credentials by which this user reads.

        The access check of the caller itself needs them, so no scope applies.
        """
        where = {"user_id": user_id, "state": {"$in": sorted(rules.ATTACHED_STATES)}}
        return await self.find(where, scoped=False)

    async def list_attached_of(self, consumer_ids: Iterable[str]) -> list[Credential]:
        """Return the credentials that read for these consumers, for any caller."""
        where = {
            "consumer_id": {"$in": sorted(consumer_ids)},
            "state": {"$in": sorted(rules.ATTACHED_STATES)},
        }
        return await self.find(where, sort=[("_id", 1)], scoped=False)

    async def first_end(self, now: datetime) -> datetime | None:
        """Return when the first attached credential ends, for any caller; None without one."""
        where = {
            "state": {"$in": sorted(rules.ATTACHED_STATES)},
            "valid_until": {"$gt": now},
        }
        first = await self.first(where, sort=[("valid_until", 1)], scoped=False)
        return None if first is None else first.valid_until
