"""How grants are kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from chassis.persistence.store import Index, Page, Store
from gateway.access.grants.rules import Grant, GrantUnknown


class Grants(Store[Grant]):
    """Grants by user; shown to the administrators of the user's home."""

    kind = Grant
    collection = "grants"
    person = "user_id"
    unknown = GrantUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("user_id", "valid_from"), Index("home"), Index("on_behalf_of"))
    schema = 2

    async def find_by_user(self, user_id: str) -> list[Grant]:
        """All grants of a user, the oldest first, whoever asks."""
        return await self.find(
            {"user_id": user_id}, sort=[("valid_from", 1), ("_id", 1)], scoped=False
        )

    async def find_by_official(self, official: str) -> list[Grant]:
        """The grants of those who act for this user, whoever asks."""
        return await self.find({"on_behalf_of": official, "ended_at": None}, scoped=False)

    async def find_administrators(self, now: datetime) -> list[Grant]:
        """The grants of administrators in force, whoever asks."""
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
        """Grants in the order in which they were given, of one user where one is named."""
        return await self.page({"user_id": user_id} if user_id else {}, cursor=cursor, limit=limit)
