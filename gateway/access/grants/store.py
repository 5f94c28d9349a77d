"""The store of grants. Not here: rules."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from chassis.persistence.store import Index, Page, Store
from gateway.access.grants.rules import Grant, GrantUnknown


class Grants(Store[Grant]):
    """Grants by user; the administrators of the user's home see them."""

    kind = Grant
    collection = "grants"
    person = "user_id"
    unknown = GrantUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("user_id", "valid_from"), Index("home"), Index("on_behalf_of"))
    schema = 3

    async def find_by_user(self, user_id: str) -> list[Grant]:
        """Return all grants of a user, the oldest first, whatever the caller's scope."""
        return await self.find(
            {"user_id": user_id}, sort=[("valid_from", 1), ("_id", 1)], scoped=False
        )

    async def find_by_official(self, official: str) -> list[Grant]:
        """Return the grants on behalf of this user, whatever the caller's scope."""
        return await self.find({"on_behalf_of": official, "ended_at": None}, scoped=False)

    async def find_administrators(self, now: datetime) -> list[Grant]:
        """Return the administrators' grants in force, whatever the caller's scope."""
        return await self.find(
            {
                "role": "administrator",
                "ended_at": None,
                "valid_from": {"$lte": now},
                "valid_until": {"$gt": now},
            },
            scoped=False,
        )

    async def list_page(self, user_id: str, cursor: str | None, limit: int) -> Page[Grant]:
        """Return a page of grants in the order of their ids, of one user if named."""
        return await self.page({"user_id": user_id} if user_id else {}, cursor=cursor, limit=limit)
