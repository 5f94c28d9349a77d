"""How users are kept."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Page, Store
from gateway.access.users.rules import User, UserUnknown


class Users(Store[User]):
    """Users by id and by the issuer's name for them; shown to the administrators of their home."""

    kind = User
    collection = "users"
    unknown = UserUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("issuer", "external", unique=True), Index("home"))
    schema = 3
    secret = frozenset({"external"})

    async def find_by_external(self, issuer: str, external: str) -> User | None:
        """The user whom this issuer calls so, whoever asks."""
        return await self.first({"issuer": issuer, "external": external}, scoped=False)

    async def list_page(self, cursor: str | None, limit: int) -> Page[User]:
        """Users by id."""
        return await self.page({}, cursor=cursor, limit=limit)
