"""How grants are kept."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.unit_of_work import Index, Store
from gateway.grants.rules import Grant, GrantUnknown


class Grants(Store[Grant]):
    """Grants by user. No claim shows them to anybody: only internal callers read them."""

    kind = Grant
    collection = "grants"
    unknown = GrantUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("user_id", "valid_from"),)

    async def of_user(self, user_id: str) -> list[Grant]:
        """All grants of a user, the oldest first."""
        return await self.find({"user_id": user_id}, sort=[("valid_from", 1), ("_id", 1)])
